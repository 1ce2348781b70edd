"""The messages of the process protocol, version 1: one JSON object a line. `docs/process.md` specifies them.

What the suite sends is built here; what a program sends is validated here against `schema/process.schema.json`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.errors import Misbehaviour
from conformance.implementations.numpy_arrays import DTYPES
from conformance.implementations.process.claims import of_losses, of_sequences
from conformance.implementations.protocol import Answer, Claims
from conformance.implementations.results import check_dtype, check_shape
from conformance.inputs.batch import NAMES, Batch
from conformance.records.environment import suite_version
from oracle import Format, get_format
from oracle.formats import Floats

PROTOCOL = 1
LONGEST_HELLO = 1 << 16
"""Bytes of a hello at the most."""
BYE = b'{"type":"bye"}\n'


@dataclass(frozen=True, slots=True)
class Hello:
    """What a program says of itself: its name and version, its claims, and what it runs on.

    losses: those that it computes, none for DPO's alone, or where it computes log-probabilities; parameters: which of theirs it
    honours.
    """

    name: str
    version: str
    claims: Claims
    environment: dict[str, str]
    losses: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def hello() -> bytes:
    """The first line that a program reads."""
    return as_line({"type": "hello", "protocol": PROTOCOL, "suite": suite_version()})


def evaluate(number: int, batch: Batch, fmt: Format, *, gradient: bool) -> bytes:
    """The request for the losses of a batch, with the patterns of its numbers in that format."""
    request: dict[str, Any] = {"type": "evaluate", "id": number, "dtype": fmt.name, "pairs": len(batch)}
    for name, value in (("beta", batch.beta), ("label_smoothing", batch.label_smoothing)):
        request |= number_of(name, value)
    request["want_gradient"] = gradient
    for name, values in zip(NAMES, batch.logps, strict=True):
        request[name] = to_hex(values, fmt)
    return as_line(request)


def number_of(name: str, value: float) -> dict[str, Any]:
    """A number under its name, and its binary64 pattern."""
    return {name: float(value), f"{name}_bits": struct.pack(">d", value).hex()}


def counts(row: NDArray[Any]) -> str:
    """Numbers of tokens, or labels: 16 hexadecimal digits each, of 64-bit integers in two's complement."""
    return row.astype(">i8").tobytes().hex()


def longest_answer(numbers: int) -> int:
    """Bytes of an answer of so many numbers at the most: of binary64, and as much room again, or for an error's message."""
    return 2 * 16 * numbers + (1 << 16)


def to_hex(values: Floats, fmt: Format) -> str:
    """The patterns of numbers of the format, most significant digit first, one after the other."""
    bits = fmt.encode(values)
    return bits.astype(bits.dtype.newbyteorder(">")).tobytes().hex()


