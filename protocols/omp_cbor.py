"""The little of CBOR (RFC 8949) that an OMP session record is made of, strictly.

Whole numbers, byte strings, text, arrays and maps of definite length, in the deterministic encoding of section 4.2.1
alone: shortest lengths, keys in order, no key twice. One value has one spelling, so whatever decodes encodes to the
same bytes. Refuses floats, tags, simple values and indefinite lengths, which a record has no use for; a library that
takes them all would let a device send what nobody here tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

Value = Union[int, bytes, str, tuple["Value", ...], "Map"]
Map = Mapping[int | str, Value]

MAX_DEPTH = 4
"""How deep arrays and maps may stand in one another; a record needs two."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}


class CborError(ValueError):
    """Bytes that are not this subset, or a value outside it; the message says what and, for bytes, at which offset."""


def encode(value: Value) -> bytes:
    """Return the one encoding of a value.

    Raises:
        CborError: the value, or something in it, is outside the subset.
    """
    return _encode(value, MAX_DEPTH)


def decode(data: bytes) -> Value:
    """Return the value that the bytes are; arrays become tuples.

    Raises:
        CborError: they are not exactly one value of the subset in its one encoding.
    """
    value, end = _decode(data, 0, MAX_DEPTH)
    if end != len(data):
        raise CborError(f"{len(data) - end} bytes too many at {end}")
    return value


def _encode(value: Value, depth: int) -> bytes:
    match value:
        case bool():
            raise CborError("a truth value has no place in a record")
        case int() if value >= 0:
            return _head(_UNSIGNED, value)
        case int():
            return _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            return _encode_text(value)
        case tuple() if depth:
            return _head(_ARRAY, len(value)) + b"".join(_encode(each, depth - 1) for each in value)
        case Mapping() if depth:
            pairs = sorted((_encode(key, depth - 1), _encode(each, depth - 1)) for key, each in value.items())
            return _head(_MAP, len(value)) + b"".join(key + each for key, each in pairs)
        case tuple() | Mapping():
            raise CborError(f"more than {MAX_DEPTH} levels deep")
        case _:
            raise CborError(f"{type(value).__name__} has no place in a record")


def _encode_text(value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise CborError("text with half a surrogate pair has no UTF-8") from None
    return _head(_TEXT, len(data)) + data


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    for code, length in _LENGTHS.items():
        if number < 1 << 8 * length:
            return bytes((major << 5 | code,)) + number.to_bytes(length, "big")
    raise CborError("a number beyond 64 bits")


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    major, number, after = _decode_head(data, at)
    match major:
        case 0:
            return number, after
        case 1:
            return -1 - number, after
        case 2 | 3:
            piece = data[after : after + number]
            if len(piece) != number:
                raise CborError(f"cut short at {len(data)}")
            if major == _BYTES:
                return piece, after + number
            try:
                return piece.decode(), after + number
            except UnicodeDecodeError:
                raise CborError(f"text that is not UTF-8 at {after}") from None
        case 4 | 5 if not depth:
            raise CborError(f"more than {MAX_DEPTH} levels deep at {at}")
        case 4:
            return _decode_array(data, after, number, depth)
        case 5:
            return _decode_map(data, after, number, depth)
    raise CborError(f"a tag, float or simple value at {at}")


def _decode_head(data: bytes, at: int) -> tuple[int, int, int]:
    if at >= len(data):
        raise CborError(f"cut short at {at}")
    major, number = data[at] >> 5, data[at] & 0x1F
    if number < 24:
        return major, number, at + 1
    length = _LENGTHS.get(number)
    if length is None:
        raise CborError(f"an indefinite or reserved length at {at}")
    after = at + 1 + length
    if after > len(data):
        raise CborError(f"cut short at {len(data)}")
    long = int.from_bytes(data[at + 1 : after], "big")
    if long < (24 if length == 1 else 1 << 4 * length):
        raise CborError(f"a number longer than it needs to be at {at}")
    return major, long, after


def _decode_array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    # No list of `count` is made ahead: the count is the sender's word, and memory is ours.
    values: list[Value] = []
    for _ in range(count):
        value, at = _decode(data, at, depth - 1)
        values.append(value)
    return tuple(values), at


def _decode_map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    values: dict[int | str, Value] = {}
    last = b""
    for _ in range(count):
        start = at
        key, at = _decode(data, at, depth - 1)
        if not isinstance(key, int | str):
            raise CborError(f"a key that is neither number nor text at {start}")
        if data[start:at] <= last:
            raise CborError(f"a key out of order or twice at {start}")
        last = data[start:at]
        values[key], at = _decode(data, at, depth - 1)
    return values, at
