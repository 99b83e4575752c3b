"""What a kitchen scale and its app say to each other. Bytes in, values out: no radio, no clock."""

from dataclasses import dataclass

SERVICE, QUESTIONS, ANSWERS = "fff0", "fff1", "fff2"
WEIGH, TARE, WEIGHT, TARED = 0x01, 0x02, 0x11, 0x12


@dataclass(frozen=True)
class Weight:
    grams: float

    def __str__(self) -> str:
        return f"{self.grams:g} g"


@dataclass(frozen=True)
class Tared:
    def __str__(self) -> str:
        return "tared"


@dataclass(frozen=True)
class Damaged:
    data: bytes

    def __str__(self) -> str:
        return f"damaged: {self.data.hex(' ')}"


def framed(kind: int, payload: bytes = b"") -> bytes:
    """A frame: its kind, what it carries, and the sum of both."""
    body = bytes([kind]) + payload
    return body + bytes([sum(body) & 0xFF])


def weight_frame(grams: float) -> bytes:
    return framed(WEIGHT, round(grams * 10).to_bytes(2, "little", signed=True))


def decoded(data: bytes) -> Weight | Tared | Damaged:
    """What an answer of the scale means; never raises."""
    if len(data) == 4 and framed(data[0], data[1:-1]) == data and data[0] == WEIGHT:
        return Weight(int.from_bytes(data[1:3], "little", signed=True) / 10)
    if data == framed(TARED):
        return Tared()
    return Damaged(data)
