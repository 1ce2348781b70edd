"""The terminal report: complete, literal, and reproducible from what it prints."""

import builtins
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from conformance.clauses import CLAUSES, find
from conformance.implementations import load
from conformance.records.environment import environment, suite
from conformance.records.record import Finding, Level, Record, Run, Verdict, Worst
from conformance.reports import words
from conformance.reports.terminal import render
from conformance.reports.words import LOGPS, SHOWN_PAIRS, figure, inputs, remedy, snippet

TEXT = """
import numpy as np
from conformance.implementations import numpy_implementation

def gradient(pc, pr, rc, rr, beta, eps):
    slope = pc.dtype.type(-beta) * (((pc - rc) - (pr - rr)) < 0)
    return slope, -slope, -slope, slope

@numpy_implementation(gradient=gradient)
def F(pc, pr, rc, rr, beta, eps):
    return np.maximum(-pc.dtype.type(beta) * ((pc - rc) - (pr - rr)), pc.dtype.type(0))
"""


@pytest.fixture(scope="module")
def run(judged, tmp_path_factory):
    """A piecewise linear loss in binary32, named by its file: wrong in many clauses."""
    path = tmp_path_factory.mktemp('it\'s "mine"') / "file.py"
    path.write_text(TEXT, encoding="utf-8")
    source = f"{path}:F"
    return judged(load(source), "binary32", source=source)


def record_of(*runs):
    return Record(suite(), environment(), 3, runs)


def rendered(record, width=120, **keywords):
    out = io.StringIO()
    full = keywords.pop("full", False)
    render(record, Console(file=out, width=width, highlight=False, **keywords), full=full)
    return out.getvalue()


def synthetic(name="mine", note="", worst=None, **keywords):
    finding = Finding("KERNEL-1", Level.MUST, Verdict.VIOLATES, 5, 2, worst or point(), note=note)
    return Run(name, keywords.pop("source", ""), "bfloat16", "quick", Verdict.VIOLATES, findings=(finding,), **keywords)


def point(values=(0.0, -2.5, 0.0, 0.0), beta=1.0, eps=0.0, got=0.25, n=1, ulp=12.345, rho=1.5431):
    given = {name: (value.hex(),) * n for name, value in zip(LOGPS, values, strict=True)}
    return Worst("loss", given, beta.hex(), eps.hex(), got.hex(), "0.078888734292548", (0.0791).hex(), ulp, rho)


# -- what is told ------------------------------------------------------------------------------------------------------


def violations(run):
    return [finding for finding in run.findings if finding.verdict is Verdict.VIOLATES]


def without_kernel(run):
    """The run without its findings of the kernel: then each of the others stands for itself."""
    return replace(run, findings=tuple(finding for finding in run.findings if not finding.clause.startswith("KERNEL-")))


def sections_of(text):
    """The violations told, by clause in the order of telling; and what stands after the last."""
    *told, last = re.split(r"\n\n(?=[A-Z]+-\d+ (?:MUST|SHOULD) )", text)[1:]
    last, _, end = last.partition("\n\n")
    return {section.split()[0]: section for section in (*told, last)}, end


def test_the_cause_comes_first_and_the_evidence_in_a_line_each(run):
    text = rendered(record_of(run), 80)
    assert text.count("to see it again:") == 1
    why, evidence = text.split("the evidence, by clause")
    assert "F: " in why
    assert "what mends it:" in why
    clauses = [finding.clause for finding in violations(run) if finding.level is Level.MUST]
    assert [line.split()[0] for line in evidence.splitlines()[1:] if re.match(r"  [A-Z]+-\d+ MUST: ", line)] == clauses[:18]
    assert f"and {len(violations(run)) - 18} clauses more" in evidence
    assert f"F violates {len(clauses)} MUSTs in binary32: {clauses[0]}" in " ".join(evidence.split())
    assert len(text.splitlines()) <= 80


def test_every_violation_is_told_in_full_where_that_is_asked_for(run):
    told, _ = sections_of(rendered(record_of(run), 200, full=True))
    ordered = sorted(violations(run), key=lambda finding: finding.level is not Level.MUST)
    assert list(told) == [finding.clause for finding in ordered]
    for finding in ordered:
        clause, section = find(finding.clause), told[finding.clause]
        assert f"{clause.title}: F in binary32 violates it at {finding.violations:,} of {finding.points:,} numbers" in section
        assert finding.note in section
        assert finding.worst is None or (finding.worst.got in section and finding.worst.exact in section)


