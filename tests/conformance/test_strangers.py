"""Faults that no mutant has, as a newcomer would write them, and those of public reports: the first cause is the true one."""

from __future__ import annotations

import re
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations import torch_implementation
from conformance.inputs.profiles import get_profile
from conformance.reports import causes
from conformance.running.runner import judge
from conformance.running.trying import check
from oracle import binary32


def smoothed(z, eps):
    return -F.logsigmoid(z) if eps == 0 else (eps - 1) * F.logsigmoid(z) - eps * F.logsigmoid(-z)


def logit(pc, pr, rc, rr, beta):
    return beta * ((pc - rc) - (pr - rr))


def of_logit(change):
    return lambda pc, pr, rc, rr, beta, eps: smoothed(change(logit(pc, pr, rc, rr, beta)), eps)


def first_cause(loss, *clauses, dtype="float32", **claims):
    """(key, first sentence, cure) of the first cause."""
    implementation = torch_implementation(loss, name="mine", **claims)
    record = judge(implementation, dtypes=[dtype], clauses=[find(name) for name in clauses])
    assert not record.conforms
    told = causes.told(record)[0]
    return told.cause.key, told.headline, told.cure


def second_half_negated(z):
    signs = torch.ones_like(z)
    signs[len(z) // 2 :] = -1
    return z * signs


def cross_entropy(pc, pr, rc, rr, beta, eps):
    rewards = torch.stack([beta * (pc - rc), beta * (pr - rr)], 1)
    return F.cross_entropy(rewards, torch.zeros(len(pc), dtype=torch.long), reduction="none", label_smoothing=eps)


def of_probability(pc, pr, rc, rr, beta, eps):
    target = torch.full_like(pc, 1 - eps)
    return F.binary_cross_entropy(torch.sigmoid(logit(pc, pr, rc, rr, beta)), target, reduction="none")


STRANGERS = {
    "bits": (
        lambda pc, *rest: smoothed(logit(pc / 0.6931471805599453, *rest[:-1]), rest[-1]),
        r"z = \(1 / ln 2\) beta pc - beta",
    ),
    "chosen twice": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * (2 * (pc - rc) - (pr - rr)), eps),
        r"z = 2 beta pc - beta pr - 2 beta rc \+ beta rr",
    ),
    "margin of one": (of_logit(lambda z: z - 1.0), "the loss of z less 1"),
    "target margin": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * ((pc - rc) - (pr - rr) - 2), eps),
        "the loss of z less 2 beta",
    ),
    "no reference, and a margin": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * (pc - pr) - 0.5, eps),
        r"z = beta pc - beta pr - 0\.5",
    ),
    "beta twice on the reference": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * (pc - pr) - beta**2 * (rc - rr), eps),
        r"z = beta pc - beta pr - beta\^2 rc \+ beta\^2 rr",
    ),
    "supervised term": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, beta), eps) - 0.1 * pc,
        r"added to it -0\.1 pc",
    ),
    "penalty": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, beta), eps) + 0.5 * torch.relu(rc - pc),
        r"added to it 0\.5 max\(0, rc - pc\)",
    ),
    "half of the labels": (of_logit(second_half_negated), "in the second half of a batch, the loss of -z"),
    "half inside": (of_logit(lambda z: z.half().to(z.dtype)), "the logit rounded to binary16"),
    "binary cross entropy": (of_probability, "the binary cross entropy of sigmoid"),
    "cross entropy": (cross_entropy, "label_smoothing / 2"),
    "batch's mean": (of_logit(lambda z: z - z.mean()), "the batch's mean margin subtracted"),
    "beta on the policy": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * (pc - pr) - (rc - rr), eps),
        "the reference is not scaled",
    ),
    "clamp": (of_logit(lambda z: z.clamp(-30, 30)), r"clamped to \[-30, 30\]"),
    "clamp of no usual bound": (of_logit(lambda z: z.clamp(-17.3, 17.3)), r"the loss of a logit clamped to \[-17\.3, 17\.3\]"),
    "clamp on one side": (of_logit(lambda z: z.clamp(max=9.0)), "the loss of a logit held at 9 or below"),
    "clamped margin": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * ((pc - rc) - (pr - rr)).clamp(-7, 7), eps),
        r"the loss of a margin clamped to \[-7, 7\], before beta",
    ),
    "clamped log-ratios": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * ((pc - rc).clamp(-5, 5) - (pr - rr).clamp(-5, 5)), eps),
        r"the loss of log-ratios clamped to \[-5, 5\]",
    ),
    "softplus's own beta": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, beta), eps) / beta,
        "the loss divided by beta",
    ),
    "re-associated": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(beta * ((pc + rr) - (pr + rc)), eps),
        r"right but for the roundings of z = beta \(\(pc \+ rr\) - \(pr \+ rc\)\)",
    ),
    "padding by zero": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, beta), eps) * (pc != 0),
        "where policy_chosen_logps is 0, 0",
    ),
    "dropout": (of_logit(lambda z: z * (torch.rand_like(z) > 0.1)), "not the same when the same is asked twice"),
}
"""By name, the loss and what the first sentence has to say."""


