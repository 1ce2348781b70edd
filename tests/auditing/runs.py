"""True runs and their logs: pairs, arithmetic in a format, means over micro-batches, and what trainers print of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracle import Format, bfloat16, binary32

Floats = NDArray[np.float64]
LOSSES = ("sigmoid", "cdpo", "robust", "hinge", "ipo_sum", "simpo")


@dataclass(frozen=True)
class Run:
    """How a run is configured and what it is made of."""

    loss: str
    beta: float
    eps: float
    gamma: float
    pairs: int
    micro: int
    fmt: Format
    writer: str
    seed: int
    processes: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        """What an audit is told of it; the format is not told."""
        told: dict[str, Any] = {"loss": self.loss, "beta": self.beta}
        if self.loss in {"sigmoid", "cdpo", "robust", "simpo"}:
            told["label_smoothing"] = self.eps
        if self.loss == "simpo":
            told["parameters"] = {"gamma": self.gamma}
        return told


def drawn(seed: int) -> Run:
    """A run at random."""
    rng = np.random.default_rng(seed)
    loss = str(rng.choice(LOSSES))
    eps = 0.0 if loss in {"sigmoid", "hinge", "ipo_sum"} else float(rng.choice([0.05, 0.1, 0.3, 0.45]))
    return Run(
        loss=loss,
        beta=float(rng.choice([0.01, 0.05, 0.1, 0.3, 0.5, 1.0])),
        eps=eps,
        gamma=float(rng.choice([0.5, 1.0])),
        pairs=int(rng.choice([1, 2, 3, 4, 8, 16, 64])),
        micro=int(rng.choice([1, 2, 4, 8])),
        fmt=bfloat16 if rng.random() < 0.25 else binary32,
        writer=str(rng.choice(list(WRITERS))),
        seed=seed,
        processes=int(rng.choice([1, 1, 1, 2, 4, 8])),
    )


def alone(seed: int) -> Run:
    """The same, of one process."""
    return replace(drawn(seed), processes=1)


Fault = Callable[[Run, dict[str, Floats]], dict[str, Floats]]


def lines(run: Run, count: int, fault: Fault | None = None) -> list[dict[str, float]]:
    """The means that the trainer would log at each of `count` steps: the loss of all processes, the rest of the first."""
    rng = np.random.default_rng([run.seed, 1])
    fmt, shape = run.fmt, (count, run.processes * run.micro, run.pairs)
    rounded = fmt.round_array
    time = np.arange(count)[:, None, None] / max(count - 1, 1)
    reach = float(rng.choice([0.5, 3.0, 12.0])) / run.beta
    ref = [-rng.uniform(5, float(rng.choice([60, 500])), shape) for _ in range(2)]
    moved = [time * reach * rng.normal(sign * 0.4, float(rng.choice([0.1, 0.7])), shape) for sign in (1, -1)]
    logps = [rounded(np.minimum(r + m, 0.0)) for r, m in zip(ref, moved, strict=True)]
    ref = [rounded(r) for r in ref]
    beta = float(rounded(np.array(run.beta)))
    chosen, rejected = (rounded(beta * rounded(p - r)) for p, r in zip(logps, ref, strict=True))
    if rng.random() < 0.5:
        margin = rounded(rounded(logps[0] - logps[1]) - rounded(ref[0] - ref[1]))
    else:
        margin = rounded(rounded(logps[0] - ref[0]) - rounded(logps[1] - ref[1]))
    z = rounded(beta * margin)
    parts = {
        "z": z,
        "chosen": chosen,
        "rejected": rejected,
        "margins": rounded(chosen - rejected),
        "accuracies": (chosen > rejected).astype(np.float64),
        "logps/chosen": logps[0],
        "logps/rejected": logps[1],
    }
    parts["loss"] = rounded(pair_losses(run, z))
    if fault is not None:
        parts = fault(run, parts)
    del parts["z"]
    named = {
        (f"rewards/{name}" if name in {"chosen", "rejected", "margins", "accuracies"} else name): _mean(
            values if name == "loss" else values[:, : run.micro], fmt
        )
        for name, values in parts.items()
    }
    return [{"step": step + 1, **{name: float(column[step]) for name, column in named.items()}} for step in range(count)]


def pair_losses(run: Run, z: Floats) -> Floats:
    """Each pair's loss in float64."""
    if run.loss == "hinge":
        return np.maximum(1 - z, 0.0)
    if run.loss == "ipo_sum":
        return (z / run.beta - 0.5 / run.beta) ** 2
    x = z - run.gamma if run.loss == "simpo" else z
    tilt = -run.eps / (1 - 2 * run.eps) if run.loss == "robust" else run.eps
    return np.maximum(-x, 0) + np.log1p(np.exp(-np.abs(x))) + tilt * x


