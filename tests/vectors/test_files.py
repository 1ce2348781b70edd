"""The files as data: generated, valid, small, of one mind, and with ids that follow from the inputs."""

import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest

from conformance.vectorgen import folder
from conformance.vectorgen.chapters import NOTES
from conformance.vectorgen.identity import RETIRED
from oracle import get_format

from .consumer import FOLDER, INPUTS, decode

NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
QUANTITIES = ("loss", "d_policy_chosen_logps", "d_policy_rejected_logps")


def all_tests(files):
    return [(file, test) for file in files.values() for test in file["tests"]]


def listed(value):
    return value if isinstance(value, list) else [value]


def answers_of(files):
    """(file, test, format, quantity, answer), all of them."""
    for file, test in all_tests(files):
        for fmt, wanted in test["formats"].items():
            for quantity in QUANTITIES:
                for answer in listed(wanted.get(quantity, [])):
                    yield file, test, fmt, quantity, answer


def test_the_files_are_what_the_oracle_generates(generated):
    assert sorted(generated) == NAMES
    for name, made in generated.items():
        assert (FOLDER / name).read_bytes() == made.encode(), f"{name}: dpo-conformance vectors check says where"


def test_the_shipped_folder_is_this_one():
    assert folder.shipped() == FOLDER


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_valid_and_small(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    data = json.loads(text)
    assert folder.invalid(name, data) == []
    assert name == f"{data['chapter']}.json"
    assert data["numberOfTests"] == len(data["tests"])
    assert len(text) < 300_000


def test_all_files_together_are_small():
    assert sum((FOLDER / name).stat().st_size for name in NAMES) < 2_000_000


def test_every_object_of_the_schema_is_closed():
    """additionalProperties is false, or says what the properties are like, wherever an object is described."""

    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for child in node.values():
                yield from objects(child)
        elif isinstance(node, list):
            for child in node:
                yield from objects(child)

    found = list(objects(folder.schema()))
    assert len(found) > 10
    assert all(node.get("additionalProperties") is False or "propertyNames" in node for node in found)


def test_ids_follow_from_the_inputs_by_the_recipe_in_the_documentation(files):
    for file, test in all_tests(files):
        lines = [file["kind"], test["beta"]["hex"], test["label_smoothing"]["hex"]]
        lines += [",".join(listed(test["inputs"][name])) for name in INPUTS]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        assert test["id"] == f"{file['chapter']}-{digest[:8]}"


def test_ids_are_unique_and_all_published(files):
    ids = [test["id"] for _, test in all_tests(files)]
    assert len(ids) == len(set(ids))
    assert sorted([*ids, *RETIRED]) == folder.published(FOLDER)


def test_comments_are_unique(files):
    comments = [test["comment"] for _, test in all_tests(files)]
    assert len(comments) == len(set(comments))


def test_a_file_has_the_notes_of_its_tests_flags(files):
    for file in files.values():
        assert set(file["notes"]) == {flag for test in file["tests"] for flag in test["flags"]}
    assert set(NOTES) == {flag for file in files.values() for flag in file["notes"]}


def test_the_spellings_of_a_number_agree(files):
    for _, test in all_tests(files):
        for name in ("beta", "label_smoothing"):
            option = test[name]
            assert float.fromhex(option["hex"]) == float(option["decimal"]) == decode(option["bits"], "binary64")
        for fmt, wanted in test["formats"].items():
            for name in INPUTS:
                values = [float.fromhex(text) for text in listed(test["inputs"][name])]
                decoded = [decode(bits, fmt) for bits in listed(wanted["inputs"][name])]
                np.testing.assert_array_equal(decoded, values)
                np.testing.assert_array_equal(np.signbit(decoded), np.signbit(values) & ~np.isnan(values))


def test_bit_patterns_have_the_width_of_their_format(files):
    for _, _, fmt, _, answer in answers_of(files):
        patterns = [answer[end] for end in ("rounded", "lowest", "highest") if end in answer]
        assert all(len(bits) == 2 + get_format(fmt).width // 4 for bits in patterns)


def test_answers_hold_their_own_rounded_value_and_zeros_are_signed(files):
    for _, test, fmt, quantity, answer in answers_of(files):
        if "nan" in answer:
            continue
        low, rounded, high = (decode(answer[end], fmt) for end in ("lowest", "rounded", "highest"))
        assert low <= rounded <= high or (answer["zero"] and rounded == 0), (test["id"], fmt, quantity)
        assert low != 0 or np.signbit(low)
        assert high != 0 or not np.signbit(high)


def test_the_rounded_value_is_the_nearest_number_to_the_forty_digits(files):
    """By Fractions alone, wherever forty digits decide it: no two numbers of the format are as near."""
    for file, test, fmt, quantity, answer in answers_of(files):
        if file["kind"] == "mean" and quantity != "loss":
            continue
        text = test["exact"][quantity]
        rounded = None if "nan" in answer else decode(answer["rounded"], fmt)
        if text in {"nan", "inf", "-inf"}:
            assert str(float(text)) == ("nan" if rounded is None else str(rounded))
            continue
        exact = Fraction(text)
        below, above = (float(x) for x in get_format(fmt).neighbours(rounded))
        if np.isinf(rounded) or np.isinf(below) or np.isinf(above):
            continue
        distance = abs(Fraction(rounded) - exact)
        slack = abs(exact) / 10**39
        assert all(distance <= abs(Fraction(other) - exact) + slack for other in (below, above)), (test["id"], fmt)


def test_a_loss_without_smoothing_is_never_negative(files):
    """Though the bounds in ulps and from conditioning reach below 0 where the loss underflows."""
    for file, test, fmt, quantity, answer in answers_of(files):
        if (
            file["kind"] == "pair"
            and quantity == "loss"
            and float(test["label_smoothing"]["decimal"]) == 0
            and "nan" not in answer
        ):
            assert decode(answer["lowest"], fmt) >= 0


def test_derivatives_in_chosen_and_rejected_are_opposite(files):
    for _, test in all_tests(files):
        for fmt, wanted in test["formats"].items():
            chosen, rejected = (listed(wanted.get(name, [])) for name in QUANTITIES[1:])
            assert len(chosen) == len(rejected)
            for x, y in zip(chosen, rejected, strict=True):
                assert decode(x["lowest"], fmt) == -decode(y["highest"], fmt)
                assert decode(x["highest"], fmt) == -decode(y["lowest"], fmt)
                assert x["zero"] == y["zero"]


def test_every_format_has_tests_of_every_chapter(files):
    for file in files.values():
        counts = {fmt: sum(fmt in test["formats"] for test in file["tests"]) for fmt in ("binary16", "bfloat16", "binary32")}
        assert min(counts.values()) >= 5, (file["chapter"], counts)
        assert all("binary64" in test["formats"] for test in file["tests"])


def test_no_batch_has_margins_that_sum_to_zero(files):
    """There the means with and without label smoothing agree, and a mistake of it does not show."""
    for test in files["mean"]["tests"]:
        pc, pr, rc, rr = ([float.fromhex(text) for text in test["inputs"][name]] for name in INPUTS)
        assert sum(pc) - sum(pr) - sum(rc) + sum(rr) != 0
