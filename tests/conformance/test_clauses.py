"""Every clause is a well-formed requirement, and its finding depends on the trial alone."""

import re

import numpy as np
import pytest

from conformance.clauses import CLAUSES, accepted, find, kernel
from conformance.clauses.model import NEEDS, Chapter
from conformance.clauses.registry import CHAPTERS
from conformance.clauses.trial import Trial
from conformance.errors import BadRequest
from conformance.implementations import numpy_implementation
from conformance.implementations.numpy import STABLE
from conformance.records.record import Level, Verdict, plain
from conformance.running.trying import check
from oracle import bfloat16, binary32, bounds

each = pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)


# -- what a clause says ------------------------------------------------------------------------------------------------


def test_ids_are_unique_and_numbered_without_a_gap():
    assert len({clause.id for clause in CLAUSES}) == len(CLAUSES)
    for chapter in CHAPTERS:
        assert [clause.id for clause in chapter.clauses] == [f"{chapter.name}-{n + 1}" for n in range(len(chapter.clauses))]
    assert len({chapter.name for chapter in CHAPTERS}) == len(CHAPTERS)


@each
def test_a_clause_reads_like_a_standard(clause):
    assert re.fullmatch(r"[A-Z]+-[1-9][0-9]*", clause.id)
    assert clause.chapter == clause.id.partition("-")[0]
    assert clause.title
    assert clause.title == clause.title.strip().rstrip(".")
    assert re.fullmatch(r"[A-Z].*[^.]\.", clause.statement)
    assert not re.search(r"\. [A-Z]", clause.statement), "one sentence"
    assert (" shall " in clause.statement) == (clause.level is Level.MUST)
    assert (" should " in clause.statement) == (clause.level is Level.SHOULD)
    assert "  " not in clause.statement + clause.derivation


@each
def test_a_clause_is_derived_and_linked(clause):
    assert len(clause.derivation) > 20
    assert clause.derivation.endswith(".")
    assert all(re.fullmatch(r"https://[^\s]+[^\s/.,)]", link) for link in clause.guards)
    assert len(set(clause.guards)) == len(clause.guards)
    assert len(set(clause.kills)) == len(clause.kills)
    assert clause.check.__doc__


@each
def test_a_clause_needs_only_what_can_be_claimed(clause):
    assert clause.needs <= NEEDS
    assert not {"none", "mean"} <= clause.needs


@each
def test_a_clause_is_found_by_its_id_in_any_case(clause):
    assert find(clause.id) is find(clause.id.lower()) is clause


def test_a_clause_that_does_not_exist_lists_those_of_its_chapter():
    with pytest.raises(BadRequest) as error:
        find("KERNEL-99")
    assert "'KERNEL-99'" in str(error.value)
    assert all((clause.id in str(error.value)) == clause.id.startswith("KERNEL-") for clause in CLAUSES)


@pytest.mark.parametrize(("number", "needs"), [(1, ()), (2, ("gamma",))])
def test_a_number_that_is_taken_or_a_need_that_nobody_can_claim_is_refused(number, needs):
    chapter = Chapter("TEST")
    chapter.clause(1, Level.MUST, "a", statement="b", derivation="c")(lambda trial: None)
    with pytest.raises(ValueError, match=f"TEST-{number}"):
        chapter.clause(number, Level.MUST, "a", statement="b", derivation="c", needs=needs)


# -- empty batches -----------------------------------------------------------------------------------------------------


def without_empty(pc, pr, rc, rr, beta, eps):
    """Right, and it raises for a batch of no pairs."""
    if not len(pc):
        raise ValueError("no pairs")
    return STABLE(pc, pr, rc, rr, beta, eps)


