"""The gate: compares two records and decides what a CI does. It reads records, runs nothing and prints nothing."""

from conformance.gate.acceptance import Acceptance, BadAcceptance, read_acceptances
from conformance.gate.changes import RULES, Change, Effect, Rule
from conformance.gate.decision import Decision, compare
from conformance.gate.pairing import NotComparable, Pair
from conformance.gate.rules import Growth

__all__ = [
    "RULES",
    "Acceptance",
    "BadAcceptance",
    "Change",
    "Decision",
    "Effect",
    "Growth",
    "NotComparable",
    "Pair",
    "Rule",
    "compare",
    "read_acceptances",
]
