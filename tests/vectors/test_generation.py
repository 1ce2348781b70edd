"""Generating, checking and writing: every way to be wrong is named, and nothing wrong is written."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from conformance.vectorgen import folder, identity, prose
from conformance.vectorgen.answers import answers
from conformance.vectorgen.chapters import CHAPTERS, NOTES
from conformance.vectorgen.document import document, text
from conformance.vectorgen.identity import IDS, hexadecimal
from conformance.vectorgen.model import Chapter, Vector, logit, mean, pair, pairs
from conformance.vectorgen.notes import Note
from conformance.vectorgen.problems import BadVectors
from oracle import FORMATS, get_format

GOLDEN = (-10.0, -12.0, -11.0, -11.0)
SMALL = (
    Chapter(
        "small",
        "Two pairs.",
        (
            pair("the golden pair", "WrongSign", logps=GOLDEN),
            pair("the golden pair, smoothed", "WrongSign", logps=GOLDEN, eps=0.1),
        ),
    ),
    Chapter("batch", "One batch.", (mean("a batch", "SumForMean", logps=[GOLDEN, GOLDEN]),), kind="mean"),
)
FEW = {flag: NOTES[flag] for flag in ("WrongSign", "SumForMean")}


@pytest.fixture(autouse=True)
def few_notes(monkeypatch):
    """The notes of the small chapters' flags alone, so that none is without a test."""
    monkeypatch.setattr(prose.lint, "__defaults__", (FEW,))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the small chapters' files, as they were written."""
    place = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prose.lint, "__defaults__", (FEW,))
        folder.write(place, SMALL)
    return place