@pytest.mark.parametrize("drop", [False, True], ids=["as they come", "every pair overflows"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_no_clause_but_one_sends_an_empty_batch(judged, monkeypatch, reduction, drop):
    """Not even where every pair of its inputs would overflow: it says so."""
    plain = without_empty if reduction == "none" else lambda *given: without_empty(*given).mean(dtype=given[0].dtype)
    clauses = CLAUSES
    if drop:
        monkeypatch.setattr(bounds, "representable", lambda pairs, fmt: np.zeros(len(pairs.policy_chosen_logps), dtype=bool))
        clauses = [clause for clause in CLAUSES if clause.chapter != "BATCH"]  # whose pool is of short responses
    run = judged(numpy_implementation(plain, reduction=reduction), "binary16", clauses=clauses)
    assert [f.clause for f in run.findings if "no pairs" in f.note] == (["CALL-5"] if reduction == "none" else [])
    idle = [finding for finding in run.findings if "can be judged in binary16" in finding.note]
    assert {f.verdict for f in idle} <= {Verdict.NOT_CLAIMED}
    assert {"EXTREME-1", "PROPERTY-1"} <= {f.clause for f in idle} or not drop


# -- what a check finds depends on the trial alone ---------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    forget(monkeypatch)


def forget(monkeypatch):
    for kept in ("_INTERVALS", "_JUDGED"):
        monkeypatch.setattr(accepted, kept, accepted._Kept())
    if hasattr(kernel, "_answered"):
        kernel._answered.cache_clear()


def sloppy(pc, pr, rc, rr, beta, eps):
    """The naive loss without smoothing: wrong in many clauses."""
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    return -np.log(1 / (1 + np.exp(-z)))


SUBJECTS = {
    "right": STABLE,
    "wrong": numpy_implementation(sloppy, gradient=lambda pc, *rest: tuple(sloppy(pc, *rest) for _ in range(4))),
}
subjects = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


def found(run):
    return {finding.clause: plain(finding) for finding in run.findings}


@pytest.fixture(scope="module")
def forwards(judged):
    return {name: found(judged(subject, "binary32")) for name, subject in SUBJECTS.items()}


def test_the_subjects_are_right_and_wrong(forwards):
    violated = {name: [f for f in found.values() if f["verdict"] == "violates"] for name, found in forwards.items()}
    assert all(finding["level"] == "SHOULD" for finding in violated["right"])
    violated = violated["wrong"]
    assert len(violated) > 20
    assert sum(finding["worst"] is not None for finding in violated) > 20


def test_an_ignored_option_is_named_where_it_looks_like_state(judged):
    ignoring = numpy_implementation(lambda *given: STABLE(*given[:5], 0.0))
    (finding,) = judged(ignoring, "binary32", clauses=[find("CALL-6")]).findings
    expected = "the wrong answers are exactly those of: label_smoothing ignored: from the start, or since an earlier call"
    assert (finding.verdict, finding.note) == (Verdict.VIOLATES, expected)


def refusing(pc, pr, rc, rr, beta, eps):
    """Right, and it raises where an input is not finite."""
    if not all(np.isfinite(x).all() for x in (pc, pr, rc, rr)):
        raise ValueError("log-probabilities are finite")
    return STABLE(pc, pr, rc, rr, beta, eps)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_refusal_of_what_is_not_finite_violates_no_must(judged, reduction):
    plain = refusing if reduction == "none" else lambda *given: refusing(*given).mean(dtype=given[0].dtype)
    run = judged(numpy_implementation(plain, reduction=reduction), "binary32")
    assert [finding.clause for finding in run.violated] == []
    refused = {finding.clause for finding in run.findings if "log-probabilities are finite" in finding.note}
    assert refused == {"SPECIAL-1", "SPECIAL-2", "SPECIAL-3", "SPECIAL-4", "SPECIAL-7", "SPECIAL-9"} | (
        {"REDUCE-3", "REDUCE-6", "REDUCE-9"} if reduction == "mean" else set()
    )
    assert {f.verdict for f in run.findings if f.clause in refused} == {Verdict.NOT_CLAIMED}


def test_one_that_is_wrong_now_and_then_is_told_so(small):
    calls = iter(range(10**9))

    def wrong_once(*given):
        losses = STABLE(*given)
        return losses + 1 if next(calls) == 0 else losses

    trial = Trial(numpy_implementation(wrong_once, options=("beta",)), binary32, small, 0)  # no call whether it refuses
    finding = check(find("PROPERTY-1"), trial)
    assert (finding.verdict, finding.note) == (Verdict.VIOLATES, "it did not give the same answer twice")


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SUBJECTS)
def test_findings_are_the_same_in_the_reverse_order(judged, forwards, name):
    assert found(judged(SUBJECTS[name], "binary32", clauses=CLAUSES[::-1])) == forwards[name]


@pytest.mark.no_cover  # the clauses in reverse order are counted
@pytest.mark.parametrize("name", SUBJECTS)
def test_findings_are_the_same_for_each_clause_alone(small, forwards, name, monkeypatch):
    for clause in CLAUSES:
        forget(monkeypatch)
        assert plain(check(clause, Trial(SUBJECTS[name], binary32, small, 0))) == forwards[name][clause.id]


@pytest.mark.no_cover  # the same clauses once more
def test_findings_do_not_depend_on_who_was_judged_before(judged, forwards):
    clauses = [clause for clause in CLAUSES if clause.chapter not in {"PROPERTY", "BATCH"}]
    for name in ("right", "wrong", "right"):
        again = found(judged(SUBJECTS[name], "binary32", clauses=clauses))
        assert again == {clause.id: forwards[name][clause.id] for clause in clauses}


@pytest.mark.parametrize("block", [1 << 20, 1000, 999])
def test_kernel_findings_do_not_depend_on_the_chunking(linear, small, monkeypatch, block):
    usual = {c.id: plain(check(c, Trial(linear, bfloat16, small, 0))) for c in (find("KERNEL-1"), find("KERNEL-5"))}
    forget(monkeypatch)
    monkeypatch.setattr(kernel, "BLOCK", block)
    assert {c: plain(check(find(c), Trial(linear, bfloat16, small, 0))) for c in usual} == usual
    assert usual["KERNEL-1"]["violations"] > 1000


def test_a_generator_belongs_to_a_clause_a_format_and_a_seed(small):
    draws = {
        (clause, fmt.name, seed): Trial(STABLE, fmt, small, seed).rng(clause).integers(2**60)
        for clause in ("LOSS-1", "LOSS-2")
        for fmt in (bfloat16, binary32)
        for seed in (0, 1, 2**63 - 1)
    }
    assert len(set(draws.values())) == len(draws) == 12
    assert Trial(STABLE, bfloat16, small, 0).rng("LOSS-1").integers(2**60) == draws["LOSS-1", "bfloat16", 0]


@pytest.mark.parametrize("count", [1, 3])
def test_kept_intervals_change_no_finding(linear, small, monkeypatch, count):
    monkeypatch.setattr(accepted, "_MOST_PAIRS", count)
    tight = plain(check(find("LOSS-1"), Trial(linear, bfloat16, small, 0)))
    monkeypatch.setattr(accepted, "_MOST_PAIRS", 2**21)
    forget(monkeypatch)
    assert plain(check(find("LOSS-1"), Trial(linear, bfloat16, small, 0))) == tight
    assert tight["verdict"] == Verdict.VIOLATES


def test_intervals_are_kept_apart_by_format_flush_options_and_inputs(small):
    from conformance.inputs.pairs import golden  # noqa: PLC0415

    flushing = numpy_implementation(sloppy, subnormals="flush")
    trials = [Trial(STABLE, bfloat16, small, 0), Trial(STABLE, binary32, small, 0), Trial(flushing, bfloat16, small, 0)]
    batches = [golden(), golden().at(beta=0.2), golden().at(label_smoothing=0.1), golden().take([1, 0, 2])]
    kept = [
        get(trial, batch)
        for trial in trials
        for batch in batches
        for get in (accepted.accepted_losses, accepted.accepted_gradients)
    ]
    assert len({id(interval) for interval in kept}) == len(trials) * len(batches) * 2
    assert accepted.accepted_losses(trials[0], golden()) is kept[0]
