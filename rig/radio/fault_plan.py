"""Fault plans: what shall go wrong between an app and a device, in a file, so that a bad day can be had again.

A plan is TOML, format 1. Each ``[[fault]]`` is one thing that goes wrong; what passes, passes all of them in the order
of the file. Knows what a plan may say. Refuses to know how a fault is done (:mod:`rig.radio.faults`).

Every fault says its ``kind``, and may say its ``name`` (else its kind, numbered), ``characteristic`` (four hex digits
or a whole UUID; left out: any) and ``must_fire``, how often it has to happen for the run to count: once, or as often as
``nth`` says, when left out; 0: it may stay away.

Most concern what passes in one ``direction``: ``to_device``, what the app writes, or ``to_app``, what the device
notifies or indicates. Which of it: the ``nth`` (from 1, one number or a list, over all connections), or each with a
``probability``, at most ``at_most`` times.

* ``drop``: it does not arrive. A write with response is answered all the same, as a BLE-UART module does.
* ``delay``: it arrives later by ``time``: ``{law = "fixed", seconds = …}``, ``{law = "log-normal", median_s = …, sigma
  = …}`` or ``{law = "pareto", least_s = …, alpha = …}``, the last two also fitted to ``samples_s = […]``; ``longest_s``
  bounds each. Order is kept: what comes behind it waits.
* ``duplicate``: it arrives once more, or ``copies`` times, each ``gap_s`` after the one before.
* ``reorder``: it arrives behind the next one, or the next ``behind``. When those do not come within ``within_s``, it
  arrives in its place, and the fault has not fired.
* ``corrupt``: it arrives with ``bits`` bits turned over.
* ``burst``: losses come in bursts, by the model of Gilbert and Elliott: before each, the channel goes bad with
  probability ``to_bad``, or good again with ``to_good``, and then loses it with ``loss_bad`` or ``loss_good``.
* ``slow_uart``: the wire behind the radio runs at ``baud`` (ten bits a byte), and with ``chunk`` hands on pieces of so
  many bytes.
* ``disconnect``: the device ends the link after the ``nth`` of a ``direction``, or ``at_s`` seconds into the link.
* ``supervision_timeout``: the device is out of reach from there on, until the link is lost and ``back_after_s`` longer.
* ``mtu_change``: the device grants ``mtu`` at the MTU exchange; or, with ``nth`` and ``direction`` or with ``at_s``, it
  falls back to it in mid-link: cuts off what it sends, and refuses writes, that are longer.
* ``slow_answer``: the answer to the ``operation`` (``write``, one with response, or ``read``) comes later by ``time``,
  as for ``delay``; the device is not slower for it. Only on a radio.
* ``att_error``: the ``operation`` (``write``, one with response, or ``read``) is refused with ``error``, a name of the
  Core Specification or a number, and the device never sees it.

``disconnect``, ``supervision_timeout`` and ``mtu_change`` wait for a moment: their ``nth`` counts what has arrived,
behind all other faults. ``at_s`` and the ``mtu`` of an exchange are for the first connection, or for that given by
``connection``.

An example::

    format = 1
    seed = 7
    title = "A bad day"

    [[fault]]
    name = "lost acknowledgement"
    kind = "drop"
    direction = "to_app"
    characteristic = "ffe1"
    nth = 2

    [[fault]]
    kind = "delay"
    direction = "to_app"
    probability = 0.2
    time = { law = "log-normal", median_s = 0.06, sigma = 0.8, longest_s = 2.0 }

    [[fault]]
    kind = "disconnect"
    at_s = 30.0
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

from protocols.gatt import uuid
from rig.capture.att import ERROR_NAMES
from rig.commands.faults import RigError
from rig.radio.delay_laws import AnyLaw, NotNegative, Positive

FORMAT = 1
"""The newest plan that can be read."""

Direction = Literal["to_device", "to_app"]
Operation = Literal["write", "read"]
Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_ATT_ERRORS = {name: code for code, name in ERROR_NAMES.items()}
_UUID = re.compile(r"[0-9a-f]{4}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class FaultPlanError(RigError):
    """A plan cannot be used. One line: file, line where known, field, what is wrong and what to do."""

    def __init__(self, file: str, problem: str, advice: str, *, line: int | None = None, field: str = "") -> None:
        where = ", ".join(part for part in (file, f"line {line}" if line else "", field) if part)
        super().__init__(f"{where}: {problem}; {advice}")
        self.file = file
        self.line = line
        self.field = field


class _WrongError(ValueError):
    """One field of a fault says something that it cannot."""

    def __init__(self, field: str, problem: str, advice: str) -> None:
        super().__init__(f"{field}: {problem}; {advice}")
        self.field = field
        self.problem = problem
        self.advice = advice


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every fault may say."""

    name: str = ""
    characteristic: str = ""
    """UUID as :func:`protocols.gatt.uuid`; empty: any."""
    must_fire: Annotated[int, msgspec.Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        lowered = self.characteristic.lower()
        if self.characteristic and not _UUID.fullmatch(lowered):
            advice = "write four hex digits or a whole UUID with dashes"
            raise _WrongError("characteristic", f'"{self.characteristic}" is not a UUID', advice)
        msgspec.structs.force_setattr(self, "characteristic", uuid(lowered) if lowered else "")

    @property
    def kind(self) -> str:
        """The kind as the plan names it."""
        return str(self.__struct_config__.tag)

    @property
    def least(self) -> int:
        """How often it has to fire for the run to count."""
        return self.must_fire if self.must_fire is not None else 1


class _Counted(_Fault, frozen=True, kw_only=True):
    """A fault that happens to the n-th, or to each with a probability."""

    nth: Count | Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] | None = None
    probability: Share | None = None
    at_most: Count | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_choice()
        most = self.at_most
        if self.nth is not None:
            most = min(len(self.chosen), most) if most is not None else len(self.chosen)
        if self.must_fire is not None and most is not None and self.must_fire > most:
            problem = f"it has to fire {self.must_fire} times and can fire {most} times at most"
            raise _WrongError("must_fire", problem, "ask for less")

    def _check_choice(self) -> None:
        if (self.nth is None) == (self.probability is None):
            problem = "which of those that pass is not said" if self.nth is None else "there is an nth as well"
            raise _WrongError("probability", problem, 'say either "nth" or "probability"')

    @property
    def chosen(self) -> frozenset[int]:
        """Which ones, from 1; empty where a probability decides."""
        if self.nth is None:
            return frozenset()
        return frozenset((self.nth,) if isinstance(self.nth, int) else self.nth)

    @property
    def least(self) -> int:
        """How often it has to fire for the run to count."""
        if self.must_fire is not None:
            return self.must_fire
        chosen = max(1, len(self.chosen))
        return chosen if self.at_most is None else min(chosen, self.at_most)


