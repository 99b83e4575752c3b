"""The 55 AA codec: frames per second out and in, as a radio delivers them, as a capture delivers them, and in noise."""

from __future__ import annotations

import random
import statistics

from fastcrc import crc16
from measure import Measurement, Report, interleaved, timed

from protocols.frames import ChecksumOrder, Frame, FrameDecoder, FrameType, State, encode

FRAMES = 20_000
NOTIFICATION = 20  # bytes of payload with the MTU that these modules use
READ = 4096


def _frames(rng: random.Random) -> list[bytes]:
    """What a Dr-05 says in a session: answers of 10 to 13 bytes."""
    return [
        encode(
            rng.choice((FrameType.ACTION, FrameType.SET, FrameType.GET, FrameType.REPORT)),
            State.ACCEPTED,
            rng.choice((0x01, 0x02, 0x03, 0x06, 0x07, 0x40, 0x41)),
            rng.randbytes(rng.randrange(4)),
        )
        for _ in range(FRAMES)
    ]


def _decode(stream: bytes, chunk: int) -> int:
    decoder = FrameDecoder()
    found = 0
    for start in range(0, len(stream), chunk):
        found += sum(type(item) is Frame for item in decoder.feed(stream[start : start + chunk], 0.0))
    return found


def _decode_byte_by_byte(stream: bytes) -> int:
    """The plain way, for scale: a state machine that looks at each byte, with the same checksum and values."""
    frames = []
    buffer = bytearray()
    for byte in stream:
        buffer.append(byte)
        size = len(buffer)
        if (size == 1 and byte != 0x55) or (size == 2 and byte != 0xAA) or (size == 3 and not 5 <= byte <= 8):
            buffer.clear()
        elif size > 3 and size == buffer[2] + 5:
            crc = crc16.modbus(bytes(buffer[2:-2]))
            for order in ChecksumOrder:
                if crc.to_bytes(2, order.value) == buffer[-2:]:
                    device_id = int.from_bytes(buffer[3:5], "big")
                    frames.append(Frame(buffer[5], buffer[6], buffer[7], bytes(buffer[8:-2]), device_id, order))
                    break
            buffer.clear()
    return len(frames)


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    rng = random.Random(seed)
    frames = _frames(rng)
    stream = b"".join(frames)
    noisy = b"".join(frame + rng.randbytes(rng.randrange(8)) for frame in frames)

    def decoding(data: bytes, chunk: int, at_least: float = 1.0) -> float:
        found = 0

        def work() -> None:
            nonlocal found
            found = _decode(data, chunk)

        seconds = timed(work)
        if found < FRAMES * at_least:
            raise AssertionError(f"seed {seed}: {found} of {FRAMES} frames found in chunks of {chunk}")
        return seconds

    def plain() -> float:
        seconds = timed(lambda: _decode_byte_by_byte(stream))
        if _decode_byte_by_byte(stream) != FRAMES:
            raise AssertionError(f"seed {seed}: the byte-by-byte decoder lost frames")
        return seconds

    results = interleaved(
        {
            "decode, notifications of 20 bytes": lambda: decoding(stream, NOTIFICATION),
            "decode, reads of 4 KiB": lambda: decoding(stream, READ),
            # Noise may by chance swallow the frame behind it; one in a thousand is far more than chance gives.
            "decode, noise between all frames": lambda: decoding(noisy, NOTIFICATION, 0.999),
            "decode, byte by byte (for scale)": plain,
            "encode": lambda: timed(lambda: [encode(FrameType.SET, State.REQUEST, 0x02, b"\x2a") for _ in frames]),
        },
        repeat or 7,
    )
    for name, seconds in results.items():
        report.add(Measurement(f"codec: {name}", FRAMES / statistics.median(seconds) / 1000, "kframes/s"))
    report.add(
        Measurement(
            "codec: reads of 4 KiB against byte by byte",
            statistics.median(results["decode, byte by byte (for scale)"])
            / statistics.median(results["decode, reads of 4 KiB"]),
            "times",
        )
    )