@pytest.mark.parametrize("name", STRANGERS)
def test_the_first_sentence_tells_a_strangers_fault(name):
    loss, says = STRANGERS[name]
    _, headline, _ = first_cause(loss, "LOSS-1", "SMOOTH-1", "SPECIAL-1")
    assert re.search(says, headline), headline


def of_log_ratios(change):
    return lambda pc, pr, rc, rr, beta, eps: smoothed(beta * change((pc - rc) - (pr - rr)), eps)


class HalvedBeyondThree(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return F.logsigmoid(z)

    @staticmethod
    def backward(ctx, incoming):
        (z,) = ctx.saved_tensors
        return incoming * torch.sigmoid(-z) * torch.where(z > 3, 0.5, 1.0)


def halved_beyond_three(pc, pr, rc, rr, beta, eps):
    z = logit(pc, pr, rc, rr, beta)
    return -HalvedBeyondThree.apply(z) if eps == 0 else smoothed(z, eps)


NOT_ELSEWHERE = {
    "the largest of the batch": (
        of_log_ratios(lambda margin: margin - margin.max() + margin.mean()),
        r"in a batch, right for the pair by itself, and wrong beside other pairs",
        "maximum, mean, norm",
    ),
    "two decimals": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(
            beta * (torch.round(pc - rc, decimals=2) - torch.round(pr - rr, decimals=2)), eps
        ),
        r"the loss with the log-probabilities rounded to two decimals",
        "round where they are printed",
    ),
    "halved beyond three": (
        halved_beyond_three,
        r"from z = 3\.125 on, half of the right ones in binary32; elsewhere they are right",
        "beta \\* sigma",
    ),
}
"""(loss, what the first sentence says, what the cure says) of what is wrong plainly, and so at every way, size and option."""
ASKED_OTHERWISE = ["DEF-1", "KERNEL-1", "KERNEL-2", "BATCH-6", "TIE-2", "SPECIAL-1", "OPTION-6", "AUTOGRAD-11"]


@pytest.mark.parametrize("name", NOT_ELSEWHERE)
def test_what_is_wrong_plainly_is_not_put_on_a_way_a_size_or_an_option(name):
    loss, says, cure = NOT_ELSEWHERE[name]
    _, headline, cured = first_cause(loss, *ASKED_OTHERWISE)
    assert re.search(says, " ".join(headline.split()))
    assert re.search(cure, " ".join(cured.split()))


def test_what_no_formula_gives_is_not_cured_by_another_faults_cure():
    _, headline, cure = first_cause(of_logit(lambda z: 10 * torch.atan(z / 10)), "LOSS-1", "OPTION-1")
    assert "a wrong number" in headline
    assert "return losses = -logsigmoid(z); where eps is not 0" in cure


def test_a_cross_entropy_is_told_how_it_smooths():
    assert "pass 2 eps" in first_cause(cross_entropy, "SMOOTH-1")[2]


def keeping(mixture):
    """A loss that keeps something by shape."""
    kept = {}

    def loss(pc, pr, rc, rr, beta, eps):
        return mixture(
            kept.setdefault(pc.shape, (pc.detach(), pr.detach(), rc.detach(), rr.detach(), beta, eps)),
            pc,
            pr,
            rc,
            rr,
            beta,
            eps,
        )

    return loss


KEPT = {
    "reference": lambda then, pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, *then[2:4], beta), eps),
    "policy": lambda then, pc, pr, rc, rr, beta, eps: smoothed(logit(*then[:2], rc, rr, beta), eps),
    "batch": lambda then, pc, pr, rc, rr, beta, eps: smoothed(logit(*then[:4], beta), eps),
    "options": lambda then, pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, then[4]), then[5]),
    "answer": lambda then, pc, pr, rc, rr, beta, eps: smoothed(logit(*then[:5]), then[5]),
}


@pytest.mark.parametrize("what", KEPT)
def test_what_is_kept_between_calls_is_named(what):
    key, _, cure = first_cause(keeping(KEPT[what]), "LOSS-1", "CALL-6", gradient=False)
    assert key == f"keeps the {what} of an earlier call"
    assert "Keep nothing between calls" in cure


def test_a_running_mean_that_met_a_nan_is_told_as_that():
    mean = [0.0]

    def loss(pc, pr, rc, rr, beta, eps):
        z = logit(pc, pr, rc, rr, beta)
        mean[0] = 0.9 * mean[0] + 0.0 * float(z.detach().sum())
        return smoothed(z - mean[0], eps)

    key, headline, _ = first_cause(loss, "CALL-1", "SPECIAL-3", "LOSS-1")
    assert key == "keeps a NaN", headline


