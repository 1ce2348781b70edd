"""A function under torch.compile: what answers is compiled code, or there is no answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from conformance.errors import ConformanceError

_LIMITS = {
    "recompile_limit": 4096,
    "accumulated_recompile_limit": 65536,
    "fail_on_recompile_limit_hit": True,
    "suppress_errors": False,
}
"""Each format, option and gradient mode is a compilation of its own. Past a limit, and after an error that is suppressed,
torch goes on uncompiled and in silence: the limits are out of reach here, and to run into one is an error."""


class NotCompiled(ConformanceError):
    """torch.compile ran a function without compiling any of it."""


class Compiled:
    """The function under torch.compile with its default backend and dynamic shapes; compiled when it is first called.

    Where the function breaks the graph, torch.compile compiles the parts, and runs what is between them as it is.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.graphs = 0
        """How many graphs were compiled so far."""

    def __call__(self, *arguments: Any) -> Any:
        """The function's result, by compiled code. Raises NotCompiled, and what torch.compile raises."""
        with torch._dynamo.config.patch(_LIMITS):
            result = self._compiled(*arguments)
        if not self.graphs:
            raise NotCompiled("torch.compile compiled nothing of it; is it switched off, as TORCH_COMPILE_DISABLE does?")
        return result

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        """Made when it is first called: torch.compile imports a compiler, which takes seconds."""
        return torch.compile(self._function, dynamic=True, backend=self._backend)  # type: ignore[no-any-return]

    def _backend(self, *graph: Any) -> Any:
        self.graphs += 1
        return torch._dynamo.lookup_backend("inductor")(*graph)


@functools.cache
def cannot_compile(device: str) -> str | None:
    """Why torch.compile does not work on that device here, such as "no C++ compiler"; None if it does."""
    try:
        Compiled(torch.nn.functional.logsigmoid)(torch.ones(2, device=device))
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        told = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
        hint = "; it needs g++, or the compiler that the variable CXX names" if "InvalidCxxCompiler" in told else ""
        return f"torch.compile does not work here: {told}{hint}"
    return None