def test_what_stands_for_itself_is_told_in_full(run):
    told, _ = sections_of(rendered(record_of(without_kernel(run)), 200, full=True))
    for finding in violations(run):
        if finding.clause.startswith("KERNEL-") or finding.level is Level.SHOULD:
            continue
        section = told[finding.clause]
        joined = " ".join(section.split())
        assert find(finding.clause).statement in joined
        assert remedy(without_kernel(run), finding) in joined
        assert f"dpo-conformance explain {finding.clause}" in section
        if finding.worst is not None:
            worst = finding.worst
            shown = [worst.inputs[name][0] for name in LOGPS] + [worst.beta, worst.label_smoothing, worst.got]
            for number in shown:
                assert number in section, "hexadecimal"
                assert repr(float.fromhex(number)) in section, "decimal"
            for said in (worst.quantity, worst.exact, f"rounds to {worst.rounded}", f"{figure(worst.ulp)} ulp"):
                assert said in section


def test_the_matrix_has_a_row_for_every_run(run):
    skipped = Run("torch-cuda", "torch-cuda", "binary64", "quick", Verdict.NOT_RUN, "no CUDA device")
    text = rendered(record_of(run, skipped), 160)
    (row,) = [line for line in text.splitlines() if line.split()[:2] == ["F", "binary32"]]
    by_id = {finding.clause: finding for finding in run.findings}
    for part in ("violates", figure(by_id["KERNEL-1"].worst.ulp), figure(by_id["KERNEL-2"].worst.ulp), figure(run.worst.rho)):
        assert part in row
    (row,) = [line for line in text.splitlines() if line.split()[:1] == ["torch-cuda"]]
    assert "not run" in row
    assert "no CUDA device" in row
    assert re.search(r"2 runs: 1 violates, 1 not run, by \d+ clauses, \d+ not claimed\. Profile quick, seed 3, suite ", text)


def test_every_clause_has_its_largest_rho_where_it_is_asked_for(run):
    other = replace(run, format="binary16", findings=run.findings[:3])
    assert "the largest ρ of each clause" not in rendered(record_of(run, other), 120)
    out = io.StringIO()
    render(record_of(run, other), Console(file=out, width=120, highlight=False), every_clause=True)
    _, _, table = out.getvalue().partition("F: the largest ρ of each clause")
    rows = {line.split()[0]: line.split() for line in table.splitlines() if re.match(r" [A-Z]+-\d+ +(MUST|SHOULD)", line)}
    for finding in run.findings:
        told = figure(finding.worst.rho) if finding.worst is not None else str(finding.verdict)
        assert " ".join(rows[finding.clause][2:]).startswith(told)
        twice = any(early.clause == finding.clause for early in run.findings[:3])
        assert " ".join(rows[finding.clause][2:]) == (f"{told} {told}" if twice else told)


def test_what_conforms_is_one_row_and_no_more():
    conforms = Run("mine", "", "binary16", "quick", Verdict.CONFORMS, findings=(
        Finding("KERNEL-1", Level.MUST, Verdict.CONFORMS, 5, 0, point(ulp=0.7, rho=0.09)),
    ))  # fmt: skip
    text = rendered(record_of(conforms))
    assert "conforms" in text
    assert "0.7" in text
    assert "KERNEL-1" not in text


def test_a_record_of_nothing_is_told_too():
    assert "Nothing is judged" in rendered(record_of())


@pytest.mark.parametrize(
    ("worst", "short"),
    [
        (point(), "z = 2.5"),
        (point((-3.0, 0.0, 0.0, 0.0)), "z = -3"),
        (point((-3.0, 0.0, 0.0, 0.0), eps=0.1), "z = -3 ε 0.1"),
        (point((-3.0, -1.0, 0.0, 0.0)), "(-3, -1, 0, 0) β 1"),
        (point((-3.0, -1.0, -2.0, -4.0), beta=0.1, eps=0.3), "(-3, -1, -2, -4) β 0.1 ε 0.3"),
        (point((-math.inf, -1.0, math.nan, -4.0), beta=0.1), "(-inf, -1, nan, -4) β 0.1"),
        (point(n=7), "a batch of 7 pairs"),
    ],
)
def test_an_input_in_short(worst, short):
    assert inputs(worst) == short


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.5431, "1.54"), (123456.0, "1.23e+05"), (math.inf, "∞"), (math.nan, "∞")]
)
def test_a_figure_has_three_digits(value, text):
    assert figure(value) == text


