"""A right program in binary32 and binary64, with the standard library alone, that misbehaves in one named way when told.

python misbehaving.py MODE [always|nan|empty|smoothed] [JSON that overrides parts of the hello]
"""

import contextlib
import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

MODE = sys.argv[1] if len(sys.argv) > 1 else "right"
WHEN = sys.argv[2] if len(sys.argv) > 2 else "always"
HELLO = {
    "type": "hello",
    "protocol": 1,
    "name": MODE,
    "version": "3",
    "dtypes": ["binary32", "binary64"],
    "options": ["beta", "label_smoothing"],
    "reduction": "none",
    "gradient": True,
    "environment": {"pid": str(os.getpid())},
}
if MODE == "moody":
    HELLO["name"] += HELLO["environment"]["pid"]
HELLO.update(json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})
LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def numbers(digits, dtype):
    code, width = ("f", 4) if dtype == "binary32" else ("d", 8)
    return list(struct.unpack(f">{len(digits) // (2 * width)}{code}", bytes.fromhex(digits)))


def patterns(values, dtype):
    def pack(x):
        with contextlib.suppress(OverflowError):
            return struct.pack(">f", x)
        return struct.pack(">f", math.copysign(math.inf, x))

    return b"".join(map(pack, values) if dtype == "binary32" else (struct.pack(">d", x) for x in values)).hex()


def softplus(x):
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x))) if not math.isnan(x) else x


def sigmoid(x):
    y = math.exp(-abs(x))
    return (1.0 if x >= 0 else y if x < 0 else x) / (1 + y)


def answer(request):
    dtype, beta, eps = request["dtype"], request["beta"], request["label_smoothing"]
    pc, pr, rc, rr = (numbers(request[key], dtype) for key in LOGPS)
    z = [beta * ((a - c) - (b - d)) for a, b, c, d in zip(pc, pr, rc, rr, strict=True)]
    losses = [softplus(-x) if eps == 0 else (1 - eps) * softplus(-x) + eps * softplus(x) for x in z]
    slope = [-sigmoid(-x) if eps == 0 else eps * sigmoid(x) - (1 - eps) * sigmoid(-x) for x in z]
    if HELLO["reduction"] == "mean":
        losses, slope = [sum(losses) / len(z)], [s / len(z) for s in slope]
    up, down = (patterns([sign * beta * s for s in slope], dtype) for sign in (1, -1))
    said = {"type": "answer", "id": request["id"], "losses": patterns(losses, dtype)}
    if request["want_gradient"]:
        said["gradient"] = [up, down, down, up]
    return said


