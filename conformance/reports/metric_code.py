"""Python that gives the exact value of a logged metric."""

from __future__ import annotations

_BY_NAME = {
    "accuracies": "accuracy",
    "margins": "margin",
    "chosen": "chosen_logratio",
    "rejected": "rejected_logratio",
}


def exact_metric(name: str) -> str:
    """The expression, of `pairs` and `options`."""
    group, _, short = name.rpartition("/")
    if group == "logps":
        return f"oracle.mean(pairs[{0 if short == 'chosen' else 1}])"
    known = _BY_NAME.get(short, short) if group else name
    scale = ' * options["beta"]' if group and known != "accuracy" else ""
    return f'oracle.metrics(*pairs, beta=options["beta"]).{known}{scale}'