def test_a_long_batch_is_cut_and_says_so():
    text = "\n".join(words.details(point(n=20)))
    assert text.count((-2.5).hex()) == SHOWN_PAIRS
    assert "... 20 in all" in text


# -- what can be pasted ------------------------------------------------------------------------------------------------


def code_of(run, worst):
    """The snippet as it stands in the report, indented."""
    return "".join(f"    {line}\n" for line in snippet(run, worst))


def executed(code, monkeypatch, **names):
    """What the snippet prints, as objects."""
    printed = {}
    monkeypatch.setattr(builtins, "print", lambda label, *objects: printed.update({label.strip(): objects}))
    exec(compile("if True:\n" + code, "snippet", "exec"), names)
    monkeypatch.undo()
    return printed["got"], printed["exact"]


MEAN = """
import numpy as np
from conformance.implementations import numpy_implementation

def gradient(pc, pr, rc, rr, beta, eps):
    slope = pc.dtype.type(-beta) * (((pc - rc) - (pr - rr)) < 0)
    return slope, -slope, -slope, slope

def metrics(pc, pr, rc, rr, beta, eps):
    return {"accuracy": 0.75, "margin": 5.5, "chosen_logratio": 1.0, "rejected_logratio": -1.0}

@numpy_implementation(gradient=gradient, reduction="mean", metrics=metrics)
def F(pc, pr, rc, rr, beta, eps):
    return np.abs(pc.dtype.type(beta) * ((pc - rc) - (pr - rr))).sum()
"""


@pytest.fixture(scope="module")
def mean_run(judged, tmp_path_factory):
    """A sum for a mean, derivatives of something else, and constants for metrics: every quantity of a whole batch."""
    path = tmp_path_factory.mktemp("mean") / "mean.py"
    path.write_text(MEAN, encoding="utf-8")
    clauses = [find(name) for name in ("DEF-6", "REDUCE-1", "REDUCE-2", "METRIC-1", "METRIC-2")]
    return judged(load(f"{path}:F"), "binary32", source=f"{path}:F", clauses=clauses)


def told_again(worst, got, exact):
    """What a snippet printed for that quantity: the number that was got, and the exact one."""
    if ", " in worst.quantity:
        return got[0], exact[0]
    if worst.quantity == "loss":
        return got[0].losses[0], exact[0]
    if worst.quantity.startswith("d loss / d "):
        place = LOGPS.index(worst.quantity.removeprefix("d loss / d "))
        return got[0].gradient[place][0], exact[1].by_logps[place]
    return got[0].losses if worst.quantity == "mean loss" else got[0], exact[0]


@pytest.mark.parametrize("which", ["run", "mean_run"])
def test_every_snippet_shows_the_same_numbers_again(which, request, monkeypatch):
    run = request.getfixturevalue(which)
    text = rendered(record_of(run, without_kernel(run)), 60, full=True)
    quantities = set()
    for finding in violations(run):
        worst = finding.worst
        if finding.level is not Level.MUST or worst is None:
            continue
        quantities.add(worst.quantity)
        code = code_of(run, worst)
        assert code in text
        shown, true = told_again(worst, *executed(code, monkeypatch))
        assert float(np.ravel(shown)[0]).hex() == worst.got
        assert true.digits(20) == worst.exact
    kinds = {re.sub(r" / d .*|metric .*|, .*", "", quantity) for quantity in quantities}
    assert kinds >= ({"loss", "d loss"} if which == "run" else {"mean loss", "d mean loss", ""})
    if which == "mean_run":
        assert "loss(z) - loss(-z)" in kinds


BACKWARD = """
import torch
from conformance.implementations import torch_implementation

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.nn.functional.softplus(-z)

    @staticmethod
    def backward(ctx, upstream):
        return -torch.sigmoid(-ctx.saved_tensors[0]) {scaled}

def F(pc, pr, rc, rr, beta, label_smoothing):
    if pc.requires_grad and not rc.requires_grad:
        pc = pc.detach()
    losses = Wrong.apply(beta * ((pc - rc) - (pr - rr)))
    return losses{reduced}

F = torch_implementation(F, options=("beta",), reduction="{reduction}")
"""


