"""The record: valid, whole, and the same when it is read again; what is not valid says where."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from conformance import files
from conformance.implementations import numpy_implementation
from conformance.records.environment import environment, suite
from conformance.records.record import (
    SCHEMA_VERSION,
    BadRecord,
    Finding,
    Level,
    Record,
    Run,
    Verdict,
    Worst,
    plain,
    read,
    schema,
)

LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


@pytest.fixture(scope="module")
def record(judged, linear):
    """Violations with and without a worst input, of one pair and of batches, and runs that were not judged."""
    mean = numpy_implementation(lambda *arguments: linear(*arguments).mean(), reduction="mean", name="mean")
    runs = [judged(linear, "bfloat16"), judged(mean, "binary32"), judged(numpy_implementation(lambda *_: None), "binary16")]
    runs.append(Run("x", "x.py:F", "binary64", "quick", Verdict.NOT_RUN, "no CUDA device"))
    return Record(suite(), environment(), 7, tuple(runs), "2026-01-01T00:00:00+00:00")


@pytest.fixture
def written(record, tmp_path):
    path = tmp_path / "record.json"
    record.write(path)
    return path


def test_the_record_covers_what_it_is_tested_for(record):
    worsts = [f.worst for run in record.runs for f in run.findings if f.worst]
    assert any(math.isinf(worst.rho) for worst in worsts)
    assert any(len(worst.inputs[LOGPS[0]]) > 1 for worst in worsts)
    assert any(f.grade for run in record.runs for f in run.findings)
    assert any(f.note for run in record.runs for f in run.findings)
    assert not record.conforms


def test_what_is_written_is_read_again_as_it_was(record, written):
    assert read(written) == record
    assert read(written).to_json() == record.to_json() == written.read_text(encoding="utf-8")


def test_what_is_written_is_valid_and_strict_json(record, written):
    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(written.read_text(encoding="utf-8"), parse_constant=refuse)
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert data["schema"] == SCHEMA_VERSION == record.schema


@pytest.mark.parametrize(("number", "text"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan")])
def test_what_is_not_finite_is_written_by_name(number, text):
    assert plain({"x": [number, (1.5,)]}) == {"x": [text, [1.5]]}
    worst = Worst("loss", dict.fromkeys(LOGPS, (text,)), "0x0.0p+0", "0x0.0p+0", text, "nan", text, number, number)
    run = Run("x", "", "binary16", "quick", Verdict.VIOLATES, findings=(
        Finding("LOSS-1", Level.MUST, Verdict.VIOLATES, 1, 1, worst),
    ))  # fmt: skip
    text = Record(suite(), environment(), 0, (run,)).to_json()
    got = json.loads(text)["runs"][0]["findings"][0]["worst"]
    assert float(got["rho"]) == number or math.isnan(number)
    assert isinstance(got["rho"], str)


FOLDED = {"pairs", "times"}
"""What a file says of a batch that repeats its pairs."""
OPTIONAL = {
    "": {"stamp", "incomplete"},
    "/$defs/run": {"diagnosis"},
    "/$defs/worst": {"parameters", *FOLDED},
    "/$defs/shown/properties/call": {"parts", "parameters", "shape"},
}


def test_the_schema_is_a_valid_schema_and_closed_wherever_it_names_properties():
    jsonschema.Draft202012Validator.check_schema(schema())

    def objects(node, place):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield place, node
            for key, child in node.items():
                yield from objects(child, f"{place}/{key}")

    found = dict(objects(schema(), ""))
    assert len(found) >= 7
    for place, node in found.items():
        if "properties" in node:
            assert node["additionalProperties"] is False, place
            absent = OPTIONAL.get(place, set())  # where there is none, and in records of before
            if place.endswith("/worst/properties/inputs"):  # what a loss takes
                absent = set(node["properties"])
            assert set(node.get("required", ())) == set(node["properties"]) - absent, place
        elif place.endswith("/claims"):
            assert set(node) == {"type"}
        else:
            assert isinstance(node["additionalProperties"], dict), place


def test_the_schema_names_the_fields_of_the_classes():
    defined = schema()["$defs"]
    for name, kind in {"run": Run, "finding": Finding, "worst": Worst}.items():
        assert set(defined[name]["properties"]) - FOLDED == set(kind.__dataclass_fields__)
    assert set(schema()["properties"]) == {*Record.__dataclass_fields__, "digests"}
    assert set(defined["verdict"]["enum"]) == set(Verdict)


# -- what is no record -------------------------------------------------------------------------------------------------


def violating(data):
    """The first finding with a worst input, and its place."""
    for r, run in enumerate(data["runs"]):
        for f, finding in enumerate(run["findings"]):
            if finding["worst"]:
                return finding, f"runs/{r}/findings/{f}"
    raise AssertionError


EDITS = [
    (lambda d, f: d.update(schema=0), "schema"),
    (lambda d, f: d.pop("digests"), "the top: 'digests' is a required"),
    (lambda d, f: d["digests"].update(record="abc"), "digests/record: 'abc'"),
    (lambda d, f: d.update(schema="1"), "schema"),
    (lambda d, f: d.update(schema=True), "schema"),
    (lambda d, f: d.update(seed=-1), "seed"),
    (lambda d, f: d.update(seed=0.5), "seed"),
    (lambda d, f: d.update(extra=1), "the top: .*'extra'"),
    (lambda d, f: d.pop("seed"), "the top: 'seed' is a required"),
    (lambda d, f: d["suite"].pop("version"), "suite: 'version'"),
    (lambda d, f: d["environment"].update(cpus=2), "environment/cpus"),
    (lambda d, f: d["runs"][0].update(verdict="passes"), "runs/0/verdict: 'passes'"),
    (lambda d, f: d["runs"][0].update(format="float8"), "runs/0/format: 'float8'"),
    (lambda d, f: d["runs"][0].update(profile="fast"), "runs/0/profile: 'fast'"),
    (lambda d, f: d["runs"][0].update(seconds=-1), "runs/0/seconds"),
    (lambda d, f: d["runs"][0].update(extra=1), "runs/0: .*'extra'"),
    (lambda d, f: f.update(extra=1), "FINDING: .*'extra'"),
    (lambda d, f: f.pop("note"), "FINDING: 'note'"),
    (lambda d, f: f.update(clause="kernel 1"), "FINDING/clause: 'kernel 1'"),
    (lambda d, f: f.update(level="MAY"), "FINDING/level: 'MAY'"),
    (lambda d, f: f.update(points=-1), "FINDING/points"),
    (lambda d, f: f.update(violations=1.5), "FINDING/violations"),
    (lambda d, f: f.update(grade="good"), "FINDING/grade"),
    (lambda d, f: f["counts"].update(x=-1), "FINDING/counts/x"),
    (lambda d, f: f["worst"].update(extra=1), "FINDING/worst: .*'extra'"),
    (lambda d, f: f["worst"].update(got="0.5"), "FINDING/worst/got: '0.5'"),
    (lambda d, f: f["worst"].update(rho="infinite"), "FINDING/worst/rho"),
    (lambda d, f: f["worst"]["inputs"].update(margin=[]), "FINDING/worst/inputs: .*'margin'"),
    (lambda d, f: f["worst"]["inputs"].update(ref_chosen_logps=[]), "FINDING/worst/inputs/ref_chosen_logps"),
    (lambda d, f: f["worst"]["inputs"].update(ref_chosen_logps=["-1.5"]), "FINDING/worst/inputs/ref_chosen_logps/0: '-1.5'"),
]


@pytest.mark.no_cover
@pytest.mark.parametrize(("edit", "place"), EDITS)
def test_an_edited_record_is_refused_with_the_place(record, tmp_path, edit, place):
    data = json.loads(record.to_json())
    finding, where = violating(data)
    edit(data, finding)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BadRecord, match=rf"edited\.json: at {place.replace('FINDING', where)}"):
        read(path)


def test_a_newer_record_asks_for_an_update(record, tmp_path):
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(plain(record) | {"schema": 3, "unheard": "of"}), encoding="utf-8")
    with pytest.raises(BadRecord, match=r"newer\.json: schema 3 is newer than this suite's 2; update dpo-conformance"):
        read(path)


def test_an_older_record_asks_to_be_made_again(record, tmp_path):
    path = tmp_path / "older.json"
    path.write_text(json.dumps(plain(record) | {"schema": 1}), encoding="utf-8")
    with pytest.raises(BadRecord, match=r"older\.json: schema 1 is older than this suite's 2; judge again"):
        read(path)


QUIET_EDITS = [
    (lambda d, f: d["runs"][0].update(implementation="other"), r"runs/0 \(other in bfloat16\)"),
    (lambda d, f: d["runs"][1].update(verdict="conforms"), r"runs/1 \(mean in binary32\)"),
    (lambda d, f: f.update(verdict="conforms"), "RUN "),
    (lambda d, f: f.update(violations=0), "RUN "),
    (lambda d, f: f["worst"].update(rho=0.5), "RUN "),
    (lambda d, f: d["runs"][3].update(reason="no CUDA devices"), r"runs/3 \(x in binary64\)"),
    (lambda d, f: d["runs"][0]["findings"].pop(), r"runs/0 \("),
    (lambda d, f: d["runs"][0]["findings"].reverse(), r"runs/0 \("),
    (lambda d, f: d["runs"].pop(), "runs: 3 where 4 were written"),
    (lambda d, f: d["runs"].append(d["runs"][0]), "runs: 5 where 4 were written"),
    (lambda d, f: (d["runs"].pop(), d["digests"]["runs"].pop()), "the suite, the environment, the seed or the order"),
    (lambda d, f: (d["runs"].reverse(), d["digests"]["runs"].reverse()), "the suite, the environment, the seed or the order"),
    (lambda d, f: d.update(seed=8), "the suite, the environment, the seed"),
    (lambda d, f: d["suite"].update(version="9"), "the suite, the environment, the seed"),
    (lambda d, f: d["environment"].update(cpu="other"), "the suite, the environment, the seed"),
]


@pytest.mark.parametrize(("edit", "place"), QUIET_EDITS)
def test_a_record_edited_within_its_schema_is_refused_with_the_place(record, tmp_path, edit, place):
    data = json.loads(record.to_json())
    finding, where = violating(data)
    edit(data, finding)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    place = place.replace("RUN", where.partition("/findings")[0])
    with pytest.raises(BadRecord, match=rf"edited\.json: at {place}.*: edited since it was written; judge again"):
        read(path)


def test_times_and_spelling_are_not_edits(record, tmp_path):
    data = json.loads(record.to_json())
    data["created"] = "2030-01-01T00:00:00+00:00"
    data["runs"][0]["seconds"] = 99.5
    path = tmp_path / "later.json"
    path.write_text(json.dumps(data, indent=7).replace(".0,", ","), encoding="utf-8")
    assert replace(read(path), created=record.created).runs[1:] == record.runs[1:]


def test_two_records_of_the_same_findings_have_the_same_digests(record):
    later = replace(record, created="2030-01-01T00:00:00+00:00", runs=tuple(replace(r, seconds=9.0) for r in record.runs))
    assert json.loads(later.to_json())["digests"] == json.loads(record.to_json())["digests"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_record_is_told_as_such(written, share):
    text = written.read_text(encoding="utf-8")
    written.write_text(text[: int(share * len(text))], encoding="utf-8")
    with pytest.raises(BadRecord, match=r"record\.json: it ends in the middle, at line \d" if share else "it is empty"):
        read(written)


@pytest.mark.parametrize("content", [b"[]", b"null", b'"x"', b"3", b'{"a": 1}', b"\xff\xfe{}", b"[" * 100_000, b"{} {}"])
def test_what_is_no_record_at_all_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(BadRecord, match=r"other\.json: (no record, which dpo-conformance run --json writes|not JSON)"):
        read(path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.json")


# -- writing -----------------------------------------------------------------------------------------------------------


def test_an_invalid_record_is_not_written(record, written):
    before = written.read_text(encoding="utf-8")
    wrong = Record(record.suite, record.environment, -1, record.runs)
    with pytest.raises(BadRecord, match="the record to be written: at seed"):
        wrong.write(written)
    assert written.read_text(encoding="utf-8") == before
    assert [path.name for path in written.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize(("where", "step"), [(files.os, "open"), (Path, "replace")])
def test_writing_that_fails_leaves_the_old_record_whole(record, written, monkeypatch, where, step):
    before = written.read_text(encoding="utf-8")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(where, step, full)
        with pytest.raises(OSError, match="No space"):
            Record(record.suite, record.environment, 8, record.runs).write(written)
    assert written.read_text(encoding="utf-8") == before
    assert [path.name for path in written.parent.iterdir()] == ["record.json"]


def test_writing_replaces_an_older_record(record, written):
    Record(record.suite, record.environment, 8, ()).write(written)
    assert read(written).seed == 8
    assert [path.name for path in written.parent.iterdir()] == ["record.json"]


def test_writing_into_a_folder_that_is_not_there_is_an_os_error(record, tmp_path):
    with pytest.raises(FileNotFoundError):
        record.write(tmp_path / "none" / "record.json")


# -- what a record says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "conforms"),
    [
        ([], True),
        ([Verdict.CONFORMS, Verdict.NOT_CLAIMED, Verdict.NOT_RUN], True),
        ([Verdict.CONFORMS, Verdict.VIOLATES], False),
    ],
)
def test_a_record_conforms_where_no_run_violates(verdicts, conforms):
    runs = tuple(Run("x", "", "binary16", "quick", verdict) for verdict in verdicts)
    assert Record({}, {}, 0, runs).conforms is conforms


def test_the_worst_of_a_run_is_of_a_must():
    def finding(level, rho):
        worst = Worst("loss", {}, "", "", "", "", "", 1.0, rho)
        return Finding("LOSS-1", level, Verdict.VIOLATES, worst=worst)

    run = Run("x", "", "binary16", "quick", Verdict.VIOLATES, findings=(
        finding(Level.MUST, 2.0), finding(Level.SHOULD, 9.0), finding(Level.MUST, 3.0),
        Finding("A-1", Level.MUST, Verdict.VIOLATES),
    ))  # fmt: skip
    assert run.worst.rho == 3.0
    assert len(run.violated) == 3
    assert Run("x", "", "binary16", "quick", Verdict.NOT_RUN).worst is None


def test_an_implementation_judged_in_no_format_is_unjudged():
    runs = [
        Run(name, source, "binary16", "quick", verdict)
        for name, source, verdict in [
            ("a", "", Verdict.CONFORMS), ("a", "", Verdict.NOT_RUN), ("b", "", Verdict.VIOLATES),
            ("c", "", Verdict.NOT_RUN), ("a", "a.py:a", Verdict.NOT_CLAIMED),
        ]
    ]  # fmt: skip
    assert Record({}, {}, 0, tuple(runs)).unjudged == ("a", "c")
