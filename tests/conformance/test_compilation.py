"""torch.compile: what is judged is compiled code, and where it cannot be, that is said."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch

from conformance.errors import Misbehaviour
from conformance.implementations import compilation, load, torch_implementation
from conformance.implementations.compilation import Compiled, NotCompiled
from conformance.implementations.numpy import STABLE
from conformance.inputs.pairs import golden
from oracle import bfloat16, binary32

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of what its compiler imports


def never_eager(pc, pr, rc, rr, beta, eps):
    if not torch.compiler.is_compiling():
        raise RuntimeError("it runs as it is")
    z = beta * ((pc - rc) - (pr - rr))
    losses = -torch.nn.functional.logsigmoid(z)
    return losses if eps == 0 else (1 - eps) * losses - eps * torch.nn.functional.logsigmoid(-z)


def answers(implementation, *formats):
    """What it answers in those formats, with and without gradient and smoothing, for one pair and for three."""
    for fmt in formats:
        for batch in (golden(), golden().take([1])):
            for eps in (0.0, 0.1):
                for gradient in (False, True):
                    smoothed = batch.at(label_smoothing=eps)
                    yield fmt, smoothed, implementation.evaluate(smoothed, fmt, gradient=gradient)


@pytest.mark.no_cover  # torch's compiler is Python too: to count lines is slow there
def test_every_call_is_of_compiled_code_and_computes_the_loss():
    implementation = torch_implementation(never_eager, compile=True)
    for fmt, batch, got in answers(implementation, bfloat16, binary32):
        right = STABLE.evaluate(batch, fmt, gradient=True)
        assert got.losses == pytest.approx(right.losses, rel=8 * fmt.unit_roundoff)
        if got.gradient is not None:
            for part, exact in zip(got.gradient, right.gradient, strict=True):
                assert part == pytest.approx(exact, rel=16 * fmt.unit_roundoff)
    assert implementation._function.graphs > torch._dynamo.config.recompile_limit, "past torch's own limit"


def test_the_recompile_limit_is_an_error_and_no_silence(monkeypatch):
    monkeypatch.setattr(compilation, "_LIMITS", {**compilation._LIMITS, "recompile_limit": 2})
    with pytest.raises(Misbehaviour, match="it raised FailOnRecompileLimitHit"):
        list(answers(torch_implementation(never_eager, compile=True), binary32))


def test_the_limits_do_not_outlast_the_call():
    before = {name: getattr(torch._dynamo.config, name) for name in compilation._LIMITS}
    Compiled(torch.abs)(torch.ones(2))
    assert {name: getattr(torch._dynamo.config, name) for name in compilation._LIMITS} == before


def test_what_is_not_compiled_is_an_error(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    with pytest.raises(NotCompiled, match="compiled nothing of it"):
        Compiled(torch.abs)(torch.ones(2))


def test_nothing_is_compiled_before_it_is_called(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: pytest.fail("compiled"))
    torch_implementation(never_eager, compile=True)
    assert load("torch-compile").claims.gradient


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CXX": "no-such-compiler"}, r"InvalidCxxCompiler: No working C\+\+ compiler found .*; it needs g\+\+, or"),
        ({"TORCH_COMPILE_DISABLE": "1"}, "torch.compile compiled nothing of it; is it switched off"),
    ],
)
def test_where_torch_cannot_compile_nothing_is_judged_and_it_is_said_why(tmp_path, variables, reason):
    record = tmp_path / "record.json"
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "run", "torch-compile", "--json", str(record)]
    done = subprocess.run(
        command,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Not judged in any format: torch-compile" in done.stderr
    for run in json.loads(record.read_text(encoding="utf-8"))["runs"]:
        assert run["verdict"] == "not run"
        assert re.match(f"torch.compile does not work here: .*{reason}", run["reason"])
