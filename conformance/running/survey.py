"""What each loss of a library is: its value on six pairs, its verdict by the chapter PREF, and what `identify` says of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import cast

import numpy as np

from conformance.clauses import EVERY
from conformance.diagnosis.identification import Analyses, Match, identify
from conformance.errors import ConformanceError, Misbehaviour
from conformance.implementations import Implementation
from conformance.implementations.loading import named
from conformance.implementations.preference import KIND, PreferenceLoss
from conformance.inputs.losses import common, settings
from conformance.records.record import Level, Verdict
from conformance.running.runner import judge
from oracle import Format, binary32
from oracle.bounds.expression import running
from oracle.expressions.nodes import mean
from oracle.losses import get_loss

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Value:
    """The mean over the six pairs at a setting of the parameters; accepted: within what correct arithmetic may return.

    failed: what was raised in place of a number.
    """

    parameters: dict[str, float]
    got: float | None
    accepted: bool
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One loss of a library.

    loss: what it is claimed to be; called: the library's own name for it; setting: what the wrapper calls the collection that
    has it, `LOSSES` or one of other settings; violated, recommended: the clauses of PREF that it violates, MUST and SHOULD;
    computes: the losses, or else the known wrong variants, that fit every number that it returned; nearest: where none does,
    the one that fits most of them; until: the last clause of the chapter that it was judged by.
    """

    loss: str
    called: str
    setting: str
    format: str
    values: list[Value]
    violated: list[str]
    recommended: list[str]
    computes: list[str]
    nearest: str = ""
    until: str = ""


def survey(name: str, told: Told = lambda _: None, asked: Collection[str] = ()) -> dict[str, object]:
    """Every loss that a library's wrapper has, or those that are asked for by name or by their setting's, in binary32, or else
    in the widest format that it claims. Raises what `named` raises.
    """
    environment: dict[str, str] = {}
    analyses: dict[str, Analyses] = {}
    found = []
    for setting, losses, loss, called in ((x, y, *item) for x, y in named(name) for item in y.losses.items()):
        if asked and not {setting, loss} & set(asked):
            continue
        told(f"{name}: {loss}, there {called}")
        implementation = losses.as_loss(loss)
        environment = dict(implementation.environment)
        formats = implementation.claims.formats
        fmt = binary32 if binary32 in formats else max(formats, key=lambda fmt: fmt.precision)
        found.append(_one(implementation, loss, called, setting, fmt, analyses.setdefault(fmt.name, {})))
    return {"implementation": name, "environment": environment, "losses": [asdict(one) for one in found]}


def _one(implementation: PreferenceLoss, loss: str, called: str, setting: str, fmt: Format, analyses: Analyses) -> Surveyed:
    run = judge(
        cast("Implementation", implementation), dtypes=[fmt], clauses=[clause for clause in EVERY if clause.kind == KIND]
    ).runs[0]
    violated = [f for f in run.findings if f.verdict is Verdict.VIOLATES]
    try:
        matches = identify(implementation, fmt, analyses)
    except Misbehaviour:
        matches = []
    return Surveyed(
        loss,
        called,
        setting,
        fmt.name,
        list(_values(implementation, loss, fmt)),
        [f.clause for f in violated if f.level is Level.MUST],
        [f.clause for f in violated if f.level is not Level.MUST],
        fitting(matches),
        matches[0].candidate.loss.name if matches and matches[0].agreed else "",
        run.findings[-1].clause,
    )


def fitting(matches: list[Match]) -> list[str]:
    """The losses that fit everything, by name; where none does, the wrong variants that do."""
    fits = [match.candidate for match in matches if match.complete]
    right = [one.loss.name for one in fits if not one.wrong]
    return list(dict.fromkeys(right or [one.loss.name for one in fits]))


def _values(implementation: PreferenceLoss, name: str, fmt: Format) -> Iterator[Value]:
    loss = get_loss(name)
    for parameters in settings(loss):
        batch = common().at(**parameters).of(loss)
        try:
            answer = implementation.evaluate(batch, fmt, gradient=False)
        except Misbehaviour as error:
            yield Value(parameters, None, False, str(error))
            continue
        got = float(np.mean(answer.losses))
        analysis = running(batch.rows, {key: Fraction(x) for key, x in batch.parameters.items()}, fmt)
        rho = analysis.acceptance(mean(loss.definition)).rho(np.full(len(batch), got))
        yield Value(parameters, got, bool(rho[0] <= 1))


def main() -> None:
    """`python -m conformance.running.survey NAME [LOSS or SETTING]...`: the survey as JSON on standard output, what it is at on
    standard error.
    """
    try:
        found = survey(sys.argv[1], lambda line: print(line, file=sys.stderr, flush=True), sys.argv[2:])
    except ConformanceError as error:
        sys.exit(str(error))
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
