"""What a run claims, what it was not asked, and what follows from its seed."""

import dataclasses

import numpy as np
import pytest
import torch

from conformance import judge
from conformance.clauses import CLAUSES, Clause, Outcome, find
from conformance.errors import BadRequest, CannotLoad, Misbehaviour, UnknownImplementation
from conformance.implementations import numpy_implementation, torch_implementation
from conformance.implementations.numpy import STABLE
from conformance.inputs.profiles import PROFILES, get_profile
from conformance.records.record import Finding, Level, Run, Verdict, plain
from conformance.running.trying import FIRST, concluded
from oracle import FORMATS, bfloat16, binary32

CHEAP = [find(i) for i in (FIRST, "CALL-3", "DEF-1", "OPTION-1")]


def clause(check, level=Level.MUST, identity="TEST-1", needs=()):
    return Clause(identity, level, "a test", "It shall.", "So.", check, needs=frozenset(needs))


def verdicts(run):
    return {finding.clause: finding.verdict for finding in run.findings}


# -- what is judged ----------------------------------------------------------------------------------------------------


def test_objects_and_names_are_judged_in_the_order_in_which_they_are_given(linear):
    record = judge(linear, "numpy", STABLE, dtypes=["float32", bfloat16, "single"], clauses=CHEAP, isolate=False)
    assert [(run.implementation, run.source, run.format) for run in record.runs] == [
        (name, source, fmt)
        for name, source in (("linear", ""), ("numpy", "numpy"), ("numpy", ""))
        for fmt in ("binary32", "bfloat16")
    ]  # fmt: skip
    named, given = record.runs[2], record.runs[4]
    assert plain(named.findings) == plain(given.findings)
    assert record.suite["name"] == "dpo-conformance"
    assert {"python", "numpy", "mpmath", "cpu"} <= set(record.environment)


def test_without_dtypes_every_format_is_judged():
    assert [run.format for run in judge(STABLE, clauses=CHEAP).runs] == [fmt.name for fmt in FORMATS]


@pytest.mark.no_cover
def test_a_run_has_a_finding_for_every_clause_in_order(judged, linear):
    run = judged(linear, "binary32")
    assert [(f.clause, f.level) for f in run.findings] == [(c.id, c.level) for c in CLAUSES]
    assert run.verdict is Verdict.VIOLATES
    assert run.worst.rho == max(f.worst.rho for f in run.findings if f.worst and f.level is Level.MUST)
    assert {f.clause for f in run.violated} == {
        f.clause for f in run.findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_found_by_name(profile):
    assert get_profile(profile).name == profile


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"profile": "fast"}, r"'fast'.*quick, standard, exhaustive"),
        ({"dtypes": ["float8"]}, r"'float8'.*binary16, bfloat16, binary32, binary64"),
        ({"dtypes": []}, "no format"),
        ({"clauses": []}, "no clause"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**63}, "seed = 9223372036854775808"),
    ],
)
def test_a_run_that_does_not_exist_is_a_bad_request(keywords, said):
    with pytest.raises(BadRequest, match=said):
        judge(STABLE, **keywords)


def test_nothing_to_judge_is_a_bad_request():
    with pytest.raises(BadRequest, match="no implementation"):
        judge()


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize(("name", "error"), [("mxnet", UnknownImplementation), ("no/file.py:F", CannotLoad)])
def test_a_name_that_leads_nowhere_is_an_error(name, error, isolate):
    with pytest.raises(error):
        judge(name, isolate=isolate)


# -- what is not claimed, and what cannot be run -----------------------------------------------------------------------


def test_a_format_that_is_not_claimed_is_not_judged(softplus):
    record = judge(numpy_implementation(softplus, dtypes=["float32"]), clauses=CHEAP)
    assert [run.verdict for run in record.runs] == [Verdict.NOT_CLAIMED] * 2 + [Verdict.CONFORMS, Verdict.NOT_CLAIMED]
    assert [run.reason for run in record.runs if run.reason] == [
        f"it does not claim {name}" for name in ("binary16", "bfloat16", "binary64")
    ]
    assert record.runs[0].findings == ()


