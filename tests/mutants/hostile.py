"""Implementations that misbehave, for the tests of isolation. Each is one object; its docstring line says what it does.

Load one by path: tests/mutants/hostile.py:RAISES. `HOSTILE` lists them all. This file imports nothing beside itself, so
that it can be loaded by path in a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import numpy as np
import torch

from conformance.implementations.numpy import numpy_implementation
from conformance.implementations.torch import torch_implementation

FOREVER = 3600.0
"""Seconds that a hanging implementation takes; longer than any time limit."""


def _right(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    z = beta * ((pc - rc) - (pr - rr))
    losses = -torch.nn.functional.logsigmoid(z)
    if eps == 0:
        return losses
    return (1 - eps) * losses - eps * torch.nn.functional.logsigmoid(-z)


def _raises(*_: Any) -> Any:
    raise RuntimeError("no kernel for this dtype")


def _raises_base_exception(*_: Any) -> Any:
    raise KeyboardInterrupt


def _sleeps(*arguments: Any) -> Any:
    time.sleep(FOREVER)
    return _right(*arguments)


def _spins(*_: Any) -> Any:
    while True:
        pass


def _exits(*_: Any) -> Any:
    sys.exit(0)


def _exits_at_once(*_: Any) -> Any:
    os._exit(0)


def _segfaults(*_: Any) -> Any:
    ctypes.string_at(0)


def _aborts(*_: Any) -> Any:
    os.abort()


def _recurses(*arguments: Any) -> Any:
    return _recurses(*arguments)


def _prints(*arguments: Any) -> Any:
    print("step 1: loss 0.6931")
    sys.stdout.write('{"verdict": "conforms"}\n')
    os.write(1, b"written to descriptor 1\n")
    return _right(*arguments)


def _closes_stdout(*arguments: Any) -> Any:
    os.close(1)
    return _right(*arguments)


def _returns_nan(pc: Any, *_: Any) -> Any:
    return np.full(len(pc), np.nan, dtype=object)


def _returns_none(*_: Any) -> Any:
    return None


def _returns_list(*arguments: Any) -> Any:
    return _right(*arguments).tolist()


def _returns_scalar(*arguments: Any) -> Any:
    return float(_right(*arguments).detach().sum())


def _returns_matrix(*arguments: Any) -> Any:
    return _right(*arguments)[:, None]


def _returns_longer(*arguments: Any) -> Any:
    losses = _right(*arguments)
    return torch.cat([losses, losses])


def _returns_tuple(*arguments: Any) -> Any:
    losses = _right(*arguments)
    return losses, losses, losses


def _returns_integers(*arguments: Any) -> Any:
    return _right(*arguments).detach().nan_to_num(0.0, 0.0, 0.0).clamp(max=1e6).long()


def _writes_inputs(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    losses = _right(pc, pr, rc, rr, beta, eps)
    with torch.no_grad():
        pc.detach().mul_(2).sub_(1)
    return losses


def _writes_arrays(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    losses = np.logaddexp(pc.dtype.type(0), -pc.dtype.type(beta) * ((pc - rc) - (pr - rr)))
    pc[...] = 0
    return losses


def _keeps_inputs_and_sorts(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    losses = _right(pc, pr, rc, rr, beta, eps)
    rc.detach().copy_(rc.detach().flip(0))
    return losses


def _sets_default_dtype(*arguments: Any) -> Any:
    torch.set_default_dtype(torch.float64)
    return _right(*arguments)


def _sets_threads(*arguments: Any) -> Any:
    torch.set_num_threads(1 + torch.get_num_threads() % 2)
    return _right(*arguments)


_BETAS: dict[float, Any] = {}


def _beta_in_first_dtype(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
    kept = _BETAS.setdefault(beta, torch.tensor(beta, dtype=pc.dtype))
    return _right(pc, pr, rc, rr, kept.item(), eps)


def _sets_seeds(*arguments: Any) -> Any:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    return _right(*arguments)


def _sets_errstate(*arguments: Any) -> Any:
    np.seterr(all="raise")
    return _right(*arguments)


def _sets_flush_denormal(*arguments: Any) -> Any:
    torch.set_flush_denormal(True)
    return _right(*arguments)


def _half_flushed(*arguments: Any) -> Any:
    """As a thread's mode leaves a batch that two threads share: the first half of its losses flushed, from 65,536 on."""
    return _first_half_flushed(_right(*arguments))


def _gradient_half_flushed(pc: Any, *rest: Any) -> Any:
    if pc.requires_grad:
        pc = pc.clone()
        pc.register_hook(_first_half_flushed)
    return _right(pc, *rest)


def _first_half_flushed(x: Any) -> Any:
    half, tiny = len(x) // 2, torch.finfo(x.dtype).smallest_normal
    return torch.cat([torch.where(x[:half].abs() < tiny, 0, x[:half]), x[half:]]) if len(x) >= 65_536 else x


def _disables_gradient(*arguments: Any) -> Any:
    losses = _right(*arguments)
    torch.set_grad_enabled(False)
    return losses


def _changes_directory(*arguments: Any) -> Any:
    os.chdir("/")
    return _right(*arguments)


