"""What the tests of the judge share: a small profile, and a record that holds violations."""

import numpy as np
import pytest

from conformance.implementations.numpy import numpy_implementation
from conformance.inputs.profiles import Profile
from conformance.running.runner import run
from oracle import get_format


@pytest.fixture(scope="session")
def small():
    """A profile of a few points a clause; it bears the name of a real one, so that its records are valid."""
    return Profile("quick", logits_per_binade=1, around=1, pairs=8, examples=4)


@pytest.fixture(scope="session")
def judged(small):
    """judged(implementation, format, ...): its run in this process under the small profile."""

    def judged(implementation, fmt, **keywords):
        return run(implementation, get_format(fmt), keywords.pop("profile", small), keywords.pop("seed", 0), **keywords)

    return judged


@pytest.fixture
def file(tmp_path):
    """file(text): a Python file with that text, as the name to load its attribute F by."""

    def file(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return f"{path}:F"

    return file


@pytest.fixture(scope="session")
def softplus():
    """-log sigmoid of the plain logit, right in every tail; NumPy, every option."""

    def softplus(pc, pr, rc, rr, beta, eps):
        z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
        kernel = [np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.abs(x))) for x in (-z, z)]
        e = z.dtype.type(eps)
        return kernel[0] if eps == 0 else (z.dtype.type(1) - e) * kernel[0] + e * kernel[1]

    return softplus


@pytest.fixture(scope="session")
def linear():
    """max(-z, 0): wrong nearly everywhere, and a function of each pair alone on every machine."""

    def linear(pc, pr, rc, rr, beta, eps):
        return np.maximum(-pc.dtype.type(beta) * ((pc - rc) - (pr - rr)), pc.dtype.type(0))

    return numpy_implementation(linear)