def test_what_cannot_be_run_here_is_not_run_and_no_pass():
    elsewhere = torch_implementation(lambda pc, *_: pc, device="cuda:99", dtypes=["bfloat16"])
    record = judge(elsewhere, dtypes=["bfloat16", "float32"], clauses=CHEAP)
    assert [run.verdict for run in record.runs] == [Verdict.NOT_RUN, Verdict.NOT_CLAIMED]
    assert record.runs[0].reason.startswith("no CUDA device")


CLAIMS = {
    "beta": ({"options": ["label_smoothing"]}, "beta"),
    "label_smoothing": ({"options": ["beta"]}, "label_smoothing"),
    "gradient": ({}, "gradients"),
    "metrics": ({}, "metrics"),
    "mean": ({}, "a mean"),
    "none": ({"reduction": "mean"}, "per-pair losses"),
}


@pytest.mark.parametrize("need", CLAIMS)
def test_a_clause_that_needs_what_is_not_claimed_is_not_claimed(judged, softplus, need):
    keywords, words = CLAIMS[need]

    def function(*arguments):
        losses = softplus(*arguments)
        return losses.mean() if keywords.get("reduction") else losses

    needing = [c for c in CLAUSES if need in c.needs]
    assert needing
    run = judged(numpy_implementation(function, **keywords), "bfloat16", clauses=[find(FIRST), *needing])
    first, *rest = run.findings
    assert first.verdict is Verdict.CONFORMS
    assert all(finding.verdict is Verdict.NOT_CLAIMED for finding in rest)
    assert all(finding.note.startswith("it does not claim ") and words in finding.note for finding in rest)
    assert run.verdict is Verdict.CONFORMS


def test_one_without_gradient_or_options_is_judged_on_what_it_claims(judged, softplus):
    run = judged(numpy_implementation(softplus, options=()), "binary32")
    assert run.verdict is Verdict.CONFORMS
    by_id = verdicts(run)
    assert by_id["GRAD-1"] is by_id["OPTION-1"] is by_id["OPTION-2"] is Verdict.NOT_CLAIMED
    assert by_id["DEF-1"] is by_id["LOSS-1"] is by_id["SPECIAL-3"] is Verdict.CONFORMS


def test_an_option_that_is_not_claimed_is_never_passed(judged, softplus):
    seen = set()

    @numpy_implementation(options=())
    def records(pc, pr, rc, rr, beta, eps):
        seen.add((beta, eps))
        return softplus(pc, pr, rc, rr, beta, eps)

    judged(records, "bfloat16")
    assert seen == {(0.1, 0.0)}


def test_where_nothing_applies_nothing_passes(judged):
    run = judged(STABLE, "bfloat16", clauses=[find("REDUCE-1")])
    assert (run.verdict, run.reason) == (Verdict.NOT_CLAIMED, "no clause applies to what it claims")


# -- what a finding is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "level", "finding", "whole"),
    [
        (Outcome(3, 0), Level.MUST, Verdict.CONFORMS, Verdict.CONFORMS),
        (Outcome(3, 1), Level.MUST, Verdict.VIOLATES, Verdict.VIOLATES),
        (Outcome(3, 1), Level.SHOULD, Verdict.VIOLATES, Verdict.CONFORMS),
        (Outcome(0, 0, not_claimed=True, note="why"), Level.MUST, Verdict.NOT_CLAIMED, Verdict.NOT_CLAIMED),
    ],
)
def test_an_outcome_becomes_a_finding_and_a_verdict(judged, outcome, level, finding, whole):
    run = judged(STABLE, "bfloat16", clauses=[clause(lambda _: outcome, level)])
    (found,) = run.findings
    assert (found.verdict, found.level, run.verdict) == (finding, level, whole)
    assert (found.points, found.violations, found.note) == (outcome.points, outcome.violations, outcome.note)


def misbehaves(_):
    raise Misbehaviour("wrong shape", "losses: shape (2,)")


def test_misbehaviour_in_one_clause_is_its_finding_and_the_next_is_tried(judged):
    clauses = [clause(misbehaves), clause(lambda _: Outcome(1, 0), identity="TEST-2")]
    bad, good = judged(STABLE, "bfloat16", clauses=clauses).findings
    assert (bad.verdict, bad.note, bad.points, bad.violations) == (Verdict.VIOLATES, "wrong shape: losses: shape (2,)", 1, 1)
    assert good.verdict is Verdict.CONFORMS


