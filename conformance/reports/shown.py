"""The smallest input that shows a fault, and Python that shows it again."""

from __future__ import annotations

from conformance.records.diagnosis import Shown
from conformance.records.record import Run
from conformance.reports.metric_code import exact_metric
from conformance.reports.words import LOGPS, code_list, code_number, decimal, of_named, visible

SHOWN_PAIRS = 4


def input_lines(shown: Shown) -> list[str]:
    """What was put in, what came out, and what is exact."""
    call = shown.call
    lines = []
    for name, given in call.inputs.items():
        values = [decimal(value) for value in given]
        told = ", ".join(values[:SHOWN_PAIRS]) + (", ..." if len(values) > SHOWN_PAIRS or call.pairs > len(values) else "")
        lines.append(f"{name:<22}{told}")
    options = call.parameters if call.named else {"beta": call.beta, "label_smoothing": call.label_smoothing}
    told = ", ".join(f"{name} {decimal(value)}" for name, value in options.items())
    lines += [f"{told}{_asked(shown)}"] if told else []
    if call.parts:
        lines.append(f"in parts of {', '.join(map(str, call.parts))} pairs" if len(call.parts) > 1 else "in one part")
    whole = shown.quantity.startswith(("mean", "d mean", "metric"))
    at = f" of pair {shown.place + 1:,}" if call.pairs > 1 and not whole else ""
    got = "none: there is no gradient" if not shown.got else decimal(shown.got)
    return [*map(visible, lines), f"{shown.quantity}{at}: got {got}, exact {shown.exact}"]


def snippet(run: Run, shown: Shown) -> list[str]:
    """Python that asks the same again, and prints what is exact beside it."""
    if shown.call.named:
        return of_named(run, shown.call.inputs, shown.call.parameters, shown.quantity)
    return _of_step(run, shown) if shown.call.parts else _of_pairs(run, shown)


def _of_step(run: Run, shown: Shown) -> list[str]:
    call = shown.call
    place = (sum(call.parts[:1]) == 0) * 0 + shown.place
    if shown.quantity.startswith("metric "):
        name = shown.quantity.removeprefix("metric ")
        got, exact = f'metrics["{name}"]', exact_metric(name)
    elif shown.quantity == "mean loss":
        got, exact = "loss", "oracle.mean(oracle.loss(*pairs, **options))"
    else:
        got, exact = f"gradient[0][{place}]", f"oracle.gradient(*pairs, **options).by_logps[0][{place}] / {call.pairs}"
    return [
        "import oracle",
        "from conformance import evaluate_step",
        *_given(run, shown),
        f'answer = evaluate_step(implementation, "{run.format}", *pairs, **options, parts={list(call.parts)})',
        f'print("got  ", answer.{got})',
        f'print("exact", {exact})',
    ]


def _given(run: Run, shown: Shown) -> list[str]:
    call = shown.call
    values = ", ".join(f"[{', '.join(code_number(x) for x in call.inputs[name])}]" for name in LOGPS)
    return [
        f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged",
        f"pairs = [{values}]",
        f"options = dict(beta={code_number(call.beta)}, label_smoothing={code_number(call.label_smoothing)})",
    ]


def _of_pairs(run: Run, shown: Shown) -> list[str]:
    call = shown.call
    values = ", ".join(code_list(call.inputs[name]) for name in LOGPS)
    lines = ["import oracle", "from conformance import evaluate"]
    repeated = call.pairs > len(call.inputs[LOGPS[0]])
    if repeated:
        lines.insert(0, "import numpy as np")
    lines.append(f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged")
    lines.append(f"pairs = [{values}]")
    if repeated:
        lines.append(f"pairs = [np.resize(x, {call.pairs}) for x in pairs]")
    lines.append(f"options = dict(beta={code_number(call.beta)}, label_smoothing={code_number(call.label_smoothing)})")
    how, over = "", ""
    if call.how == "weighed":
        lines.append(f"weights = ([4.0, 0.5, -2.0, 8.0, 2.0] * {call.pairs})[:{call.pairs}]")
        how, over = ", weights=weights", " / weights"
    elif call.how == "policy alone":
        how = ", policy_alone=True"
    elif call.how in {"strided", "losses alone"}:
        how = f", {call.how.replace(' ', '_')}=True"
    answer = f'evaluate(implementation, "{run.format}", *pairs, **options{how})'
    place = f"[{shown.place}]" if call.pairs > 1 else ""
    if shown.quantity in {"loss", "mean loss"}:
        exact = "oracle.loss(*pairs, **options)"
        got, exact = (
            (f"{answer}.losses", f"oracle.mean({exact})")
            if shown.quantity == "mean loss"
            else (f"{answer}.losses{place}", f"{exact}{place}")
        )
    else:
        of = LOGPS.index(shown.quantity.rpartition(" ")[2])
        share = f" / {call.pairs}" if shown.quantity.startswith("d mean") else ""
        got, exact = f"({answer}.gradient[{of}]{over})", f"oracle.gradient(*pairs, **options).by_logps[{of}]{place}{share}"
        got = (
            f"{answer}.gradient[{of}]"
            if not shown.got
            else f"{got}{place or '[0]'}"
            if over or place
            else f"{answer}.gradient[{of}]"
        )
    return [*lines, f'print("got  ", {got})', f'print("exact", {exact})']


def _asked(shown: Shown) -> str:
    return {
        "strided": ", as strided views",
        "weighed": ", each loss with a weight of its own, the derivatives divided by it",
        "policy alone": ", no derivative asked for in the reference",
        "losses alone": ", no derivative asked for",
    }.get(shown.call.how, "")