class _OnTraffic(_Counted, frozen=True, kw_only=True):
    """A fault of what passes in one direction."""

    direction: Direction


class Drop(_OnTraffic, frozen=True, kw_only=True, tag="drop"):
    """It does not arrive."""


class Delay(_OnTraffic, frozen=True, kw_only=True, tag="delay"):
    """It arrives later, and so does what is behind it."""

    time: AnyLaw


class Duplicate(_OnTraffic, frozen=True, kw_only=True, tag="duplicate"):
    """It arrives more than once. ``gap_s`` in seconds."""

    copies: Count = 1
    gap_s: NotNegative = 0.0


class Reorder(_OnTraffic, frozen=True, kw_only=True, tag="reorder"):
    """It arrives behind those that come after it, when they come within ``within_s`` seconds."""

    behind: Count = 1
    within_s: Positive = 1.0


class Corrupt(_OnTraffic, frozen=True, kw_only=True, tag="corrupt"):
    """It arrives with so many bits turned over, no bit twice."""

    bits: Count = 1


class Burst(_Fault, frozen=True, kw_only=True, tag="burst"):
    """Losses in bursts, by the model of Gilbert and Elliott: a channel that is good or bad, in the beginning good."""

    direction: Direction
    to_bad: Share
    to_good: Share
    loss_bad: Share = 1.0
    loss_good: Share = 0.0


class SlowUart(_OnTraffic, frozen=True, kw_only=True, tag="slow_uart"):
    """It trickles over a slow wire: ten bits a byte, and the next one waits."""

    baud: Count
    chunk: Count | None = None

    def _check_choice(self) -> None:
        if self.nth is None and self.probability is None:
            msgspec.structs.force_setattr(self, "probability", 1.0)  # a wire is slow for all
        super()._check_choice()


class _AtMoment(_Counted, frozen=True, kw_only=True):
    """A fault at a moment of the conversation: after the n-th, or so many seconds into a connection."""

    direction: Direction | None = None
    at_s: NotNegative | None = None
    connection: Count = 1

    def _check_choice(self) -> None:
        if self.at_s is None:
            if self.nth is None and self.probability is None:
                raise _WrongError("at_s", "it is not said when", 'say "at_s", or "nth" and "direction"')
            super()._check_choice()
            if self.direction is None:
                raise _WrongError("direction", "it is not said of which direction", 'say "to_device" or "to_app"')
        elif self.nth is not None or self.probability is not None or self.direction is not None:
            field = "direction" if self.direction is not None else "nth" if self.nth is not None else "probability"
            raise _WrongError(field, "the moment is given by at_s", "take one of the two out")