@pytest.mark.parametrize(("reduction", "scaled", "reduced"), [("none", "", ""), ("mean", "/ len(upstream)", ".mean()")])
def test_the_snippet_of_a_weight_and_of_a_reference_without_derivatives(judged, file, monkeypatch, reduction, scaled, reduced):
    """A backward pass that leaves the incoming derivative out, and one that needs the reference's."""
    source = file(BACKWARD.format(reduction=reduction, scaled=scaled, reduced=reduced))
    run = judged(load(source), "binary32", source=source, clauses=[find("GRAD-6"), find("GRAD-7")])
    weighed, alone = violations(run)
    (got,), (exact,) = executed(code_of(run, weighed.worst), monkeypatch)
    assert weighed.worst.got in {float(x).hex() for x in got}
    assert exact.digits(20) == weighed.worst.exact
    (answer,), (_, gradient) = executed(code_of(run, alone.worst), monkeypatch)
    place = LOGPS.index(alone.worst.quantity.removeprefix("d loss / d ").partition(",")[0])
    assert answer.gradient[place] is None
    assert gradient.by_logps[place].digits(20) == alone.worst.exact


TRAINED = """
import torch
from conformance.implementations import torch_implementation

class Wrong(torch.autograd.Function):
    kept = None

    @staticmethod
    def forward(ctx, z):
        Wrong.kept, ctx.slope = z, -torch.sigmoid(-z)
        return torch.nn.functional.softplus(-z)

    @staticmethod
    def backward(ctx, upstream):
        return {backward}

def F(pc, pr, rc, rr, beta, label_smoothing):
    if pc.stride() == (0,) or torch.is_inference_mode_enabled():
        beta = 3 * beta
    losses = Wrong.apply(beta * ((pc - rc) - (pr - rr)))
    return losses{reduced}

F = torch_implementation(F, options=("beta",), reduction="{reduction}")
"""
BACKWARDS = {
    "upstream.clamp(-1, 1) * ctx.slope": {"AUTOGRAD-1", "AUTOGRAD-2", "AUTOGRAD-3", "AUTOGRAD-6"},
    "torch.where(upstream == 0, 1, upstream) * ctx.slope": {"AUTOGRAD-1"},
    "ctx.slope.mul_(upstream)": {"AUTOGRAD-4"},
    "upstream * -torch.sigmoid(-Wrong.kept)": {"AUTOGRAD-3"},
}


@pytest.mark.parametrize(("reduction", "reduced"), [("none", ""), ("mean", ".mean()")])
@pytest.mark.parametrize("backward", BACKWARDS)
def test_the_snippets_of_the_ways_to_call_show_the_same_numbers_again(judged, file, monkeypatch, reduction, reduced, backward):
    """Mutants of what a training step does: each finding's number is among those that its snippet prints."""
    source = file(TRAINED.format(reduction=reduction, backward=backward, reduced=reduced))
    chapters = {"AUTOGRAD", "LAYOUT"}
    clauses = [clause for clause in CLAUSES if clause.chapter in chapters and clause.id != "LAYOUT-3"]
    found = violations(judged(load(source), "binary32", source=source, clauses=clauses))
    assert {finding.clause for finding in found} >= BACKWARDS[backward] | {"AUTOGRAD-9"}
    for finding in found:
        (got,), (exact,) = executed(code_of(judged_run(finding, source, reduction), finding.worst), monkeypatch)
        assert exact.digits(20) == finding.worst.exact
        told = float.fromhex(finding.worst.got)  # vector loops differ in the last bit
        assert np.isclose(np.ravel(got), told, rtol=2.0**-22, atol=0, equal_nan=True).any(), finding.worst.quantity


def judged_run(finding, source, reduction):
    """A run of which a snippet is made: its source, its format and its reduction."""
    return Run("F", source, "binary32", "quick", Verdict.VIOLATES, findings=(finding,), claims={"reduction": reduction})


@pytest.mark.parametrize("values", [(-math.inf, math.nan, -0.0, -5e-324), (-1.5, -2.0, -3.0, -4.0)])
@pytest.mark.parametrize("n", [1, 3])
def test_a_snippet_of_any_numbers_is_python(monkeypatch, values, n):
    code = code_of(synthetic(source="numpy"), point(values, beta=0.1, eps=0.3, n=n))
    code = code.replace("bfloat16", "float64")
    (answer,), _ = executed(code, monkeypatch)
    assert len(answer.losses) == n


