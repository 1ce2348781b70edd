"""The wrappers of released libraries, where they are installed; and what they are made of."""

import sys

import numpy as np
import pytest

from conformance import evaluate
from conformance.clauses import find
from conformance.errors import CannotLoad
from conformance.implementations import SHIPPED, load
from conformance.implementations.bare import bare_import
from conformance.implementations.known import ALWAYS_MIXES, smoothing_ignored
from conformance.implementations.numpy import STABLE
from conformance.inputs.pairs import golden
from conformance.records.record import Verdict

IGNORES_SMOOTHING = {"trl", "liger"}
NAMES = [name for name in SHIPPED if not name.endswith(("-naive", "-cuda", "-compile"))]
PAIRS = golden().logps


@pytest.fixture(params=NAMES)
def wrapped(request):
    """A shipped implementation whose library is installed here."""
    try:
        return load(request.param)
    except CannotLoad as error:
        if "no module named" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("eps", [0.0, 0.3])
@pytest.mark.parametrize("beta", [0.1, 2.0])
def test_it_hands_over_every_argument_and_gives_losses_and_derivatives_back(wrapped, beta, eps):
    options = {"beta": beta, "label_smoothing": 0.0 if wrapped.name in IGNORES_SMOOTHING else eps}
    right = evaluate(STABLE, "binary32", *PAIRS, **options)
    got = evaluate(wrapped, "binary32", *PAIRS, beta=beta, label_smoothing=eps)
    mean = wrapped.claims.reduction == "mean"
    assert got.losses == pytest.approx(right.losses.mean() if mean else right.losses, rel=1e-5)
    for part, exact in zip(got.gradient, right.gradient, strict=True):
        assert part == pytest.approx(exact / (len(golden()) if mean else 1), rel=1e-4, abs=1e-6)


def test_the_record_will_name_the_library_and_its_version(wrapped):
    name, _, version = wrapped.environment["library"].partition(" ")
    assert name not in {"", *wrapped.environment}, "told twice"
    assert version[0].isdigit()


def test_each_note_is_of_a_clause_that_exists(wrapped):
    for clause in wrapped.claims.notes:
        assert find(clause).id == clause


def test_the_shared_notes_are_of_clauses_that_exist():
    for notes in (ALWAYS_MIXES, smoothing_ignored("why")):
        assert all(find(clause).id == clause for clause in notes)
    assert set(smoothing_ignored("why").values()) == {"why"}


@pytest.mark.parametrize("name", ["torch-softplus", "torch-bce", "torch-logaddexp", "scipy"])
@pytest.mark.parametrize("fmt", ["binary16", "binary32", "binary64"])
def test_a_spelling_computes_the_same_in_every_format(name, fmt):
    right = evaluate(STABLE, "binary64", *PAIRS, label_smoothing=0.1)
    got = evaluate(name, fmt, *PAIRS, label_smoothing=0.1)
    room = {"binary16": 2e-2, "binary32": 1e-5, "binary64": 1e-13}[fmt]
    assert got.losses == pytest.approx(right.losses, rel=room)
    assert np.array(got.gradient) == pytest.approx(np.array(right.gradient), rel=room)


def test_a_violation_bears_the_note_of_its_wrapper(judged):
    run = judged(load("torch-softplus"), "binary64", clauses=[find("KERNEL-1"), find("CALL-1")])
    kernel, call = run.findings
    assert kernel.verdict is Verdict.VIOLATES
    assert "reverts to the linear function above its threshold" in kernel.note
    assert call.verdict is Verdict.CONFORMS
    assert call.note == ""
    assert run.claims["notes"]["KERNEL-1"] in kernel.note


# -- a module without its packages -------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose `__init__` needs what is not there, and whose module `models.loss` does not."""
    before = set(sys.modules)
    models = tmp_path / "needs_gpu" / "models"
    models.mkdir(parents=True)
    for folder in (models.parent, models):
        (folder / "__init__.py").write_text("import no_such_accelerator\n", encoding="utf-8")
    (models / "loss.py").write_text("import no_such_kernels\nfrom .utils import one\nLOSS = one()\n", encoding="utf-8")
    (models / "utils.py").write_text("import math\ndef one():\n    return math.exp(0)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "needs_gpu.models.loss"
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_bare_import_runs_the_module_and_not_its_packages(package):
    assert bare_import(package, unused=("no_such_kernels",)).LOSS == 1
    assert "no_such_kernels" not in sys.modules


def test_what_the_module_needs_and_is_missing_is_named(package):
    with pytest.raises(ModuleNotFoundError, match="no_such_kernels"):
        bare_import(package)


def test_what_is_said_to_be_unused_and_is_there_is_the_real_one(package):
    assert bare_import(package, unused=("no_such_kernels", "fractions")).LOSS == 1
    assert "fractions" not in sys.modules or hasattr(sys.modules["fractions"], "Fraction")


def test_what_is_absent_and_unused_gives_an_empty_class_for_every_name(package, tmp_path):
    (tmp_path / "needs_gpu" / "models" / "loss.py").write_text(
        "from no_such_kernels.deep.inside import Base, register\n"
        "from needs_gpu import helpers\n"
        "from .utils import one\n"
        "@register('loss', kind=Base.of.anything)\n"
        "class Loss(Base, helpers.Mixin, kind=1): pass\n"
        "LOSS = one()\n",
        encoding="utf-8",
    )
    module = bare_import(package, unused=("no_such_kernels", "needs_gpu.helpers", "needs_gpu.models.utils.nothing"))
    assert module.LOSS == 1
    assert not {name for name in sys.modules if name.startswith(("no_such_kernels", "needs_gpu.helpers"))}
    assert not hasattr(sys.modules["needs_gpu"], "helpers")
    assert not hasattr(module.Base, "__wrapped__")


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        bare_import("no_such_package.models.loss")