def test_who_violates_the_first_clause_is_asked_nothing_else(judged):
    calls = []

    @numpy_implementation
    def short(pc, *_):
        calls.append(len(pc))
        return pc[:1]

    run = judged(short, "bfloat16")
    first, *rest = run.findings
    assert (first.clause, first.verdict) == (FIRST, Verdict.VIOLATES)
    assert {f.verdict for f in rest} == {Verdict.NOT_RUN}
    assert all(f.note == f"it violates {FIRST}: {first.note}" for f in rest)
    assert len(rest) == len(CLAUSES) - 1
    assert len(calls) == 1
    assert run.verdict is Verdict.VIOLATES


def test_what_was_only_skipped_is_not_run():
    blank = Run("x", "", "bfloat16", "quick", Verdict.CONFORMS)
    found = [Finding(FIRST, Level.MUST, Verdict.NOT_RUN, note="it hung")]
    assert (concluded(blank, found, 1.0).verdict, concluded(blank, found, 1.0).reason) == (Verdict.NOT_RUN, "it hung")


@pytest.mark.parametrize("returned", ["None", "[0.7] * len(pc)", "pc.sum()", "pc.astype(int)", "1 / 0"])
def test_no_wrong_answer_is_an_exception(judged, returned):
    function = numpy_implementation(eval(f"lambda pc, *_: {returned}"))
    assert judged(function, "binary32").verdict is Verdict.VIOLATES


@pytest.mark.no_cover  # every clause, which other tests cover
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, -np.inf, np.nan])
def test_one_that_always_answers_the_same_is_judged_to_the_end(judged, value):
    constant = numpy_implementation(
        lambda pc, *_: np.full_like(pc, value),
        gradient=lambda pc, *_: (np.full_like(pc, value),) * 4,
        metrics=lambda *_: dict.fromkeys(("accuracy", "margin", "chosen_logratio", "rejected_logratio"), value),
    )
    run = judged(constant, "binary32")
    assert run.verdict is Verdict.VIOLATES
    assert len(run.violated) > 25
    assert Verdict.NOT_RUN not in verdicts(run).values()


# -- seeds -------------------------------------------------------------------------------------------------------------

DRAWN = [find(i) for i in (FIRST, "DEF-3", "LOSS-1", "BATCH-3", "PROPERTY-1")]


def timeless(record):
    """The record without its time fields."""
    runs = tuple(dataclasses.replace(run, seconds=0.0) for run in record.runs)
    return dataclasses.replace(record, runs=runs, created="")


@pytest.mark.parametrize("name", ["linear", "stable"])
def test_the_same_seed_makes_the_same_record_but_for_time(linear, name):
    subject = {"linear": linear, "stable": STABLE}[name]
    first, second = (judge(subject, dtypes=["bfloat16"], seed=5, clauses=DRAWN) for _ in range(2))
    assert timeless(first).to_json() == timeless(second).to_json()
    assert first.seed == 5


def test_another_seed_makes_other_inputs_and_the_same_verdicts(judged):
    seen = []

    @numpy_implementation
    def records(*arguments):
        seen[-1].append(arguments[0].tobytes())
        return STABLE(*arguments)

    runs = []
    for seed in range(4):
        seen.append([])
        runs.append(judged(records, "bfloat16", seed=seed, clauses=DRAWN))
    assert len({tuple(calls) for calls in seen}) == 4
    assert len({tuple(verdicts(run).items()) for run in runs}) == 1
    assert {run.verdict for run in runs} == {Verdict.CONFORMS}


@pytest.mark.no_cover
def test_nothing_outside_is_touched(judged, linear):
    state, rng = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    errors = np.geterr()
    judged(linear, "bfloat16")
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), rng)
    assert np.geterr() == errors


# -- progress ----------------------------------------------------------------------------------------------------------


def test_progress_tells_every_clause_before_it_is_tried():
    steps = []
    judge(STABLE, STABLE, dtypes=["bfloat16", binary32], clauses=CHEAP, progress=lambda *step: steps.append(step))
    assert [number for _, _, number, _ in steps] == list(range(16))
    assert {total for *_, total in steps} == {16}
    assert [what for _, what, _, _ in steps[:8]] == [f"{fmt} {c.id}" for fmt in ("bfloat16", "binary32") for c in CHEAP]
    assert {name for name, *_ in steps} == {"numpy"}