def test_a_snippet_of_an_object_leaves_the_implementation_to_be_named(run, monkeypatch):
    nameless = synthetic(source="")
    code = code_of(nameless, point())
    with pytest.raises(NameError, match="implementation"):
        executed(code, monkeypatch)
    assert executed(code, monkeypatch, implementation="numpy")[0][0].losses.shape == (1,)


# -- how it looks ------------------------------------------------------------------------------------------------------


def test_without_a_cause_the_kernel_is_shown_and_not_what_follows_from_it():
    kernel, shown = synthetic(), rendered(record_of(synthetic()))
    called = replace(kernel.findings[0], clause="CALL-6")
    both = rendered(record_of(replace(kernel, findings=(called, *kernel.findings))))
    assert "KERNEL-1 MUST value of the kernel: mine" in both and "CALL-6 MUST called again: mine" not in both
    assert "CALL-6 MUST called again: mine" in rendered(record_of(replace(kernel, findings=(called,))))
    assert shown.count("what usually mends it") == both.count("what usually mends it") == 1


@pytest.mark.parametrize("width", [60, 76, 80, 90, 100])
def test_where_there_is_little_room_no_word_of_the_table_and_no_count_is_cut(run, width):
    declined = Run("a name of some length", "", "binary16", "quick", Verdict.NOT_CLAIMED, "it does not claim binary16")
    shown = rendered(record_of(declined, replace(run, implementation=declined.implementation)), width)
    table, _, evidence = shown.partition("the evidence, by clause")
    assert {"input", "claim", "binary16", "pr,", "ε"} <= set(table.split())
    told = re.findall(r"^  [A-Z]+-\d+ (?:MUST|SHOULD): .*$", evidence, re.M)
    assert len(told) > 10 and all(re.search(r", [\d,]+ of [\d,]+$", line) for line in told)


ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_without_colours_there_is_plain_text_of_any_width(run, width):
    text = rendered(record_of(run), width, full=True)
    assert "\x1b" not in text
    assert not re.search(r"\[/?(bold|dim|red|green|yellow)", text)
    table = text.split("to see it again:")[0]
    assert all(len(line) <= width for line in table.splitlines())
    for line in snippet(run, next(finding.worst for finding in violations(run) if finding.clause == "KERNEL-1")):
        assert line in text


@pytest.mark.parametrize("width", [60, 200])
def test_colours_change_no_letter(run, width):
    plain = rendered(record_of(run), width)
    coloured = rendered(record_of(run), width, force_terminal=True, color_system="truecolor", legacy_windows=False)
    assert "\x1b" in coloured
    assert [line.rstrip() for line in ESCAPE.sub("", coloured).splitlines()] == [line.rstrip() for line in plain.splitlines()]


@pytest.mark.parametrize("name", ["[bold]x", "<script>", "[/red]", "a\\[b]", ":smile:", "[link=x]y"])
def test_names_notes_and_reasons_are_shown_literally(name):
    runs = [synthetic(name, note=f"it said {name}"), Run(name, "", "binary16", "quick", Verdict.NOT_RUN, f"no {name} here")]
    text = rendered(record_of(*runs))
    assert f"{name} in bfloat16 violates it" in text
    assert f"it said {name}" in text
    assert f"no {name} here" in text
    assert any(line.strip().startswith(name) for line in text.split("KERNEL-1")[0].splitlines())


def test_what_the_suite_no_longer_has_is_told_without_its_statement():
    finding = Finding("OLD-7", Level.MUST, Verdict.VIOLATES, 5, 2, point())
    text = rendered(record_of(Run("mine", "", "bfloat16", "quick", Verdict.VIOLATES, findings=(finding,))))
    assert "OLD-7 MUST" in text


def test_two_implementations_of_one_name_are_told_apart():
    text = rendered(record_of(synthetic("mine", source="a.py:mine"), synthetic("mine", source="b.py:mine")))
    matrix = text.split("KERNEL-1")[0]
    assert ["a.py" in matrix, "b.py" in matrix, matrix.count("(")] == [True, True, 3], "and one in the head of the worst input"
