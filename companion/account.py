"""A session told line by line: for people, or as one JSON object a line for programs.

Told from journal entries alone, each only once it is kept. Knows words. Refuses to know a device or an engine.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from companion.session.model import JournalEntry, JournalKind, StepKind
from companion.words import account as words

if TYPE_CHECKING:
    from companion.session.model import SessionPlan

_WIDTH = 88
_INDENT = 8


class Lines:
    """Writes lines to a stream. When nobody reads any more, ``gone`` is True and nothing else happens.

    ``flush`` makes every line visible at once: for people and pipes in real time.
    """

    def __init__(self, stream: TextIO, *, flush: bool) -> None:
        self._stream = stream
        self._flush = flush
        self.gone = False

    def say(self, line: str) -> None:
        """Write one line."""
        self._write(line + "\n", flush=self._flush)

    def _write(self, text: str, *, flush: bool) -> None:
        if self.gone:
            return
        try:
            self._stream.write(text)
            if flush:
                self._stream.flush()
        except OSError:  # the reader has gone (a closed pipe), or the disk behind the stream is full
            self.gone = True

    def ring(self) -> None:
        """Ring the bell of the terminal that the stream is."""
        self._write("\a", flush=True)


class JsonAccount:
    """One JSON object a line: ``{"t": seconds since start, "event": name, …}``, in the order of the journal.

    Numbers with a fraction are rounded to milliseconds, so that equal sessions give equal bytes.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def tell(self, t: float, entry: JournalEntry) -> None:
        """Write one entry."""
        told = {"t": round(float(t), 3), "event": entry.kind.value}
        self._lines.say(json.dumps({**told, **_plain(entry.data)}, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


class PlainAccount:
    """The same for people: minutes and seconds, then what happens, in short words."""

    def __init__(self, lines: Lines, plan: SessionPlan) -> None:
        self._lines = lines
        self._plan = plan
        self._at = words.clock(0.0)
        self._output_on = False

    def tell(self, t: float, entry: JournalEntry) -> None:
        """Write what an entry means, if it means something to the person."""
        self._at = words.clock(t)
        data = entry.data
        match entry.kind:
            case JournalKind.STEP:
                self._step(data)
            case JournalKind.ZONE if data.get("outcome") is not None:
                text = words.ZONE_END.get(str(data["outcome"]), words.ZONE_END["stopped"])
                self._under(text.format(zone=words.zone_label(str(data["zone"])), seconds=_duration(data["seconds"])))
            case JournalKind.INTENSITY if data.get("state") == "acknowledged":
                self._intensity(data)
            case JournalKind.SENSATION:
                asked = data.get("answer") is None
                self._line(words.ASK_SENSATION if asked else words.FEELS.format(answer=data["answer"]))
            case JournalKind.FINISHED:
                self._finished(data)
            case _:
                line = self._sentence(entry.kind, data)
                if line:
                    self._line(line)

    def _sentence(self, kind: JournalKind, data: Mapping[str, Any]) -> str:
        match kind:
            case JournalKind.SCREENING:
                date = data.get("answered")
                return words.SCREENED.format(date=date) if date else words.SCREENED_DEMO
            case JournalKind.CONNECTED:
                firmware = words.FIRMWARE.format(**data) if data.get("firmware") else ""
                connected = words.CONNECTED_AGAIN if data.get("again") else words.CONNECTED
                return connected.format(device=data["device"], firmware=firmware)
            case JournalKind.PAUSED:
                return words.PAUSED.format(reason=str(data["reason"]).rstrip("."))
            case JournalKind.RESUMED:
                return words.RESUMED
            case JournalKind.STOPPING:
                return words.STOPPING
            case JournalKind.STOPPED:
                return words.STOPPED.format(by=data["confirmed_by"], ms=round(float(data["after_ms"])))
            case JournalKind.LINK_LOST:
                return words.LINK_LOST.format(reason=str(data["reason"]).rstrip("."))
            case JournalKind.WARNING:
                return str(data["message"])
            case JournalKind.WATER:
                return words.WATER_LOW if data["low"] else words.WATER_BACK
            case _:
                return ""

    def _step(self, data: Mapping[str, Any]) -> None:
        seconds = words.SECONDS.format(seconds=_duration(data["seconds"])) if data["seconds"] else ""
        self._line(words.STEP.format(title=data["title"], seconds=seconds))
        step = self._plan.steps[int(data["index"])]
        self._under(step.stroke if step.kind is StepKind.TREAT and step.stroke else step.text)

    def _intensity(self, data: Mapping[str, Any]) -> None:
        match data["command"]:
            case "start":
                self._output_on = True
                rising = data["percent"] < data["target"]
                self._under((words.OUTPUT_ON_RISING if rising else words.OUTPUT_ON).format(**data))
            case "stop":
                self._output_on = False
                self._under(words.OUTPUT_OFF)
            case "level" if self._output_on and data["percent"] == data["target"]:
                self._under(words.OUTPUT_AT_TARGET.format(**data))

    def _finished(self, data: Mapping[str, Any]) -> None:
        zones: Mapping[str, float] = data["zones"]
        self._line(
            words.FINISHED.format(
                reason=words.REASONS[str(data["reason"])],
                zones=words.zone_count(len(zones)),
                minutes=_duration(data["elapsed_s"]),
                output=_duration(data["output_s"]),
                highest=data["highest_percent"],
            )
        )
        for zone, seconds in zones.items():
            self._lines.say(
                " " * _INDENT + words.ZONE_LINE.format(zone=words.zone_label(zone), seconds=_duration(seconds))
            )

    def _line(self, text: str) -> None:
        self._wrapped(f"{self._at:>6}  ", text)

    def _under(self, text: str) -> None:
        if text:
            self._wrapped(" " * _INDENT, text)

    def _wrapped(self, lead: str, text: str) -> None:
        for line in textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=" " * _INDENT):
            self._lines.say(line)


def _duration(seconds: object) -> str:
    return words.duration(seconds) if isinstance(seconds, int | float) else ""
