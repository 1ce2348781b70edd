# /// script
# dependencies = ["liger-kernel==0.8.5", "torch>=2.4", "triton"]
#
# [tool.dpo-conformance]
# no-deps = ["liger-kernel"]
# ///
"""Liger-Kernel 0.8.5: loss_type="sigmoid" takes label_smoothing and does not use it.

OPTION-2, and by the same cause AUTOGRAD-1, AUTOGRAD-2, AUTOGRAD-3, AUTOGRAD-4, AUTOGRAD-5, AUTOGRAD-6, AUTOGRAD-7,
AUTOGRAD-8, AUTOGRAD-9, AUTOGRAD-11, AUTOGRAD-12, CALL-6, CALL-8, CALL-9, CALL-11, DEF-1, DEF-2, GRAD-3, GRAD-5, GRAD-6,
GRAD-7, LAYOUT-1, LAYOUT-2, LAYOUT-4, OPTION-5, OPTION-6, OPTION-7, PROPERTY-1, PROPERTY-2, REDUCE-1, REDUCE-4, REDUCE-5,
REDUCE-8, REDUCE-10, SMOOTH-1, SMOOTH-2, SMOOTH-3, SPECIAL-5, SPECIAL-9 and TIE-2, whose inputs are
smoothed. First the loss alone, for one pair with margin 2 and beta 0.1; then the fused loss, and that it is the same
function of its log-probabilities.
"""

import math

import torch
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction, LigerFusedLinearDPOLoss

z = 0.1 * 2
logps = [torch.tensor([x], requires_grad=True) for x in (-10.0, -12.0, -11.0, -11.0)]
target = torch.zeros(2, 1, dtype=torch.long)


def loss(logps, eps):
    pc, pr, rc, rr = logps
    return LigerFusedLinearDPOFunction.preference_loss_fn(pc, pr, target, rc, rr, beta=0.1, label_smoothing=eps)[0]


for eps in (0.0, 0.1, 0.3, 0.5):
    value = loss(logps, eps)
    slope = torch.autograd.grad(value, logps[0])[0].item()
    exact = (1 - eps) * math.log1p(math.exp(-z)) + eps * math.log1p(math.exp(z))
    exact_slope = -0.1 * (1 / (1 + math.exp(z)) - eps)
    print(f"label_smoothing {eps}: loss {value.item():.9f}, exact {exact:.9f}; d/d pc {slope:.9f}, exact {exact_slope:.9f}")
impossible = [torch.tensor([x], requires_grad=True) for x in (-12.0, -math.inf, -11.0, -14.0)]
value = loss(impossible, 0.1)
slope = torch.autograd.grad(value, impossible[0])[0].item()
print(f"SPECIAL-9, SPECIAL-5: z = +inf, label_smoothing 0.1: loss {value}, exact inf; d/d pc {slope:.9f}, exact 0.01")

torch.manual_seed(0)
weight, reference = torch.randn(7, 4), torch.randn(7, 4)
states, labels = torch.randn(4, 3, 4), torch.randint(0, 7, (4, 3))
for eps in (0.0, 0.3):
    fused = LigerFusedLinearDPOLoss(compiled=False, beta=0.1, label_smoothing=eps)
    value, _ = fused(weight, states, labels, ref_input=states, ref_weight=reference)
    print(f"the fused loss, label_smoothing {eps}: {value.item():.9f}")

# the logits (x, 0) give the first token the log-probability x, exactly where x <= -17: there the fused loss is comparable
pairs = 1000
policy, frozen = (-20 - 500 * torch.rand(2 * pairs) for _ in range(2))
policy.requires_grad_()
head, first = torch.tensor([[1.0], [0.0]]), torch.zeros(2 * pairs, 1, dtype=torch.long)
assert torch.equal(torch.log_softmax(policy[:, None] @ head.T, -1)[:, 0], policy)
fused = LigerFusedLinearDPOLoss(compiled=False, beta=0.1, chunk_size=pairs)
through, _ = fused(head, policy[:, None, None], first, ref_input=frozen[:, None, None], ref_weight=head)
alone = LigerFusedLinearDPOFunction.preference_loss_fn(*policy.chunk(2), first, *frozen.chunk(2), beta=0.1)[0]
same = torch.equal(through, alone) and torch.equal(*(torch.autograd.grad(loss, policy)[0] for loss in (through, alone)))
print(f"the fused loss of {pairs} pairs and its derivatives, and those of the function that is judged: the same bits: {same}")