def _mean(values: Floats, fmt: Format) -> Floats:
    """Of each micro-batch in the format, the sum in binary32; then of the micro-batches, in binary64."""
    with np.errstate(all="ignore"):
        inner = values.astype(np.float32).sum(axis=2, dtype=np.float32) / np.float32(values.shape[2])
    return fmt.round_array(inner.astype(np.float64)).mean(axis=1)


# -- what is printed ---------------------------------------------------------------------------------------------------


def _state(rows: list[dict[str, float]]) -> str:
    history = [{**row, "loss": round(row["loss"], 4)} for row in rows]
    return json.dumps({"best_metric": None, "log_history": history}, indent=2)


def _console(rows: list[dict[str, float]]) -> str:
    return "".join(f"{ {name: f'{value:.4g}' for name, value in row.items()} }\n" for row in rows)


def _old_console(rows: list[dict[str, float]]) -> str:
    return "".join(f"{ {**row, 'loss': round(row['loss'], 4)} }\n" for row in rows)


def _factory(rows: list[dict[str, float]]) -> str:
    kept = (
        {"current_steps": row["step"], "loss": round(row["loss"], 4), "accuracy": row["rewards/accuracies"]} for row in rows
    )
    return "".join(json.dumps(row) + "\n" for row in kept)


def _table(rows: list[dict[str, float]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, [name if name == "step" else f"train/{name}" for name in rows[0]])
    writer.writeheader()
    writer.writerows({name if name == "step" else f"train/{name}": value for name, value in row.items()} for row in rows)
    return out.getvalue()


def _short(rows: list[dict[str, float]]) -> str:
    return "".join(" ".join(f"{name}={value:.3f}" for name, value in row.items()) + "\n" for row in rows)


def _events(rows: list[dict[str, float]]) -> str:
    """What was rounded to four decimals, in binary32, as event files hold it."""
    kept = ({name: float(np.float32(round(value, 4))) for name, value in row.items()} for row in rows)
    return "".join(json.dumps(row) + "\n" for row in kept)


def _bar(rows: list[dict[str, float]]) -> str:
    """A progress bar that goes back to the start of its line, with three digits."""
    return "".join(f"\r 3%|# | {', '.join(f'{name}={value:.3g}' for name, value in row.items())}]" for row in rows)


def _cast(rows: list[dict[str, float]]) -> str:
    """The loss cast to bfloat16, and the rest as it is."""
    kept = ({**row, "loss": round(float(bfloat16.round_array(np.array([row["loss"]]))[0]), 4)} for row in rows)
    return "".join(json.dumps(row) + "\n" for row in kept)


def _notebook(rows: list[dict[str, float]]) -> str:
    """The table of a notebook: six decimals of what was rounded to four."""
    names = {"step": "Step", "loss": "Training Loss"}
    head = "\t".join(names.get(name, name.replace("/", " / ")) for name in rows[0])
    lines = ("\t".join(f"{round(value, 4) if name == 'loss' else value:.6f}" for name, value in row.items()) for row in rows)
    return "\n".join([head, *lines])


WRITERS: Mapping[str, Callable[[list[dict[str, float]]], str]] = {
    "state": _state,
    "console": _console,
    "old console": _old_console,
    "factory": _factory,
    "table": _table,
    "short": _short,
    "events": _events,
    "bar": _bar,
    "cast": _cast,
    "notebook": _notebook,
}


def written(run: Run, count: int, fault: Fault | None = None) -> str:
    """The log as text."""
    return WRITERS[run.writer](lines(run, count, fault))
