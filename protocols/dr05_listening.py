"""The Dr-05 overheard: 55 AA frames of both directions out of a recording, with what the firmware makes of them.

Knows what :mod:`protocols.dr05` knows of the device. Refuses to speak: see :mod:`protocols.listening`.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols import model
from protocols.frames import (
    DEVICE_ID,
    ChecksumOrder,
    Defect,
    Frame,
    FrameDecoder,
    FrameType,
    Garbage,
    State,
    decode,
)
from protocols.ledger import Key
from protocols.listening import UNNAMED, Heard, Listener, Speaker
from protocols.model import Command
from protocols.uart import LAYOUTS

ANSWER_S = 2.0
"""How long an answer may take. The device needs 27 ms, the radio rarely as much as a second; what comes later belongs
to a question that the recording does not have."""
MAX_WAITING = 64

_NOTIFIED = frozenset(layout[1] for layout in LAYOUTS)
_WRITTEN = frozenset(layout[2] for layout in LAYOUTS)
_WATER_SILENCE_S = 3.0
_ORDER_NAMES = {ChecksumOrder.HIGH_FIRST: "high byte first", ChecksumOrder.LOW_FIRST: "low byte first"}
_QUESTIONS: dict[int, Command] = {0x40: model.QueryVersion(), 0x41: model.QueryTemperature()}
_WITH_PARA = frozenset({(0x31, 0x01), (0x31, 0x03), (0x32, 0x02), (0x32, 0x0C), (0x32, 0x0D)})
_FACTORY = {0x05: "ageing mode", 0xAA: "firmware update"}


@dataclass(frozen=True, slots=True)
class _Asked:
    key: Key
    command: Command
    order: ChecksumOrder | None
    at: float


class Dr05Listener(Listener):
    """Overhears one link to one Dr-05.

    The byte order that the device reads its checksums in is taken to be the published firmware's, high byte first,
    until an answer shows another one.
    """

    def __init__(self) -> None:
        self._decoders: dict[tuple[Speaker, str], FrameDecoder] = {}
        self._asked: list[_Asked] = []
        self._order: ChecksumOrder | None = None
        self._water_low_at: float | None = None

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """Frames that the host wrote, cut anywhere. See :class:`Listener`."""
        items = self._items("host", characteristic, data, now, _WRITTEN)
        return tuple(item if isinstance(item, Heard) else self._request(item, now) for item in items)

    def received(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """Frames that the device sent, cut anywhere. See :class:`Listener`."""
        heard: list[Heard] = []
        for item in self._items("device", characteristic, data, now, _NOTIFIED):
            if isinstance(item, Heard):
                heard.append(item)
            elif item.type == FrameType.REPORT:
                heard += self._report(item, now)
            else:
                heard += self._answer(item, now)
        return tuple(heard)

    def _items(
        self, by: Speaker, characteristic: str, data: bytes, now: float, known: frozenset[str]
    ) -> list[Frame | Heard]:
        """Cut bytes into frames; what is no frame is heard as that, on a serial line that is known to be one."""
        unnamed = characteristic.startswith(UNNAMED)
        if characteristic not in known and not unnamed:
            return []
        decoder = self._decoders.setdefault((by, characteristic), FrameDecoder())
        found: list[Frame | Heard] = []
        for item in decoder.feed(data, now):
            if isinstance(item, Frame):
                found.append(item)
                continue
            spoilt = _spoilt(by, item)
            if spoilt is not None:
                found.append(spoilt)
            elif not unnamed:
                found.append(Heard(by, "unrecognised", item.data, reason=str(item.reason)))
        return found

    # --- the host -----------------------------------------------------------------------------------------------------

    def _request(self, frame: Frame, now: float) -> Heard:
        command, problem = _meaning(frame)
        if command is not None:
            asked = _Asked(_key(frame), command, frame.order, now)
            self._asked = [*self._asked[-MAX_WAITING + 1 :], asked]
        reads = self._order or ChecksumOrder.HIGH_FIRST
        # Two equal bytes are right in both orders.
        if frame.order is not None and frame.order is not reads and frame.raw[-2] != frame.raw[-1]:
            printed = frame.raw[-2:].hex(" ").upper()
            who = "the published firmware reads" if self._order is None else "this device reads"
            reason = (
                f"its checksum {printed} is {_ORDER_NAMES[frame.order]} and {who} {_ORDER_NAMES[reads]}: "
                "the device answers with state 00 and does nothing"
            )
            return Heard("host", "refused", frame.raw, command, reason, brief="checksum byte order")
        if command is None:
            return Heard("host", "unrecognised", frame.raw, reason=problem)
        return Heard("host", "command", frame.raw, command)

    # --- the device ---------------------------------------------------------------------------------------------------

    def _answer(self, frame: Frame, now: float) -> list[Heard]:
        command, problem = _meaning(frame)
        if frame.state not in (State.ACCEPTED, State.REFUSED) or command is None:
            problem = problem or f"state {frame.state:02X} is no answer"
            return [Heard("device", "unrecognised", frame.raw, reason=problem)]
        asked = self._take(_key(frame), now)
        latency = None if asked is None else now - asked.at
        accepted = frame.state == State.ACCEPTED
        if asked is not None and asked.order is not None:
            self._order = asked.order if accepted else asked.order.other
        if not accepted:
            return [Heard("device", "refused", frame.raw, command, str(model.Refusal.CHECKSUM), latency)]
        heard = [Heard("device", "acknowledged", frame.raw, command, latency_s=latency)]
        if frame.type == FrameType.GET and len(frame.para) == 2:
            told: model.Version | model.Temperature = model.Version(frame.para[0], frame.para[1])
            if isinstance(command, model.QueryTemperature):
                told = model.Temperature(int.from_bytes(frame.para, "big", signed=True) / 10)
            heard.append(Heard("device", "event", frame.raw, told))
        return heard

    def _take(self, key: Key, now: float) -> _Asked | None:
        """The oldest question that the answer fits; the device answers in the order in which it was asked."""
        self._asked = [asked for asked in self._asked if 0 <= now - asked.at <= ANSWER_S]
        for asked in self._asked:
            if asked.key == key:
                self._asked.remove(asked)
                return asked
        return None

    def _report(self, frame: Frame, now: float) -> list[Heard]:
        if frame.func != 0x07 or frame.para not in (b"\x00", b"\x01") or frame.device_id != DEVICE_ID:
            return [Heard("device", "unrecognised", frame.raw, reason="a report that means nothing here")]
        if frame.para == b"\x01":
            self._water_low_at = None
            return [Heard("device", "event", frame.raw, model.WaterBack())]
        before, self._water_low_at = self._water_low_at, now
        if before is not None and 0 <= now - before < _WATER_SILENCE_S:
            return []  # repeated each second while it lasts
        return [Heard("device", "event", frame.raw, model.WaterLow())]


def _key(frame: Frame) -> Key:
    return (frame.type, frame.func, b"" if frame.type == FrameType.GET else frame.para)


def _spoilt(by: Speaker, garbage: Garbage) -> Heard | None:
    """A whole frame whose checksum is wrong, as some of the maker's own examples are; None for anything else."""
    if garbage.reason is not Defect.CHECKSUM:
        return None
    try:
        frame = decode(garbage.data)
    except ValueError:
        return None
    if by == "device":
        return Heard(by, "unrecognised", frame.raw, reason=str(garbage.reason))
    reason = "its checksum is wrong in either byte order"
    return Heard(by, "refused", frame.raw, _meaning(frame)[0], reason, brief="wrong checksum")