def start_a_child():
    """A child that would live on and holds this process's streams."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    HELLO["environment"]["child"] = str(child.pid)


def late(message):
    time.sleep(4)
    return message


def flood(text):
    with contextlib.suppress(BrokenPipeError):
        while True:
            write(text)


def complain(message):
    sys.stderr.write("x" * (1 << 20) + "\nthe last complaint\n")
    sys.stderr.flush()
    return message


def sleep(_):
    time.sleep(600)


def closes(_):
    os.close(1)
    time.sleep(600)


def dies(status):
    def die(_):
        sys.stderr.write("warming up\nno kernel image\n\n")
        sys.stderr.flush()
        os._exit(status)

    return die


def changed(**values):
    return lambda message: {**message, **values}


def edited(edit):
    return lambda message: {**message, "losses": edit(message["losses"])}


def text(make):
    """Write that text instead of the answer."""
    return lambda message: write(make(json.dumps(message)))


ACTS = {
    "right": lambda message: message,
    "dies": dies(3),
    "ends": dies(0),
    "segfaults": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "dies-within-a-line": lambda message: (write(json.dumps(message)[:20]), os._exit(4)),
    "hangs": sleep,
    "late": late,
    "closes-output": closes,
    "wrong-id": lambda message: {**message, "id": message["id"] + 1},
    "old-id": lambda message: {**message, "id": max(1, message["id"] - 1)},
    "answers-twice": text(lambda answer: f"{answer}\n{answer}\n"),
    "prints": text(lambda answer: f"loss = 0.69\n{answer}\n"),
    "prints-after": text(lambda answer: f"{answer}\ndone\n"),
    "empty-line": text(lambda answer: f"\n{answer}\n"),
    "floods": lambda _: flood("x" * 4096),
    "floods-lines": lambda _: flood("{}\n"),
    "too-many": edited(lambda digits: digits * 2),
    "too-few": edited(lambda digits: digits[:8]),
    "no-numbers": edited(lambda _: ""),
    "wrong-hex": edited(lambda digits: "g" + digits[1:]),
    "spaced-hex": edited(lambda digits: digits[:-2] + "  "),
    "newline-hex": edited(lambda digits: digits[:-1] + "\n"),
    "prefixed-hex": edited(lambda digits: "0x" + digits),
    "half-width": edited(lambda digits: digits[:-1]),
    "numbers": changed(losses=[0.5, 0.5, 0.5]),
    "null": changed(losses=None),
    "narrower": changed(dtype="bfloat16"),
    "no-format": changed(dtype="float8"),
    "no-gradient": changed(gradient=None),
    "three-derivatives": changed(gradient=["", "", ""]),
    "short-derivatives": changed(gradient=["", "", "", ""]),
    "unknown-key": changed(note="hello"),
    "another-type": changed(type="losses"),
    "not-json": text(lambda _: "loss: 0.69\n"),
    "array": text(lambda _: "[1, 2, 3]\n"),
    "nested": text(lambda _: "[" * 100_000 + "\n"),
    "not-utf-8": lambda _: os.write(1, b"\xff\xfe\n") and None,
    "refuses": lambda message: {"type": "error", "id": message["id"], "message": "log-probabilities must be finite\nat line 7"},
    "refuses-another": lambda message: {"type": "error", "id": message["id"] + 5, "message": "busy"},
    "complains": complain,
    "crlf": text(lambda answer: f"{answer}\r\n"),
    "capitals": edited(str.upper),
    "detached": lambda message: {**message, "gradient": [*message["gradient"][:2], None, None]},
}


def due(request):
    pairs = [x for key in LOGPS for x in numbers(request[key], request["dtype"])]
    return {
        "always": True,
        "nan": any(math.isnan(x) for x in pairs),
        "infinite": any(math.isinf(x) for x in pairs),
        "empty": not pairs,
        "smoothed": request["label_smoothing"] == 0.5,
        "hello": False,
    }[WHEN]


def greet():
    said = HELLO
    if WHEN == "hello":
        said = ACTS[MODE]({**HELLO, "id": 0, "losses": ""} if MODE.startswith("refuses") else HELLO)
    if said is not None:
        write(json.dumps(said) + "\n")


def prepare():
    """What some modes do before they listen."""
    if MODE == "never-reads":
        time.sleep(600)
    if MODE == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE in {"with-a-child", "dies-with-a-child"}:
        start_a_child()
    if MODE == "greets-unasked":
        write("{}\n")
    if MODE == "once":
        mark = Path(os.environ["MARK"])
        if mark.exists():
            sys.exit("the licence is in use")
        mark.touch()


def main():
    prepare()
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "hello":
            greet()
            if MODE == "prints-between":
                time.sleep(0.2)
                write("idle\n")
            if MODE == "reads-no-more":
                time.sleep(600)
            if MODE == "hasty":  # it answers the first request, of 20,000 pairs, as soon as that begins
                select.select([0], [], [])
                write(json.dumps({"type": "answer", "id": 1, "losses": "0" * 16 * 20_000}) + "\n")
                sys.stdin.readline()
        elif request["type"] == "bye":
            break
        else:
            if MODE in {"dies-with-a-child", "moody", "once"} and due(request):
                dies(9)(None)
            said = answer(request)
            said = ACTS[MODE](said) if MODE in ACTS and due(request) else said
            if said is not None:
                write(json.dumps(said) + "\n")
    if MODE == "stays":
        time.sleep(600)


if __name__ == "__main__":
    main()