class Disconnect(_AtMoment, frozen=True, kw_only=True, tag="disconnect"):
    """The device ends the link."""


class SupervisionTimeout(_AtMoment, frozen=True, kw_only=True, tag="supervision_timeout"):
    """The device is not heard until the link is lost, and ``back_after_s`` seconds longer."""

    back_after_s: NotNegative = 0.0


class MtuChange(_AtMoment, frozen=True, kw_only=True, tag="mtu_change"):
    """The device grants, or in mid-link falls back to, another ATT MTU (octets)."""

    mtu: Annotated[int, msgspec.Meta(ge=23, le=517)]

    def _check_choice(self) -> None:
        if not self.at_exchange:
            super()._check_choice()

    @property
    def at_exchange(self) -> bool:
        """True where the MTU exchange is meant, and not a moment after it."""
        return self.at_s is None and self.nth is None and self.probability is None and self.direction is None


class SlowAnswer(_Counted, frozen=True, kw_only=True, tag="slow_answer"):
    """A request is answered later."""

    operation: Operation = "write"
    time: AnyLaw


class AttRefusal(_Counted, frozen=True, kw_only=True, tag="att_error"):
    """A request is refused."""

    operation: Operation = "write"
    error: str | Annotated[int, msgspec.Meta(ge=1, le=255)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.error, str) and self.error not in _ATT_ERRORS:
            raise _WrongError("error", f'there is no ATT error "{self.error}"', _nearest(self.error, _ATT_ERRORS))

    @property
    def code(self) -> int:
        """ATT error code (Vol 3 Part F, 3.4.1.1)."""
        return _ATT_ERRORS[self.error] if isinstance(self.error, str) else self.error


AnyFault = (
    Drop
    | Delay
    | Duplicate
    | Reorder
    | Corrupt
    | Burst
    | SlowUart
    | Disconnect
    | SupervisionTimeout
    | MtuChange
    | SlowAnswer
    | AttRefusal
)

_KINDS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        *(Drop, Delay, Duplicate, Reorder, Corrupt, Burst),
        *(SlowUart, Disconnect, SupervisionTimeout, MtuChange, SlowAnswer, AttRefusal),
    )
}
KINDS = tuple(_KINDS)
"""Every kind of fault, as plans name them."""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    fault: Annotated[tuple[AnyFault, ...], msgspec.Meta(min_length=1)]
    seed: int = 0
    title: str = ""


@dataclass(frozen=True)
class FaultPlan:
    """Faults in the order in which what passes meets them, and the seed that all chance follows from."""

    faults: tuple[AnyFault, ...]
    seed: int = 0
    title: str = ""
    file: str = "fault plan"

    def __post_init__(self) -> None:
        """Check the faults, which may have been made in a program, and name those without a name.

        Raises:
            FaultPlanError: a fault cannot be as it is, or two have one name.
        """
        try:
            faults = msgspec.convert(msgspec.to_builtins(self.faults), tuple[AnyFault, ...])
        except msgspec.ValidationError as error:
            raise _Source(self.file, "").error(error, at="fault") from error
        object.__setattr__(self, "faults", self._named(faults))

    def _named(self, faults: tuple[AnyFault, ...]) -> tuple[AnyFault, ...]:
        seen: Counter[str] = Counter()
        named: dict[str, AnyFault] = {}
        for index, fault in enumerate(faults):
            seen[fault.kind] += 1
            number = seen[fault.kind]
            name = fault.name or (fault.kind if number == 1 else f"{fault.kind} {number}")
            if name in named:
                problem = f'there is another fault named "{name}"'
                raise FaultPlanError(self.file, problem, "give it a name of its own", field=f"fault[{index}].name")
            named[name] = msgspec.structs.replace(fault, name=name)
        return tuple(named.values())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a plan from a file.

        Raises:
            FaultPlanError: the file cannot be read, is not TOML, or says something that a plan cannot say.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
            raise FaultPlanError(path.name, problem, "check the path and its rights") from error
        except UnicodeDecodeError as error:
            problem = f"byte {error.start} is not UTF-8"
            raise FaultPlanError(path.name, problem, "save the file as UTF-8") from error
        return cls.loads(text, file=path.name)

    @classmethod
    def loads(cls, text: str, *, file: str = "fault plan") -> Self:
        """Read a plan from a text, called ``file`` in errors; raises as :meth:`load` does."""
        source = _Source(file, text)
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise source.not_toml(str(error)) from error
        version = table.get("format")
        if isinstance(version, int) and version > FORMAT:
            problem = f"the plan is of format {version}, and this version reads up to {FORMAT}"
            raise FaultPlanError(file, problem, "use a newer version", line=source.line_of("format"), field="format")
        if isinstance(version, int) and version < 1:
            line = source.line_of("format")
            raise FaultPlanError(file, f"there is no format {version}", "write format = 1", line=line, field="format")
        try:
            document = msgspec.convert(table, _Document)
        except msgspec.ValidationError as error:
            raise source.error(error) from error
        try:
            return cls(document.fault, document.seed, document.title, file)
        except FaultPlanError as error:
            # Two faults of one name: the only thing that is not a single fault's.
            raise source.at_its_line(error) from error


