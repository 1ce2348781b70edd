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
    if call.shape:
        return _of_logits(shown)
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
    if shown.call.shape:
        return _of_tokens(run, shown)
    if shown.call.named:
        return of_named(run, shown.call.inputs, shown.call.parameters, shown.quantity)
    return _of_step(run, shown) if shown.call.parts else _of_pairs(run, shown)


def _of_logits(shown: Shown) -> list[str]:
    """Token logits, labels and mask, a line for each sequence."""
    call, lines = shown.call, []
    sequences, places, columns = call.shape
    for name, given in call.inputs.items():
        row = places * columns if "logits" in name else places
        for i in range(min(sequences, SHOWN_PAIRS)):
            values = [decimal(value).removesuffix(".0") for value in given[i * row : (i + 1) * row]]
            step = columns if "logits" in name else row
            told = "  ".join(", ".join(values[k : k + step]) for k in range(0, row, step))
            lines.append(f"{name if i == 0 else '':<22}{told}")
        if sequences > SHOWN_PAIRS:
            lines.append(f"{'':<22}... {sequences} sequences in all")
    lines += [", ".join(f"{name} {decimal(value)}" for name, value in call.parameters.items())] if call.parameters else []
    at = f" of place {shown.place}" if "[" not in shown.quantity and not shown.quantity.startswith("mean") else ""
    return [*map(visible, lines), f"{shown.quantity}{at}: got {decimal(shown.got)}, exact {shown.exact}"]


def _of_tokens(run: Run, shown: Shown) -> list[str]:
    """Python that asks the same logits again."""
    call = shown.call
    lines = ["import numpy as np", "import oracle.sequence"]
    path = "policy_logits" in call.inputs
    lines.append(f"from conformance import {'evaluate_path' if path else 'evaluate_sequence'}")
    lines.append(f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged")
    shape = ", ".join(map(str, call.shape))
    for name, given in call.inputs.items():
        values = ", ".join(code_number(x).removesuffix(".0") for x in given)
        lines.append(f"{name} = np.array([{values}]).reshape({shape if 'logits' in name else shape.rpartition(', ')[0]})")
    told = "".join(f", {name}={code_number(value)}" for name, value in call.parameters.items())
    asked = f'"{run.format}", {", ".join(call.inputs)}{told}'
    average = ", average=True" if run.claims.get("average") else ""
    if path:
        return [*lines, f"answer = evaluate_path(implementation, {asked})", *_exact_path(run, shown)]
    heat = f", temperature={code_number(call.parameters['temperature'])}" if "temperature" in call.parameters else ""
    lines.append(f"answer = evaluate_sequence(implementation, {asked})")
    _, bracket, place = shown.quantity.partition("[")
    if bracket:
        i, t, column = (int(x) for x in place.rstrip("]").split(", "))
        share = f" / int(mask[{i}, 1:].sum())" if average else ""
        exact = f"float(oracle.sequence.token_gradient(logits[{i}, {t}].tolist(), int(labels[{i}, {t + 1}]){heat})[{column}])"
        return [
            *lines,
            f'print("got  ", answer.gradient[{i}, {t}, {column}])',
            f'print("exact", {exact}{share} * int(mask[{i}, {t + 1}]))',
        ]
    i = shown.place
    rows = f"logits[{i}, :-1].tolist(), labels[{i}, 1:].tolist(), mask[{i}, 1:].tolist()"
    exact = f"oracle.sequence.sequence_logp({rows}{heat}{average})"
    return [*lines, f'print("got  ", answer.values[{i}])', f'print("exact", {exact}.digits(20))']


def _exact_path(run: Run, shown: Shown) -> list[str]:
    """The loss from the exact log-probabilities of the sequences."""
    call, name = shown.call, str(run.claims.get("loss") or "cdpo")
    average = ", average=True" if run.claims.get("average") else ""
    got = "answer.losses" if shown.quantity == "mean loss" else f"answer.losses[{shown.place}]"
    options = ", ".join(f"{key}={code_number(value)}" for key, value in call.parameters.items())
    inputs = (
        "logps = {}",
        'for side, logits in (("policy", policy_logits), ("ref", ref_logits)):',
        '    for i, group in enumerate(("chosen", "rejected", "kl")[: len(labels) // ' + f"{call.pairs}]):",
        f"        rows = range(i * {call.pairs}, (i + 1) * {call.pairs})",
        "        sums = [oracle.sequence.sequence_logp(logits[k, :-1].tolist(), labels[k, 1:].tolist(), "
        f"mask[k, 1:].tolist(){average}) for k in rows]",
        '        logps[f"{side}_{group}_logps"] = [float(x) for x in sums]',
        f"counts = mask[:, 1:].sum(1).reshape(-1, {call.pairs})",
        'logps |= {"chosen_lengths": counts[0], "rejected_lengths": counts[1]}',
        f"loss = oracle.losses.get_loss({name!r})",
        "given = {key: logps[key] for key in loss.inputs}",
    )
    exact = (
        f"oracle.losses.{'mean' if shown.quantity == 'mean loss' else 'value'}(loss, **given{', ' * bool(options)}{options})"
    )
    place = "" if shown.quantity == "mean loss" else f"[{shown.place}]"
    return ["import oracle.losses", *inputs, f'print("got  ", {got})', f'print("exact", {exact}{place})']


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
    if run.source and _kept(run):  # what is asked by its name is opened anew each time, and remembers nothing
        lines[1:1] = ["from conformance.implementations.loading import load"]
        lines[lines.index(f"implementation = {run.source!r}")] = f"implementation = load({run.source!r})"
        lines.append(f'evaluate(implementation, "{run.format}", *pairs[::-1], beta=1.0)  # an earlier call')
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


def _kept(run: Run) -> bool:
    """Whether the cause is what an earlier call left behind."""
    kept = ("keeps ", "another answer", "right when asked")
    return run.diagnosis is not None and run.diagnosis.causes[0].key.startswith(kept)


def _asked(shown: Shown) -> str:
    return {
        "strided": ", as strided views",
        "weighed": ", each loss with a weight of its own, the derivatives divided by it",
        "policy alone": ", no derivative asked for in the reference",
        "losses alone": ", no derivative asked for",
    }.get(shown.call.how, "")
