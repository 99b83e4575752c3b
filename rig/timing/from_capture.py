"""The standard measurements out of a capture: every link, what was said on it, and what became of the link itself.

Knows captures. Refuses to know what is measured between two exchanges: :mod:`rig.timing.measure` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rig.capture.events import EventDecoder
from rig.capture.gatt import GattTracker
from rig.capture.operations import GattOperation, Pairing
from rig.capture.reading import Reading
from rig.timing.measure import (
    COMMAND_TO_ACKNOWLEDGEMENT,
    CONNECTION_INTERVAL,
    SILENCE_INTERVALS,
    STANDARD,
    SUPERVISION_GAP,
    Answer,
    Step,
    as_answer,
    in_order,
    step_samples,
    use_answers,
)

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.capture.handle_map import HandleMap
    from rig.capture.layers.links import Happening, Link

CCCD: Final = "2902"
DECLARATIONS: Final = frozenset({"2800", "2801", "2802", "2803"})
"""Services, includes and characteristics (Vol 3 Part G, 3.1 to 3.3): to read one is discovery, and no exchange."""
CONNECTION_TIMEOUT: Final = 0x08
"""HCI error code (Vol 1 Part F, 2.8): the supervision timeout has passed."""
MAX_OPEN: Final = 64
"""How many links are listened for at a time; of more, which no radio serves, those that began last."""

_DOES: Final[dict[str, Literal["write", "read", "push"]]] = {
    "read": "read",
    "write": "write",
    "long_write": "write",
    "write_command": "write",
    "signed_write_command": "write",
    "notification": "push",
    "indication": "push",
}


def capture_samples(
    path: str | Path,
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    registry: Registry | None = None,
) -> dict[str, list[float]]:
    """Take the standard measurements of a capture; see :func:`rig.timing.measure.samples_of`.

    The two ends of a link may both be clients (a phone has a GATT server too): each end's conversation with the other
    is one of its own.

    Raises:
        CaptureError: the capture cannot be read, or is damaged.
        ProtocolChoiceError: there is no protocol with that key, or it cannot listen.
    """
    steps: dict[tuple[int, int], list[Step]] = {}
    answers: dict[int, list[Answer]] = {}
    air = _Air()
    with Reading(path, handle_map) as reading:
        pairing = Pairing(reading.tracker)
        # A decoder has to name the PDUs by itself, and a tracker may be told of each PDU once only.
        told = GattTracker(handle_map if handle_map is not None else reading.carried)
        decoder = EventDecoder(told, reading.stack.observations, protocol=protocol, registry=registry)
        links = reading.stack.links
        for record in reading.records():
            pdus = reading.stack.feed(record)
            air.watch(links, record.frame, record.time_ns)
            for pdu in pdus:
                for event in decoder.feed(pdu):
                    what = _class_name(event.name)
                    answer = as_answer(event.time_ns, event.by, event.kind, what, event.latency_s)
                    if answer is not None:
                        answers.setdefault(event.link, []).append(answer)
                handle, uuid = reading.tracker.name(pdu)
                for operation in pairing.feed(pdu, handle, uuid):
                    _keep(steps, operation)
        for operation in pairing.flush():
            _keep(steps, operation)
        chosen = dict(decoder.chosen)
    found: dict[str, list[float]] = {}
    for one in links:
        if link is not None and one.number != link:
            continue
        for (number, _), done in sorted(steps.items()):
            if number == one.number:
                own = step_samples(sorted(done, key=lambda step: step.at_ns))
                if number in chosen:
                    own.pop(COMMAND_TO_ACKNOWLEDGEMENT.name, None)
                _join(found, own)
        if one.number in chosen:
            heard: dict[str, list[float]] = {}
            use_answers(heard, answers.get(one.number, ()))
            _join(found, heard)
        _join(found, {CONNECTION_INTERVAL.name: list(_intervals(one))})
        _join(found, {SUPERVISION_GAP.name: air.silences(one)})
    return in_order(found)


class _Air:
    """When each link was last heard, and the silences that were too long for it."""

    def __init__(self) -> None:
        self._seen = 0
        self._open: list[Link] = []
        self._last: dict[int, int] = {}
        self._silences: dict[int, list[float]] = {}
        self._settings: dict[int, tuple[int, float]] = {}  # history read so far, longest gap that is no silence (ms)

    def watch(self, links: list[Link], frame: int, time_ns: int) -> None:
        """Take note of the link that this record was on, if any; ``links`` with what the record told of them."""
        if len(links) > self._seen:
            self._open = [*self._open, *links[self._seen :]][-MAX_OPEN:]
            self._seen = len(links)
        link = next((link for link in reversed(self._open) if link.last_frame == frame), None)
        if link is None:
            return
        number = link.number
        before = self._last.get(number)
        read, usual_ms = self._settings.get(number, (0, 0.0))
        history = link.history
        news, is_end = history[read:], False
        if before is not None:
            gap_ms = (time_ns - before) / 1e6
            is_end = any(_is_timeout(item) and item.frame == frame for item in news)
            is_silence = link.access_address is not None and 0 < usual_ms < gap_ms
            if is_end or is_silence:
                self._silences.setdefault(number, []).append(gap_ms)
        for item in news:
            usual_ms = _usual_ms(item) or usual_ms
        if any(item.kind == "disconnected" for item in news):
            self._open.remove(link)
        self._settings[number] = (len(history), usual_ms)
        self._last[number] = time_ns if before is None else max(before, time_ns)

    def silences(self, link: Link) -> list[float]:
        """Those of a link in milliseconds, in the order of time."""
        return self._silences.get(link.number, [])


def _keep(steps: dict[tuple[int, int], list[Step]], operation: GattOperation) -> None:
    does: Literal["write", "read", "push", "switch"] | None = _DOES.get(operation.kind)
    if does is None or operation.handle is None or _is_discovery(operation):
        return
    client = operation.side
    if does == "push":
        client = 1 - client if client in (0, 1) else client
    where: object = operation.handle
    if does == "write" and operation.uuid == CCCD:
        does, where = "switch", operation.characteristic or operation.handle
    answered_ns = None
    if does != "push" and operation.end_time_ns is not None and operation.kind not in _WITHOUT_RESPONSE:
        answered_ns = operation.end_time_ns - operation.time_ns
    steps.setdefault((operation.link, client), []).append(Step(operation.time_ns, does, where, answered_ns))


def _is_discovery(operation: GattOperation) -> bool:
    """Whether it asks for declarations, or for what is subscribed to: neither says anything to the device."""
    if operation.kind != "read":
        return False
    # A service's declaration goes by the service's own UUID.
    is_service = operation.uuid != "" and operation.uuid == operation.service and not operation.characteristic
    return is_service or operation.uuid in DECLARATIONS or operation.uuid == CCCD


_WITHOUT_RESPONSE: Final = frozenset({"write_command", "signed_write_command"})


def _intervals(link: Link) -> Iterator[float]:
    for item in link.history:
        interval_ms = item.data.get("interval_ms")
        if item.kind in ("connected", "parameters") and isinstance(interval_ms, int | float):
            yield float(interval_ms)


def _usual_ms(item: Happening) -> float:
    """The longest time between two packets with those parameters that is no silence; 0 where it sets none."""
    interval_ms, latency = item.data.get("interval_ms"), item.data.get("latency_events")
    if item.kind not in ("connected", "parameters") or not isinstance(interval_ms, int | float):
        return 0.0
    skipped = latency if isinstance(latency, int) else 0
    return interval_ms * (skipped + SILENCE_INTERVALS)


def _is_timeout(item: Happening) -> bool:
    return item.kind == "disconnected" and item.data.get("reason_code") == CONNECTION_TIMEOUT


def _class_name(snake: str) -> str:
    """``total_stop`` as the command's class is called."""
    return "".join(word.capitalize() for word in snake.split("_"))


def _join(found: dict[str, list[float]], more: dict[str, list[float]]) -> None:
    for name in STANDARD:
        if more.get(name):
            found.setdefault(name, []).extend(more[name])