class _Source:
    """The text of a plan, to say where something stands."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = text.splitlines()

    def not_toml(self, message: str) -> FaultPlanError:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        problem = message[: found.start()] if found else message
        line = int(found[1]) if found and found[1] else max(1, len(self._lines))
        return FaultPlanError(self._file, f"this is not TOML: {problem}", "mend that line", line=line)

    def error(self, error: msgspec.ValidationError, *, at: str = "") -> FaultPlanError:
        """Say in plain words, and where, what msgspec or a fault itself has found wrong."""
        problem, _, path = str(error).partition(" - at `$")
        path = at + path.strip("`") if at else path.strip("`.")
        cause = error.__cause__
        if isinstance(cause, _WrongError):
            return self._fault_at(f"{path}.{cause.field}", cause.problem, cause.advice)
        unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem)
        if unknown is not None:
            field = f"{path}.{unknown[1]}" if path else unknown[1]
            return self._fault_at(field, f'there is no field "{unknown[1]}" here', self._fields_near(unknown[1], path))
        missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
        if missing is not None:
            return self._fault_at(path, f'the field "{missing[1]}" is missing', "add it")
        value = re.fullmatch(r"Invalid (?:enum )?value '?(.*?)'?", problem)
        if value is not None:
            return self._fault_at(path, f'"{value[1]}" is not known here', _nearest(value[1], _choices_at(path)))
        for name, words in (("`float`", "a number"), ("`int`", "a whole number"), ("`array`", "a list")):
            problem = problem.replace(name, words)
        return self._fault_at(path, problem[0].lower() + problem[1:], "change the value")

    def at_its_line(self, error: FaultPlanError) -> FaultPlanError:
        problem, _, advice = str(error).partition(": ")[2].rpartition("; ")
        return self._fault_at(error.field, problem, advice)

    def _fault_at(self, field: str, problem: str, advice: str) -> FaultPlanError:
        return FaultPlanError(self._file, problem, advice, line=self.line_of(field), field=field)

    def line_of(self, field: str) -> int | None:
        """Return the line (from 1) of ``fault[3].nth`` or ``seed``, or of the table that it is missing from."""
        if not self._lines:
            return None
        found = re.match(r"(?:fault\[(\d+)\])?\.?(\w*)", field)
        wanted, key = (int(found[1]) if found and found[1] else -1), found[2] if found else ""
        fault, header = -1, 1
        for number, line in enumerate(self._lines, start=1):
            if re.match(r"\s*\[\[\s*fault\s*\]\]", line):
                fault += 1
                if fault == wanted:
                    header = number
            elif fault == wanted and key and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                return number
        return header

    def _fields_near(self, name: str, path: str) -> str:
        known: tuple[str, ...] = _Document.__struct_fields__
        found = re.fullmatch(r"fault\[(\d+)\]", path)
        if found is not None:
            table = tomllib.loads("\n".join(self._lines)) if self._lines else {}
            kind = table["fault"][int(found[1])].get("kind") if table else None
            known = ("kind", *(_KINDS[kind].__struct_fields__ if kind in _KINDS else ()))
        elif path:
            known = ("law", "seconds", "median_s", "sigma", "least_s", "alpha", "samples_s", "longest_s")
        return _nearest(name, known)


def _choices_at(path: str) -> Iterable[str]:
    if path.endswith(".kind"):
        return KINDS
    if path.endswith(".direction"):
        return ("to_device", "to_app")
    return ("write", "read") if path.endswith(".operation") else ("fixed", "log-normal", "pareto")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(known)}"