def from_hex(what: str, digits: str, fmt: Format, shape: tuple[int, ...]) -> Floats:
    """The numbers of a string of patterns. Raises Misbehaviour: wrong width, wrong shape, garbled."""
    each = fmt.width // 4
    if len(digits) % each:
        raise Misbehaviour("wrong width", f"{what}: {len(digits)} digits, not a multiple of {fmt.name}'s {each}")
    given = () if not shape and len(digits) == each else (len(digits) // each,)
    check_shape(what, given, shape)
    try:
        patterns = bytes.fromhex(digits)
    except ValueError:  # a newline at the end, which the schema's pattern lets through in Python
        patterns = b""
    if 2 * len(patterns) != len(digits):
        raise Misbehaviour("garbled", f"{what}: not hexadecimal digits alone")
    bits = np.frombuffer(patterns, dtype=fmt.bits_dtype.newbyteorder(">"))
    return fmt.decode(bits.astype(fmt.bits_dtype).reshape(shape))


def read_hello(line: bytes) -> Hello:
    """The hello of a program. Raises Misbehaviour: garbled, another protocol, raised where it refuses."""
    data = _parsed("its hello", line)
    spoken = data.get("protocol")
    if data.get("type") == "hello" and isinstance(spoken, int) and spoken != PROTOCOL:
        newer = "newer than this suite's: update dpo-conformance" if spoken > PROTOCOL else "one that never was"
        raise Misbehaviour("another protocol", f"it speaks protocol {spoken}, {newer}; this suite speaks {PROTOCOL}")
    _check("its hello", data, "program_error" if data.get("type") == "error" else "program_hello")
    if data["type"] == "error":
        raise Misbehaviour("raised", f"it answered the hello with the error: {_first_line(data['message'])}")
    environment = data.get("environment", {})
    if data.get("kind") == "sequence":
        return Hello(data["name"], data["version"], of_sequences(data), environment)
    losses = tuple(data.get("losses", ()))
    parameters = tuple(data["options"]) if losses else ()
    return Hello(data["name"], data["version"], of_losses(data), environment, losses, parameters)


def read_answer(line: bytes, number: int, batch: Batch, fmt: Format, claimed: Claims, *, gradient: bool) -> Answer:
    """The answer to the request of that number. Raises Misbehaviour, as `read_numbers` does."""
    shape = (len(batch),) if claimed.reduction == "none" else ()
    losses, parts, dtype = read_numbers(line, number, len(batch), fmt, shape, NAMES if gradient else ())
    if not gradient:
        return Answer(losses, None, dtype)
    pc, pr, rc, rr = (parts[name] for name in NAMES)
    return Answer(losses, (pc, pr, rc, rr), dtype)


def read_numbers(
    line: bytes, number: int, pairs: int, fmt: Format, shape: tuple[int, ...], names: Sequence[str], *, whole: bool = False
) -> tuple[Floats, dict[str, Floats | None], str]:
    """The losses of an answer, of that shape; the derivatives by the names of what they are asked in; and the dtype.

    whole: one number for the whole batch will do too. Raises Misbehaviour: raised, where it answers with an error; garbled,
    out of order, wrong dtype, wrong width, wrong shape, no gradient.
    """
    data, own, dtype = _answer(line, number, fmt, "program_answer", "losses")
    alone = whole and len(data["losses"]) == own.width // 4
    losses = from_hex("losses", data["losses"], own, () if alone else shape)
    if not names:
        return losses, {}, dtype
    given = data.get("gradient")
    if given is None:
        raise Misbehaviour("no gradient", "it claims gradients, and gave none where one was wanted")
    if len(given) != len(names):
        raise Misbehaviour("wrong shape", f"gradient: {len(given)} arrays where {len(names)} were promised: {', '.join(names)}")
    parts = {
        name: None if part is None else from_hex(f"d loss / d {name}", part, own, (pairs,))
        for name, part in zip(names, given, strict=True)
    }
    return losses, parts, dtype


def read_logps(
    line: bytes, number: int, fmt: Format, shape: tuple[int, ...], slopes: tuple[int, ...] | None
) -> tuple[Floats, Floats | None, str]:
    """The log-probabilities of an answer, the derivatives of their sum of the shape `slopes`, and the dtype.

    Raises Misbehaviour, as `read_numbers` does.
    """
    data, own, dtype = _answer(line, number, fmt, "program_logps", "logps")
    values = _reshaped("logps", data["logps"], own, shape)
    if slopes is None:
        return values, None, dtype
    if data.get("gradient") is None:
        raise Misbehaviour("no gradient", "it claims gradients, and gave none where one was wanted")
    return values, _reshaped("gradient", data["gradient"], own, slopes), dtype


def _reshaped(what: str, digits: str, fmt: Format, shape: tuple[int, ...]) -> Floats:
    return from_hex(what, digits, fmt, (int(np.prod(shape)),)).reshape(shape)


def _answer(line: bytes, number: int, fmt: Format, kind: str, what: str) -> tuple[dict[str, Any], Format, str]:
    """The message of an answer to that request, its numbers' format and their dtype. Raises Misbehaviour."""
    data = _parsed("its answer", line)
    _check("its answer", data, "program_error" if data.get("type") == "error" else kind)
    if data["id"] != number:
        raise Misbehaviour("out of order", f"its answer bears the id {data['id']} where {number} was asked")
    if data["type"] == "error":
        raise Misbehaviour("raised", f"it answered with the error: {_first_line(data['message'])}")
    own = get_format(data.get("dtype", fmt.name))
    dtype = str(DTYPES[own.name])
    check_dtype(what, dtype, own.precision, fmt)
    return data, own, dtype


@cache
def schema() -> dict[str, Any]:
    """The protocol's JSON Schema, as shipped in conformance/schema/."""
    text = resources.files("conformance").joinpath("schema/process.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def as_line(message: dict[str, Any]) -> bytes:
    """The message as the line that is sent."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _parsed(what: str, line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode())
    except (ValueError, RecursionError):
        told = f"{what} is not JSON: {shown(line)}; what is not an answer belongs on standard error"
        raise Misbehaviour("garbled", told) from None
    if not isinstance(data, dict):
        raise Misbehaviour("garbled", f"{what} is not a JSON object: {shown(line)}")
    return data


def _check(what: str, data: dict[str, Any], kind: str) -> None:
    """Raises Misbehaviour, naming the place, unless the message is valid."""
    if _validator(kind).is_valid(data):
        return
    import jsonschema  # noqa: PLC0415 - as below

    error = jsonschema.exceptions.best_match(_validator(kind).iter_errors(data))
    place = "/".join(str(part) for part in error.absolute_path) if error is not None else ""
    text = "" if error is None else error.message
    if error is not None and error.validator == "not":
        text = "this key is not for what it claims"
    text = text if len(text) < 200 else f"{text[:80]} ... {text[-80:]}"
    raise Misbehaviour("garbled", f"{what} is not valid{f' at {place}' if place else ''}: {text}")


@cache
def _validator(kind: str) -> Any:
    import jsonschema  # noqa: PLC0415 - slow to import, and needed only where a program is judged

    return jsonschema.Draft202012Validator(schema()["$defs"][kind])


def shown(text: bytes | bytearray) -> str:
    """The first line of what a program wrote, quoted and cut to 80 characters."""
    first = text.decode(errors="replace").strip("\r\n").split("\n")[0]
    return repr(first if len(first) <= 80 else first[:80] + "...")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:200] if lines else "(no message)"