def _swallows_memory(*arguments: Any) -> Any:
    return _right(*arguments) + torch.zeros(1 << 46).sum()


def _differs_by_call(*arguments: Any) -> Any:
    return _right(*arguments) + torch.rand(())


RAISES = torch_implementation(_raises, name="raises")
"""It raises an error that the suite does not know."""
RAISES_BASE_EXCEPTION = torch_implementation(_raises_base_exception, name="raises-base-exception")
"""It raises KeyboardInterrupt, which `except Exception` does not catch."""
SLEEPS = torch_implementation(_sleeps, name="sleeps")
"""It sleeps for an hour."""
SPINS = torch_implementation(_spins, name="spins")
"""It loops for ever, without giving way."""
EXITS = torch_implementation(_exits, name="exits")
"""It calls sys.exit(0)."""
EXITS_AT_ONCE = torch_implementation(_exits_at_once, name="exits-at-once")
"""It calls os._exit(0): a success, to whoever looks at the status alone."""
SEGFAULTS = torch_implementation(_segfaults, name="segfaults")
"""It reads address 0."""
ABORTS = torch_implementation(_aborts, name="aborts")
"""It aborts the process."""
RECURSES = torch_implementation(_recurses, name="recurses")
"""It calls itself for ever."""
PRINTS = torch_implementation(_prints, name="prints")
"""It is right, and prints to stdout, also beneath Python's own."""
CLOSES_STDOUT = torch_implementation(_closes_stdout, name="closes-stdout")
"""It is right, and closes descriptor 1."""
RETURNS_NAN = numpy_implementation(_returns_nan, name="returns-nan")
"""It returns an array of NaN objects."""
RETURNS_NONE = torch_implementation(_returns_none, name="returns-none")
"""It returns None."""
RETURNS_LIST = torch_implementation(_returns_list, name="returns-list")
"""It returns the right numbers in a list."""
RETURNS_SCALAR = torch_implementation(_returns_scalar, name="returns-scalar")
"""It returns a Python float."""
RETURNS_MATRIX = torch_implementation(_returns_matrix, name="returns-matrix")
"""It returns the right numbers in shape (n, 1)."""
RETURNS_LONGER = torch_implementation(_returns_longer, name="returns-longer")
"""It returns 2 n numbers."""
RETURNS_TUPLE = torch_implementation(_returns_tuple, name="returns-tuple")
"""It returns (losses, chosen rewards, rejected rewards), as trainers do."""
RETURNS_INTEGERS = torch_implementation(_returns_integers, name="returns-int64")
"""It returns integers."""
WRITES_INPUTS = torch_implementation(_writes_inputs, name="writes-inputs")
"""It is right, and changes policy_chosen_logps in place."""
WRITES_ARRAYS = numpy_implementation(_writes_arrays, name="writes-arrays", options=("beta",), dtypes=("float32",))
"""It is right in NumPy, and sets policy_chosen_logps to 0."""
REORDERS_INPUTS = torch_implementation(_keeps_inputs_and_sorts, name="reorders-inputs")
"""It is right, and reverses ref_chosen_logps in place: one pair alone does not show it."""
SETS_DEFAULT_DTYPE = torch_implementation(_sets_default_dtype, name="sets-default-dtype")
"""It is right, and changes torch's default dtype."""
SETS_THREADS = torch_implementation(_sets_threads, name="sets-threads")
"""It is right, and changes torch's number of threads."""
BETA_IN_FIRST_DTYPE = torch_implementation(_beta_in_first_dtype, name="beta-in-first-dtype")
"""It keeps each beta as a tensor of the dtype that it came with first."""
SETS_SEEDS = torch_implementation(_sets_seeds, name="sets-seeds")
"""It is right, and reseeds torch and NumPy."""
SETS_ERRSTATE = torch_implementation(_sets_errstate, name="sets-errstate")
"""It is right, and makes NumPy raise on overflow."""
SETS_FLUSH_DENORMAL = torch_implementation(_sets_flush_denormal, name="sets-flush-denormal")
"""It is right but for subnormals, and leaves the processor flushing them."""
HALF_FLUSHED = torch_implementation(_half_flushed, name="half-flushed")
"""It is right, and flushes subnormal losses in the first half of a large batch."""
GRADIENT_HALF_FLUSHED = torch_implementation(_gradient_half_flushed, name="gradient-half-flushed")
"""It is right, and flushes subnormal derivatives in policy_chosen in the first half of a large batch."""
DISABLES_GRADIENT = torch_implementation(_disables_gradient, name="disables-gradient")
"""It is right, and turns autograd off for all that follows."""
CHANGES_DIRECTORY = torch_implementation(_changes_directory, name="changes-directory")
"""It is right, and changes the working directory."""
SWALLOWS_MEMORY = torch_implementation(_swallows_memory, name="swallows-memory")
"""It asks for 256 TiB."""
DIFFERS_BY_CALL = torch_implementation(_differs_by_call, name="differs-by-call")
"""It adds a random number: no two calls agree."""

HOSTILE = {
    name: implementation
    for name, implementation in list(globals().items())
    if name.isupper() and hasattr(implementation, "evaluate")
}
"""All of them, by the name of their attribute."""
