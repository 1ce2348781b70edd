"""No call of the oracle needs more than its input asks for, and no loop is without its proof in docs/termination.md."""

import ast
from fractions import Fraction
from pathlib import Path

import pytest

from oracle import FORMATS, Real, binary32, gradient, loss, mean, real
from oracle.ulp import quantum_exponent, ulp_error

ROOT = Path(__file__).parents[2]
FAR = gradient(-1e6, 0, 0, 0, beta=1)  # -1 + 10**-434295 and its negative
BOTH = mean([gradient(1e6, 0, 0, 0, beta=1).policy_chosen, gradient(-2e6, 0, 0, 0, beta=1).policy_chosen])  # below -1/2


@pytest.fixture(autouse=True)
def modest(monkeypatch):
    """No atom is evaluated to more than 1,000 bits."""
    enclose = real.enclose

    def modestly(kind, argument, precision):
        assert precision <= 1000, f"{precision} bits"
        return enclose(kind, argument, precision)

    monkeypatch.setattr(real, "enclose", modestly)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("power", [0, 1, -3])
def test_the_quantum_beside_a_power_of_two_is_that_of_its_own_side(fmt, power):
    for x, below in ((FAR.policy_rejected, True), (BOTH * -2, False), (FAR.policy_chosen, True), (BOTH * 2, False)):
        scaled = x * Fraction(2) ** power
        assert quantum_exponent(scaled, fmt) == quantum_exponent(-scaled, fmt) == power - below - fmt.precision + 1


def test_an_error_beside_a_power_of_two_is_found_at_once_for_either_sign():
    assert ulp_error(-0.5, FAR.policy_chosen, binary32) == ulp_error(0.5, FAR.policy_rejected, binary32) == 2.0**23
    assert ulp_error(-1.0, FAR.policy_chosen, binary32) == ulp_error(1.0, FAR.policy_rejected, binary32) == 5e-324  # not 0


def test_atoms_of_both_signs_beside_a_constant_settle_its_side():
    assert (BOTH + Fraction(1, 2)).sign == -1
    midpoint = BOTH + Fraction(1, 2) + 257
    assert midpoint.round("bfloat16") == 256.0 and (514 - midpoint).round("bfloat16") == 258.0
    close = loss(-1000, 0, 0, 0, beta=1) - loss(-1000 - 2**-30, 0, 0, 0, beta=1) + (257 + Fraction(2) ** -30)
    assert close.round("bfloat16") == 258.0


@pytest.mark.parametrize(
    ("z", "n", "text"),
    [("-1234567.85", 8, "1234567.9"), ("-1234567.75", 8, "1234567.8"), ("-15e9998", 1, "2e+9999"), ("-25e9998", 1, "3e+9999")],
)
def test_a_loss_beside_a_decimal_midpoint_has_its_digits_at_once(z, n, text):
    assert loss(z, 0, 0, 0, beta=1).digits(n) == text


def test_a_number_below_a_decimal_midpoint_has_its_digits_at_once():
    z = "-1234567.85"
    assert (2 * Fraction(z) + loss(z, 0, 0, 0, beta=1)).digits(8) == "-1234567.8"


def test_an_exponent_of_any_length_is_written():
    text = loss("1e9999", 0, 0, 0, beta=1).digits(5)
    mantissa, exponent = text.split("e-")
    assert 1 <= float(mantissa) < 10
    assert len(exponent) == 9999 and exponent.startswith("43429448190325182765112891891660508229439700580366656611445378316")
    assert gradient("1e9999", 0, 0, 0, beta=1).policy_chosen.digits(3).startswith("-")


def test_a_large_rational_is_written_in_a_few_steps():
    for power in (10**5, -(10**5)):
        assert Real.rational(Fraction(10) ** power * 7).digits(3) == f"7.00e{power:+d}"
        assert Real.rational(Fraction(10) ** power * 7 / 3).digits(3) == f"2.33e{power:+d}"


def loops(package):
    """(module, function) of every while of a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for function in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)):
            own = [node for node in ast.walk(function) if isinstance(node, ast.While)]
            inner = {node for nested in ast.walk(function) if isinstance(nested, ast.FunctionDef) and nested is not function
                     for node in ast.walk(nested)}  # fmt: skip
            if any(node not in inner for node in own):
                yield module, function.name


@pytest.mark.no_cover
def test_every_loop_has_its_proof_on_the_page():
    page = (ROOT / "docs" / "termination.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    above = {
        ("oracle.real", "enclose"),
        ("oracle.real", "round"),
        ("oracle.real", "digits"),
        ("oracle.ulp", "quantum_exponent"),
    }
    assert above <= {*loops("oracle")}
    missing = [
        (module, name)
        for package in ("oracle", "conformance")
        for module, name in loops(package)
        if (module, name) not in above
        and not any(f"`{module}`" in row and f"`{name}`" in row for row in rows)
        and not module.startswith(("conformance.auditing", "conformance.cli", "conformance.files"))
    ]
    assert missing == []