@pytest.fixture
def place(written, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(written, tmp_path / "vectors")


def said(problems):
    return [str(problem) for problem in problems]


def edited(place, name, edit):
    """The file of that name with its content changed in place by `edit`, written as the generator writes."""
    data = json.loads((place / name).read_text())
    edit(data)
    (place / name).write_text(text(data))


# -- one of a kind ----------------------------------------------------------------------------------------------------


def test_what_is_written_is_found_right(place):
    assert sorted(path.name for path in place.iterdir()) == ["batch.json", IDS, "small.json"]
    assert folder.check(place, SMALL) == []
    assert folder.write(place, SMALL) == []


def test_the_answers_do_not_depend_on_the_neighbours():
    """A vector alone, in another order and among others: the same answers."""
    chapter = next(chapter for chapter in CHAPTERS if chapter.name == "cancellation")
    for fmt in FORMATS:
        vectors = [vector for vector in chapter.vectors if fmt in vector.formats]
        together, backwards = answers(vectors, fmt, "interval"), answers(vectors[::-1], fmt, "interval")[::-1]
        alone = [answers([vector], fmt, "interval")[0] for vector in vectors[:5]]
        assert together == backwards
        assert together[:5] == alone


def test_hexadecimal_floats_are_those_of_c():
    values = [0.0, -0.0, 1.0, 0.1, -10.0, 2.0**-1074, 2.0**1023, float("inf"), float("-inf")]
    assert [float.fromhex(hexadecimal(x)).hex() for x in values] == [x.hex() for x in values]
    assert hexadecimal(-10.0) == "-0x1.4p+3"
    assert hexadecimal(1.0) == "0x1p+0"
    assert hexadecimal(float("nan")) == "nan"


def test_a_pair_in_every_format_is_rounded_into_each_and_listed_where_it_is_held():
    made = pairs("one", logps=(-143.27, -151.94, -140.02, -147.63))
    assert [vector.comment.rpartition(" ")[2] for vector in made] == ["bfloat16", "binary16", "binary32", "binary64"]
    assert [len(vector.formats) for vector in made] == [4, 3, 2, 1]
    assert len(pairs("one", logps=GOLDEN)) == 1


def test_a_format_in_which_the_way_to_the_logit_overflows_is_not_listed():
    vector = logit(-60000.0, "one")
    assert get_format("binary16") in vector.formats
    assert get_format("binary16") not in pair("two", logps=(-60000.0, 0.0, 0.0, 0.0), beta=2.0).formats
    assert get_format("binary16") not in pair("three", logps=(-99328.0, 0.0, 0.0, 0.0)).formats


def test_an_id_follows_from_every_input():
    chapter, first = SMALL[0], SMALL[0].vectors[0]
    batch = first.batch
    others = [replace(batch, beta=0.2), replace(batch, label_smoothing=0.2)]
    others += [replace(batch, **{name: np.array([-13.0])}) for name in ("policy_chosen_logps", "policy_rejected_logps")]
    others += [replace(batch, **{name: np.array([-13.0])}) for name in ("ref_chosen_logps", "ref_rejected_logps")]
    names = [identity.identity(chapter, Vector("", (), other)) for other in (batch, *others)]
    names.append(identity.identity(replace(chapter, kind="mean"), first))
    names.append(identity.identity(replace(chapter, name="other"), first))
    assert len(set(names)) == len(names) == 9
    assert names[0] == identity.identity(chapter, replace(first, comment="other", flags=()))


# -- check --------------------------------------------------------------------------------------------------------------


def golden(data):
    return data["tests"][0]


def answer(data):
    return golden(data)["formats"]["binary32"]["loss"]


EDITS = {
    "a bound": (lambda data: answer(data).update(highest=answer(data)["rounded"]), 'formats.binary32.loss.highest: is "0x'),
    "a flag of 0": (lambda data: answer(data).update(zero=True), "formats.binary32.loss.zero: is true, generated is false"),
    "an exact value": (lambda data: golden(data)["exact"].update(loss="0.5"), 'exact.loss: is "0.5", generated is "0.598'),
    "a comment": (lambda data: golden(data).update(comment="another"), 'comment: is "another"'),
    "flags": (lambda data: golden(data).update(flags=[]), 'flags: is [], generated is ["WrongSign"]'),
    "a note": (lambda data: data["notes"]["WrongSign"].update(effect="none"), 'small.json, notes.WrongSign.effect: is "none"'),
    "an input": (
        lambda data: golden(data)["inputs"].update(policy_chosen_logps="-0x1p+0"),
        'inputs.policy_chosen_logps: is "-0x1p+0"',
    ),
    "a format that is gone": (lambda data: golden(data)["formats"].pop("bfloat16"), "formats.bfloat16: is missing"),
    "a test that is gone": (lambda data: data["tests"].pop(0), ": is missing"),
    "a test too many": (
        lambda data: data["tests"].append({**golden(data), "id": "small-00000000"}),
        "small-00000000: is not generated",
    ),
    "another order": (lambda data: data["tests"].reverse(), "small.json, tests: are in another order"),
    "an unknown key": (lambda data: golden(data).update(hint=1), "hint: is not generated"),
    "a word for a number": (lambda data: answer(data).update(zero=0), "formats.binary32.loss.zero: is 0, generated is false"),
}


@pytest.mark.parametrize("what", EDITS)
def test_check_names_the_file_the_test_and_the_field(place, what):
    edit, words = EDITS[what]
    edited(place, "small.json", edit)
    found = said(folder.check(place, SMALL))
    assert all(line.startswith("small.json") for line in found)
    assert any(words in line for line in found), found


def test_check_says_what_the_schema_says(place):
    edited(place, "small.json", lambda data: golden(data).update(hint=1))
    found = said(folder.check(place, SMALL))
    assert any("Additional properties are not allowed ('hint' was unexpected)" in line for line in found), found
    assert any(line.startswith(f"small.json, {identity.identity(SMALL[0], SMALL[0].vectors[0])}") for line in found)


def test_check_sees_spaces(place):
    path = place / "small.json"
    path.write_text(path.read_text().replace('"version": 1', '"version":  1'))
    assert said(folder.check(place, SMALL)) == ["small.json: line 3: other spaces or spelling"]


def test_check_sees_files_that_are_missing_foreign_or_broken(place):
    (place / "batch.json").unlink()
    (place / "extra.json").write_text("{}")
    (place / "small.json").write_text("{")
    found = said(folder.check(place, SMALL))
    assert "batch.json: is missing" in found
    assert "extra.json: no chapter has this name" in found
    assert any(line.startswith("small.json: is no JSON: ") for line in found)


@pytest.mark.parametrize("content", ["[]", "{}", '{"tests": 1}', '{"tests": [1]}', "null"])
def test_check_survives_any_json(place, content):
    (place / "small.json").write_text(content)
    assert folder.check(place, SMALL)


# -- ids ----------------------------------------------------------------------------------------------------------------


def without_first(chapter):
    return (replace(chapter, vectors=chapter.vectors[1:]), SMALL[1])


def test_an_id_that_vanishes_is_an_error_and_nothing_is_written(place):
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    gone = identity.identity(SMALL[0], SMALL[0].vectors[0])
    with pytest.raises(BadVectors, match=f"{IDS}, {gone}: was published and is gone"):
        folder.write(place, without_first(SMALL[0]))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert f"{IDS}, {gone}: was published and is gone: put it into RETIRED, with the reason" in said(
        folder.check(place, without_first(SMALL[0]))
    )


def test_changed_inputs_are_another_test_whose_old_id_vanished(place):
    moved = replace(SMALL[0], vectors=(pair("the golden pair", "WrongSign", logps=GOLDEN, beta=0.2), *SMALL[0].vectors[1:]))
    with pytest.raises(BadVectors, match="was published and is gone"):
        folder.write(place, (moved, SMALL[1]))


def test_a_retired_id_may_go_and_may_not_come_back(place, monkeypatch):
    gone = identity.identity(SMALL[0], SMALL[0].vectors[0])
    monkeypatch.setitem(identity.RETIRED, gone, "its comment was wrong in substance")
    assert folder.write(place, without_first(SMALL[0])) == ["small.json"]
    assert gone in folder.published(place)
    assert folder.check(place, without_first(SMALL[0])) == []
    with pytest.raises(BadVectors, match="is retired and cannot come back"):
        folder.write(place, SMALL)


def test_an_id_that_was_never_published_cannot_be_retired(place, monkeypatch):
    monkeypatch.setitem(identity.RETIRED, "small-00000000", "a slip")
    assert f"{IDS}, small-00000000: is retired and was never published" in said(folder.check(place, SMALL))


def test_an_id_that_is_not_listed_is_an_error_of_check_alone(place):
    name = identity.identity(SMALL[0], SMALL[0].vectors[0])
    (place / IDS).write_text((place / IDS).read_text().replace(f"{name}\n", ""))
    assert said(folder.check(place, SMALL)) == [f"{IDS}, {name}: is not listed: run `dpo-conformance vectors write`"]
    assert folder.write(place, SMALL) == [IDS]
    (place / IDS).unlink()
    assert said(folder.check(place, SMALL)) == [f"{IDS}: is missing"]


def test_the_same_inputs_twice_are_an_error():
    twice = replace(SMALL[0], vectors=(*SMALL[0].vectors, pair("the same once more", "WrongSign", logps=GOLDEN)))
    with pytest.raises(BadVectors, match="two tests have these inputs"):
        folder.generate((twice, SMALL[1]))


# -- write --------------------------------------------------------------------------------------------------------------


def test_write_removes_the_file_of_a_chapter_that_is_no_more(place):
    edited(place, "small.json", lambda data: data.update(chapter="stale"))
    (place / "small.json").rename(place / "stale.json")
    assert folder.write(place, SMALL) == ["small.json", "stale.json"]
    assert sorted(path.name for path in place.iterdir()) == ["batch.json", IDS, "small.json"]


FOREIGN = {
    "an object": b"{}",
    "another schema": b'{"$schema": "https://json-schema.org/draft/2020-12/schema", "tests": []}',
    "an array": b"[]",
    "no JSON": b"{",
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_write_leaves_the_file_of_somebody_else(place, what):
    (place / "mine.json").write_bytes(FOREIGN[what])
    assert folder.write(place, SMALL) == []
    assert (place / "mine.json").read_bytes() == FOREIGN[what]


def test_write_replaces_nothing_unless_everything_could_be_written(place, monkeypatch):
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    changed = [replace(chapter, about=f"{chapter.about} More.") for chapter in SMALL]
    write_bytes = type(place).write_bytes

    def full(path, data):
        if path.name.startswith("small"):
            raise OSError(28, "No space left on device", str(path))
        return write_bytes(path, data)

    monkeypatch.setattr(type(place), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write(place, changed)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_write_writes_nothing_that_the_schema_refuses(place, monkeypatch):
    before = (place / "small.json").read_bytes()

    def odd(chapter):
        made = document(chapter)
        made["tests"][0]["formats"]["binary32"]["loss"]["rounded"] = "0x"
        return made

    monkeypatch.setattr(folder, "document", odd)
    with pytest.raises(BadVectors, match=r"small\.json, small-[0-9a-f]{8}, formats\.binary32\.loss"):
        folder.write(place, SMALL)
    assert (place / "small.json").read_bytes() == before


# -- words --------------------------------------------------------------------------------------------------------------

WORDS = {
    "too long": ("x" * 81, "has 81 characters of 80"),
    "empty": ("", "is empty"),
    "a space": ("z = 0 ", "ends with a space"),
    "should": ("the loss should be ln 2", "says 'should'"),
    "Test that": ("Test that z = 0 works", "says 'test that'"),
}


@pytest.mark.parametrize("what", WORDS)
def test_a_comment_that_is_not_fit(what):
    comment, words = WORDS[what]
    wrong = replace(SMALL[0], vectors=(replace(SMALL[0].vectors[0], comment=comment), SMALL[0].vectors[1]))
    name = identity.identity(SMALL[0], SMALL[0].vectors[0])
    with pytest.raises(BadVectors) as caught:
        folder.generate((wrong, SMALL[1]))
    assert all(str(problem).startswith(f"small.json, {name}, comment: ") for problem in caught.value.problems)
    assert any(words in problem.what for problem in caught.value.problems)


def test_two_comments_alike():
    wrong = replace(SMALL[0], vectors=tuple(replace(vector, comment="one") for vector in SMALL[0].vectors))
    with pytest.raises(BadVectors, match=r"comment: 'one' is the comment of small-[0-9a-f]{8} too"):
        folder.generate((wrong, SMALL[1]))


def test_a_flag_without_a_note_and_a_flag_twice():
    wrong = replace(SMALL[0], vectors=(replace(SMALL[0].vectors[0], flags=("WrongSign", "WrongSign", "Odd")),))
    found = said(prose.lint((wrong, SMALL[1])))
    assert any("flags: Odd has no note" in line for line in found)
    assert any("a flag is there twice" in line for line in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bug": "odd"}, "notes.WrongSign.bug: 'odd' is none of"),
        ({"links": ("https://example.org/1",)}, "https://example.org/1 is no GitHub issue"),
        ({"links": ("https://github.com/a/b/issues/x",)}, "is no GitHub issue"),
        ({"description": "x" * 161}, "notes.WrongSign.description: has 161 characters of 160"),
        ({"effect": "It should not."}, "notes.WrongSign.effect: says 'should'"),
        ({"effect": NOTES["SumForMean"].effect}, "notes.SumForMean.effect: the same words as notes.WrongSign.effect"),
    ],
)
def test_a_note_that_is_not_fit(change, words):
    notes = {"WrongSign": replace(NOTES["WrongSign"], **change), "SumForMean": NOTES["SumForMean"]}
    assert any(words in line for line in said(prose.lint(SMALL, notes)))


def test_a_note_that_no_test_needs():
    notes = {"WrongSign": NOTES["WrongSign"], "SumForMean": NOTES["SumForMean"], "Odd": Note("overflow", "a", "b")}
    assert said(prose.lint(SMALL, notes)) == ["notes.Odd: no test carries the flag"]


def test_the_real_words_are_fit():
    assert prose.lint(CHAPTERS, NOTES) == []
