"""Records made by hand for the tests of the gate and of the reports: small, valid, and changed in one place at a time."""

from dataclasses import replace

from conformance.records.record import Finding, Level, Record, Run, Verdict, Worst
from conformance.reports.words import LOGPS

MACHINE = {"cpu": "A CPU", "machine": "x86_64", "system": "Linux 6.1", "python": "3.12.1"}
CLAIMS = {
    "formats": ["bfloat16", "binary32"],
    "gradient": True,
    "metrics": True,
    "options": ["beta", "label_smoothing"],
    "reduction": "none",
    "subnormals": None,
}

HOSTILE = [
    "<script>&|",
    "]]>--><!--",
    "</pre></details><h1>x",
    "`code` *bold* _it_ [a](javascript:x) ![i](x)",
    "a|b\\|c\n# d",
    "::error::x%0A,title=y",
    "\x1b[31mred\x00\x07\ud800",
    "&lt;b&gt; &#124;",
    "www.example.org @someone #1 https://example.org",
    ":smile: $x^2$ :+1:",
    "日本語 ✓",
]
"""Texts that are markup somewhere."""


def worst(ulp=3.0, rho=0.25, quantity="loss", values=(0.0, -2.5, 0.0, 0.0), got=0.25):
    """A worst point; at beta 1, as the kernel is fed."""
    given = {name: (value.hex(),) for name, value in zip(LOGPS, values, strict=True)}
    return Worst(quantity, given, (1.0).hex(), (0.0).hex(), got.hex(), "0.078888734292548", (0.0791).hex(), ulp, rho)


def finding(clause="LOSS-1", level=Level.MUST, verdict=Verdict.CONFORMS, points=1000, **keywords):
    """A finding; violated at a tenth of its numbers, where it is violated."""
    violates = verdict is Verdict.VIOLATES
    judged = violates or verdict is Verdict.CONFORMS
    keywords = {"violations": points // 10 if violates else 0, "note": "" if judged else "why", **keywords}
    point = worst(rho=1.5 if violates else 0.25) if judged else None
    return Finding(clause, level, verdict, points if judged else 0, **{"worst": point, **keywords})


def run(name="mine", fmt="bfloat16", findings=None, **keywords):
    """A run of five clauses, one of them a violated MUST and one a violated SHOULD."""
    if findings is None:
        findings = (
            finding("CALL-1"),
            finding("KERNEL-1", points=65534 if fmt == "bfloat16" else 9630, grade="within 4 ulp"),
            finding("LOSS-1"),
            finding("LOSS-2", verdict=Verdict.VIOLATES),
            finding("KERNEL-5", Level.SHOULD, Verdict.VIOLATES),
        )
    keywords = {"source": f"{name}.py:F", "profile": "quick", "verdict": Verdict.VIOLATES, **keywords}
    keywords = {"claims": CLAIMS, "environment": {"torch": "2.13.0", "device": "cpu"}, "seconds": 2.5, **keywords}
    return Run(name, format=fmt, findings=findings, **keywords)


def record(*runs, **keywords):
    """A record; of two implementations in two formats if nothing else is asked for."""
    runs = runs or tuple(run(name, fmt) for name in ("mine", "theirs") for fmt in ("bfloat16", "binary32"))
    keywords = {"suite": {"name": "dpo-conformance", "version": "0.1.0"}, "environment": MACHINE, **keywords}
    return Record(runs=runs, **{"seed": 0, "created": "2026-01-02T03:04:05+00:00", **keywords})


def changed(one, clause, which=0, **fields):
    """The record with fields of one finding of one run replaced."""
    target = one.runs[which]
    found = tuple(replace(f, **fields) if f.clause == clause else f for f in target.findings)
    return with_run(one, which, findings=found)


def with_run(one, which=0, **fields):
    """The record with fields of one run replaced."""
    runs = list(one.runs)
    runs[which] = replace(runs[which], **fields)
    return replace(one, runs=tuple(runs))


def without(one, clause, which=0):
    """The record without one clause of one run."""
    return with_run(one, which, findings=tuple(f for f in one.runs[which].findings if f.clause != clause))


def hostile(text):
    """A record in which that text stands wherever a text may stand."""
    notes = (finding("CALL-1", verdict=Verdict.NOT_RUN, note=text), finding("LOSS-1", verdict=Verdict.VIOLATES, note=text))
    found = (*notes, finding("KERNEL-5", Level.SHOULD, Verdict.VIOLATES, note=text))
    runs = [run(text, findings=found, source=f"{text}.py:F"), run(text, "binary32", (), verdict=Verdict.NOT_RUN, reason=text)]
    return record(*runs, environment={"cpu": text, "machine": text, "system": text}, created=text)