def test_a_fault_that_cannot_be_seen_again_is_told_as_that():
    calls = [0]

    def loss(pc, pr, rc, rr, beta, eps):
        calls[0] += 1
        return smoothed(logit(pc, pr, rc, rr, beta), eps) * (2 if calls[0] == 3 else 1)

    assert first_cause(loss, "LOSS-1", gradient=False)[0] == "right when asked again"


def scaled_gradient(factor):
    """Values right, derivatives times a factor."""

    def loss(pc, pr, rc, rr, beta, eps):
        losses = smoothed(logit(pc, pr, rc, rr, beta), eps)
        return losses.detach() * (1 - factor) + losses * factor

    return loss


class Unweighed(torch.autograd.Function):
    """A backward pass that takes the first incoming weight for all."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return -F.logsigmoid(z)

    @staticmethod
    def backward(ctx, grad_output):
        (z,) = ctx.saved_tensors
        return -torch.sigmoid(-z) * grad_output[0]


def micro(losses, sizes):
    """The mean of the means of micro-batches of these sizes, the rest one more; an empty one counts as 0."""
    parts = torch.split(losses, [*sizes, len(losses) - sum(sizes)]) if len(losses) > sum(sizes) else [losses]
    return sum(part.mean() for part in parts) / len(parts)


def mean_of(reduce):
    return lambda pc, pr, rc, rr, beta, eps: reduce(smoothed(logit(pc, pr, rc, rr, beta), eps))


mean = partial(dict, reduction="mean", clauses=("REDUCE-1",))
REPORTS = {
    "linkedin/Liger-Kernel#481, the sign": (lambda *a: -smoothed(logit(*a[:5]), a[5]), "minus the loss", {}),
    "linkedin/Liger-Kernel#481, the reference": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, pc, pr, beta), eps),
        "ln 2 for ever: the policy's own log-probabilities serve as reference",
        {},
    ),
    "modelscope/ms-swift#10144": (mean_of(lambda losses: micro(losses, [1])), "the mean of the means of micro-batches", mean()),
    "a mean without its last pair": (
        mean_of(lambda losses: losses[:-1].sum() / len(losses) if len(losses) > 1 else losses.mean()),
        "the sum of all pairs but the last, divided by n",
        mean(),
    ),
    "NVIDIA-NeMo/RL#212": (mean_of(lambda losses: losses.mean() / 2), "half of|divided by 2", mean()),
    "deepspeedai/DeepSpeed#6841": (scaled_gradient(0.5), "half of the right ones", {"clauses": ("GRAD-1",)}),
    "microsoft/DirectML#740": (scaled_gradient(0.0), "0, always: the loss is cut off", {"clauses": ("GRAD-1",)}),
    "huggingface/diffusers#6702": (
        lambda pc, pr, rc, rr, beta, eps: smoothed(logit(pc, pr, rc, rr, beta).mean(), eps),
        r"-logsigmoid\(mean z\), not the mean",
        mean(),
    ),
    "mindspore-ai/mindspore#382": (
        lambda *a: torch.nan_to_num(smoothed(logit(*a[:5]), a[5]), nan=float("inf"), posinf=float("inf")),
        "where a log-probability is NaN .*, infinite in",
        {"clauses": ("SPECIAL-3",)},
    ),
    "linkedin/Liger-Kernel#968": (
        lambda pc, pr, rc, rr, beta, eps: Unweighed.apply(logit(pc, pr, rc, rr, beta)),
        "where each loss has a weight of its own",
        {"clauses": ("GRAD-6",), "options": ("beta",)},
    ),
}
"""By public report, its fault in words of our own, what the first sentence has to say, and how it is judged."""


@pytest.mark.parametrize("report", REPORTS)
def test_the_first_sentence_tells_a_reported_fault(report):
    loss, says, claims = REPORTS[report]
    clauses = claims.get("clauses", ("DEF-1", "LOSS-1"))
    _, headline, _ = first_cause(loss, *clauses, **{name: value for name, value in claims.items() if name != "clauses"})
    assert re.search(says, headline), headline


def test_a_neighbour_far_out_that_moves_the_others_by_an_ulp_is_seen():
    """shibatch/sleef#444: one element on the slow path takes its vector along, within every bound."""

    def loss(pc, pr, rc, rr, beta, eps):
        z = logit(pc, pr, rc, rr, beta)
        losses = smoothed(z, eps)
        slow = len(z) and z.abs().max() > 1000
        return torch.nextafter(losses, torch.tensor(torch.inf, dtype=losses.dtype)) if slow else losses

    for judged, verdict in ((loss, "violates"), (lambda *x: smoothed(logit(*x[:5]), x[5]), "conforms")):
        trial = Trial(torch_implementation(judged, gradient=False), binary32, get_profile("quick"), 0)
        assert check(find("BATCH-4"), trial).verdict == "conforms"
        assert check(find("BATCH-2"), trial).verdict == verdict