def _meaning(frame: Frame) -> tuple[Command | None, str]:
    """The command that a request or its echo is about, or None and why there is none."""
    if frame.device_id != DEVICE_ID:
        return None, f"device id {frame.device_id:04X} is not this device's: it does not answer"
    if frame.type == FrameType.GET:
        question = _QUESTIONS.get(frame.func)
        return question, "" if question else f"question {frame.func:02X} is not known: the device does not answer"
    if frame.type == FrameType.ACTION and frame.func in _FACTORY:
        return None, f"{_FACTORY[frame.func]}, which is the factory's and never sent by a companion"
    key = (frame.type, frame.func)
    if key == (FrameType.ACTION, 0x06):
        return model.TotalStop(), ""
    if key not in _WITH_PARA:
        return None, f"type {frame.type:02X} function {frame.func:02X} is not known: the device does not answer"
    if not frame.para:
        return None, "it has no parameter: the firmware takes what an older frame left in its buffer"
    return _with_para(key, frame.para[0]), ""


def _with_para(key: tuple[int, int], para: int) -> Command:
    match key:
        case (0x31, 0x01):
            return model.StartCooling() if para == 1 else model.StopCooling()
        case (0x31, 0x03):
            return model.StartOutput() if para == 1 else model.StopOutput()
        case (0x32, 0x02):
            return model.SetIntensity(para)
        case (0x32, 0x0C):
            return model.SetCoolingTarget(para - 256 if para > 127 else para)
        case _:
            return model.SelectMode(para)
