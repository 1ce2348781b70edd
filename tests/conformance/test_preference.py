"""Named losses judged: honest code in every spelling conforms, each wrong variant violates, and the frameworks agree."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from conformance import evaluate_loss, judge
from conformance.clauses import EVERY
from conformance.clauses.trial import Trial
from conformance.errors import BadClaim, CannotLoad
from conformance.implementations import (
    array_implementation,
    jax_implementation,
    load,
    numpy_implementation,
    torch_implementation,
)
from conformance.implementations.preference import KIND
from conformance.implementations.written import computed
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Verdict, read
from conformance.reports import words
from conformance.running.trying import check
from oracle import binary32
from oracle.losses import LOSSES, get_loss
from oracle.losses._evaluate import slope

CLAUSES = [clause for clause in EVERY if clause.kind == KIND]


def written(loss, definition, spelling=0, name="written"):
    """The expression as an implementation of the loss, with derivatives from its own derivative."""

    def function(**given):
        return computed(definition, *split(loss, given), spelling=spelling)

    def gradient(**given):
        return {key: computed(slope(variant, key), *split(loss, given), spelling=spelling) for key in loss.logps}

    variant = loss if definition is loss.definition else loss.variant(next(w for w in loss.wrong if w.definition is definition))
    return numpy_implementation(function, loss=loss.name, gradient=gradient, name=name)


def split(loss, given):
    rows = {key: array for key, array in given.items() if key not in loss.defaults}
    return rows, {**loss.defaults, **{key: x for key, x in given.items() if key in loss.defaults}}


def verdicts(implementation, dtype="binary32"):
    (run,) = judge(implementation, dtypes=[dtype], clauses=CLAUSES).runs
    return run


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_right_loss_conforms_and_each_wrong_variant_violates(name):
    loss = LOSSES[name]
    run = verdicts(written(loss, loss.definition, spelling=1))
    assert run.verdict is Verdict.CONFORMS, [(f.clause, f.worst, f.note) for f in run.violated]
    for wrong in loss.wrong:
        mistaken = written(loss, wrong.definition)
        assert any(_violated(clause, mistaken) for clause in CLAUSES if clause.level is Level.MUST), wrong.name


def _violated(clause, implementation):
    return check(clause, Trial(implementation, binary32, get_profile("quick"), 0)).verdict is Verdict.VIOLATES


@torch_implementation(loss=("ipo_average", "ipo_sum"))
def both(loss, policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, **lengths):
    a, b = policy_chosen_logps - ref_chosen_logps, policy_rejected_logps - ref_rejected_logps
    if loss == "ipo_average":
        a = a / lengths["chosen_lengths"].to(a.dtype)
        b = b / lengths["rejected_lengths"].to(a.dtype)
    return (a - b - 1 / (2 * beta)) ** 2


def simpo(policy_chosen_logps, policy_rejected_logps, chosen_lengths, rejected_lengths, beta, gamma):
    dtype = policy_chosen_logps.dtype
    z = (
        beta * (policy_chosen_logps / chosen_lengths.astype(dtype) - policy_rejected_logps / rejected_lengths.astype(dtype))
        - gamma
    )
    return jnp.maximum(-z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))


def test_one_object_claims_several_losses_and_is_told_which(tmp_path):
    for name in ("ipo_average", "ipo_sum"):
        assert verdicts(both.as_loss(name)).verdict is Verdict.CONFORMS
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\nfrom conformance.implementations import numpy_implementation\n\n\n"
        "@numpy_implementation(loss=('nll_sum', 'nll_mean'))\n"
        "def mine(loss, policy_chosen_logps, chosen_lengths=None):\n"
        "    return -policy_chosen_logps / (1 if loss == 'nll_sum' else chosen_lengths.astype(policy_chosen_logps.dtype))\n"
    )
    record = judge(f"{file}:mine@nll_mean", f"{file}:mine@nll_sum", dtypes=["binary32"], isolate=False, clauses=CLAUSES)
    assert record.conforms
    with pytest.raises(CannotLoad, match="nll_sum, nll_mean"):
        load(f"{file}:mine")
    with pytest.raises(CannotLoad, match="not ipo_sum"):
        load(f"{file}:mine@ipo_sum")


def test_jax_and_an_array_adapter_take_the_same_keywords():
    assert verdicts(jax_implementation(simpo, loss="simpo", subnormals="flush")).verdict is Verdict.CONFORMS
    adapted = array_implementation(simpo, loss="simpo", from_numpy=jnp.asarray, to_numpy=np.asarray)
    assert verdicts(adapted).verdict is Verdict.CONFORMS


def test_a_violation_shows_what_the_loss_takes_and_can_be_seen_again(tmp_path):
    wrong = numpy_implementation(
        lambda **given: (given["policy_chosen_logps"] - given["ref_chosen_logps"]) * 0, loss="ipo_average", name="zero"
    )
    record = judge(wrong, dtypes=["binary32"], clauses=CLAUSES)
    path = tmp_path / "record.json"
    record.write(path)
    (run,) = read(path).runs
    told = words.violation(run, run.violated[0])
    assert "chosen_lengths" in told
    assert "label_smoothing" not in told
    code = "\n".join(words.snippet(run, run.violated[0].worst)).replace("# implementation = the object that was judged", "")
    shown = {}
    exec(code, {"implementation": wrong, "print": lambda label, value: shown.update({label.strip(): value})})
    assert float(np.ravel(shown["got"].losses)[0]) == 0
    assert abs(float(np.ravel(shown["exact"])[0]) - float(run.violated[0].worst.exact)) < 1e-12


def test_what_cannot_be_claimed_is_refused():
    with pytest.raises(BadClaim, match="ipo_average"):
        numpy_implementation(lambda **_: 0, loss="ipo")
    with pytest.raises(BadClaim, match="gamma"):
        torch_implementation(lambda **_: torch.zeros(1), loss="ipo_sum", options=("gamma",))
    with pytest.raises(BadClaim, match="tau"):
        torch_implementation(lambda **_: torch.zeros(1), loss=("ipo_sum", "margin"), options=("beta", "tau"))
    with pytest.raises(BadClaim, match="options = 'beta'"):
        torch_implementation(lambda **_: torch.zeros(1), loss=("ipo_sum", "margin"), options="beta")
    some = torch_implementation(lambda **_: torch.zeros(1), loss=("ipo_sum", "margin", "cdpo"), options=("beta", "gamma"))
    assert [some.as_loss(name).claims.options for name in ("ipo_sum", "margin", "cdpo")] == [
        {"beta"},
        {"beta", "gamma"},
        {"beta"},
    ]
    assert get_loss("ipo_sum").name == "ipo_sum"
    answer = evaluate_loss(both.as_loss("ipo_sum"), "float32", policy_chosen_logps=-1, policy_rejected_logps=-2,
                           ref_chosen_logps=-1, ref_rejected_logps=-1, beta=0.5)  # fmt: skip
    assert answer.losses.tolist() == [0.0]
