"""Losses by name with the standard library alone: hinge and nll_token_mean, a batch's; the hello may be overridden, and MODE
may be `three` (derivatives in three log-probabilities), `one-wrong` (hinge at twice beta) or `ends`.
"""

import json
import struct
import sys

MODE = sys.argv[1] if len(sys.argv) > 1 else "right"
HELLO = {
    "type": "hello",
    "protocol": 1,
    "name": MODE,
    "version": "1",
    "dtypes": ["binary64"],
    "losses": ["hinge", "nll_token_mean"],
    "options": ["beta"],
    "reduction": "none",
    "gradient": True,
} | json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}")


def row(digits, code):
    return struct.unpack(f">{len(digits) // 16}{code}", bytes.fromhex(digits))


def hexadecimal(values):
    return struct.pack(f">{len(values)}d", *values).hex()


def hinge(asked, n):
    beta = asked["beta"] * (2 if MODE == "one-wrong" else 1)
    pc, pr, rc, rr = (row(asked[f"{who}_logps"], "d") for who in LOGPS)
    z = [beta * ((pc[i] - rc[i]) - (pr[i] - rr[i])) for i in range(n)]
    up = [-beta if x < 1 else x - x for x in z]
    down = [-x for x in up]
    return [1 - x if not x >= 1 else 0.0 for x in z], [up, down, down, up]


def nll_token_mean(asked, n):
    tokens = sum(row(asked["chosen_lengths"], "q"))
    return [-sum(row(asked["policy_chosen_logps"], "d")) / tokens], [[-1 / tokens] * n]


LOGPS = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")
LOSSES = {"hinge": hinge, "nll_token_mean": nll_token_mean}

for line in sys.stdin:
    asked = json.loads(line)
    if asked["type"] == "bye":
        break
    said = HELLO
    if asked["type"] == "evaluate":
        if MODE == "ends":
            sys.exit(3)
        losses, gradient = LOSSES[asked["loss"]](asked, asked["pairs"])
        said = {"type": "answer", "id": asked["id"], "losses": hexadecimal(losses)}
        if asked["want_gradient"]:
            said["gradient"] = [hexadecimal(part) for part in gradient][: 3 if MODE == "three" else 4]
    print(json.dumps(said), flush=True)
