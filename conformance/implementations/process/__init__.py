"""A program in any language, judged over its standard input and output: `process:` and a command line."""

from __future__ import annotations

from conformance.implementations.process.implementation import ProcessImplementation, start
from conformance.implementations.process.losses import ProgramLoss, loss_of

__all__ = ["ProcessImplementation", "ProgramLoss", "loss_of", "start"]
