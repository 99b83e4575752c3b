"""A simulated device with a fault plan between it and its radio: what passes is lost, late, harmed, or the link goes.

It is a simulated device itself, so it goes wherever one goes: on a peripheral, face to face with a protocol, into
virtual time or real. Refuses to know Bluetooth stacks; what only a radio side can do, it asks of that.

::

    plan = FaultPlan.load("bad-day.toml")
    device = FaultyDevice(SimulatedDr05(seed=1), plan)
    await radio.add_device(device)
    ...
    assert not device.unfired()  # else the run is invalid: what was to go wrong never did

Seen from the app, ATT comes first (``att_error``, ``slow_answer``, ``mtu_change``), then the wire behind it with the
other faults, then the device. What is under way on that wire when the link ends is lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from protocols.gatt import Service
from rig.devices.model import (
    Advertisement,
    Answer,
    AnswerLater,
    AttError,
    DeviceAction,
    Hangup,
    Notify,
    SimulatedDevice,
    TraceEntry,
)
from rig.radio.details import RadioAware, RadioControls, RadioDetails, details_of
from rig.radio.fault_plan import (
    AnyFault,
    AttRefusal,
    Disconnect,
    FaultPlan,
    FaultPlanError,
    MtuChange,
    Operation,
    SlowAnswer,
    SupervisionTimeout,
)
from rig.radio.fault_stages import Chain, Firing, Item, Ledger, Moment, Passing, Trigger

__all__ = ["FaultPlan", "FaultPlanError", "FaultyDevice", "Firing"]

_INVALID_LENGTH = 0x0D  # ATT error code (Vol 3 Part F 3.4.1.1)


class FaultyDevice(SimulatedDevice, RadioAware):
    """A device, and what goes wrong on the way to it and from it.

    The same plan, with the same seed, on the same conversation does the same again: every fault has a chance of its
    own, drawn from the plan's seed and the fault's name, and time is what it is told.

    Args:
        device: the device that all of it happens to. From now on, it is called by this one alone.
        plan: what shall go wrong.

    Raises:
        FaultPlanError: the plan names a characteristic that the device does not have.
    """

    def __init__(self, device: SimulatedDevice, plan: FaultPlan) -> None:
        _check_places(device, plan)
        self.device = device
        self.plan = plan
        self._ledger = Ledger(tuple(fault.name for fault in plan.faults))
        self._to_device = Chain("to_device", plan.faults, self._ledger, self._chance_of)
        self._to_app = Chain("to_app", plan.faults, self._ledger, self._chance_of)
        self._att_faults = [
            (fault, Trigger(fault.chosen, fault.probability, fault.at_most, chance), chance)
            for fault in plan.faults
            if isinstance(fault, AttRefusal | SlowAnswer)
            for chance in (self._chance_of(fault),)
        ]
        self._radio: RadioControls | None = None
        self._uuids = _uuids(device)
        self._answers: deque[bool] = deque()  # that the device still owes, in order; True: somebody waits for it
        self._connections = 0
        self._moments: list[tuple[float, Moment]] = []
        self._kept: list[DeviceAction] = []  # what could not be given back, for the call that brought it was refused
        self._kept_at = 0.0
        self._answer_after_s = 0.0  # how much later than the device has it the request under way is answered
        self._late_answer: tuple[float, Answer] | None = None
        self._shrunk: MtuChange | None = None
        self._vanishing: tuple[float, SupervisionTimeout] | None = None
        self._out_of_reach: SupervisionTimeout | None = None
        self._back_at: float | None = None
        device.deadline_moved = self._on_deadline_moved

    # ---- what came of the plan ----------------------------------------------------------------------------------

    @property
    def fired(self) -> dict[str, int]:
        """Every fault of the plan by its name, and how often it has happened."""
        return dict(self._ledger.fired)

    @property
    def log(self) -> tuple[Firing, ...]:
        """Every time that a fault happened, in order."""
        return tuple(self._ledger.log)

    def unfired(self) -> list[str]:
        """Return the names of those that have happened less often than the plan asks: the run is invalid if any."""
        fired = self._ledger.fired
        return [fault.name for fault in self.plan.faults if fired[fault.name] < fault.least]

    def explain_unfired(self) -> list[str]:
        """Return one sentence for each fault of :meth:`unfired`."""
        fired = self._ledger.fired
        return [
            f'the planned fault "{fault.name}" ({fault.kind}) fired {fired[fault.name]} times and has to fire at least '
            f"{fault.least} times: the run says nothing"
            for fault in self.plan.faults
            if fired[fault.name] < fault.least
        ]

    # ---- the contract of simulated devices ----------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """What the device advertises."""
        return self.device.advertisement

    @property
    def services(self) -> tuple[Service, ...]:
        """The device's services."""
        return self.device.services

    @property
    def deadline(self) -> float | None:
        """When the device, or what is on its way to or from it, is due."""
        return min((due for due, _ in self._sources(with_device=True)), default=None)

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """The device's own account."""
        return self.device.trace

    def output_percent(self, now: float) -> float:
        """The device's output, in percent of full scale."""
        return self.device.output_percent(now)

    def switched_on(self, now: float) -> None:
        """It is put on the air."""
        self.device.switched_on(now)

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected: the moments of this connection are told from now."""
        self._connections += 1
        self._moments = sorted(
            (
                (now + fault.at_s, fault)
                for fault in self.plan.faults
                if isinstance(fault, Moment) and fault.at_s is not None and fault.connection == self._connections
            ),
            key=lambda moment: moment[0],
        )
        return tuple(self._from_device(self.device.connected(now), now))

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone, and with it what was under way."""
        self._to_device.link_lost()
        self._to_app.link_lost()
        self._moments.clear()
        self._kept.clear()
        self._answers.clear()
        self._late_answer = None
        self._shrunk = None
        self._vanishing = None
        if self._out_of_reach is not None:
            lost, self._out_of_reach = self._out_of_reach, None
            self._ledger.fire(lost, now, "the link timed out")
            self._back_at = now + lost.back_after_s
        return self.device.disconnected(now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote the CCCD of a characteristic: no fault concerns that.

        Raises:
            AttError: the device refuses it.
            AnswerLater: the device answers in its time.
        """
        actions = self._catch_up(now)
        try:
            return (*actions, *self._from_device(self.device.subscribed(characteristic, enabled, now), now))
        except AnswerLater:
            self._answers.append(True)
            self._keep(actions, now)
            raise
        except AttError:
            self._keep(actions, now)
            raise

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote, it is not said how: taken for a request, so that a refusal is heard.

        Raises:
            AttError: as :meth:`write_arrived`.
            AnswerLater: as :meth:`write_arrived`.
        """
        return self.write_arrived(characteristic, data, now, with_response=True)

    def write_arrived(
        self, characteristic: str, data: bytes, now: float, *, with_response: bool
    ) -> tuple[DeviceAction, ...]:
        """The central wrote a characteristic; what of it reaches the device, and when, is for the plan to say.

        Raises:
            AttError: the plan has the write refused, or the device refuses one that reaches it at once.
            AnswerLater: the device answers one that has reached it at once in its time.
        """
        actions = self._catch_up(now)
        item = Item(characteristic, data, self._uuids[characteristic], with_response)
        put_off: AttError | AnswerLater | None = None
        passings: list[Passing] = []
        try:
            if with_response:
                self._ask("write", item.uuid, now)
            self._refuse_too_long(data, now)
            passings = self._to_device.take(item, now)
        except AttError as error:
            put_off = error
        waits = with_response  # whatever comes through at once begins with what came in; the rest has been answered
        for passing in passings:
            try:
                actions += self._to_the_device(passing, now, waits=waits)
            except (AttError, AnswerLater) as reason:
                put_off = reason if put_off is None and waits else put_off
            waits = waits and not isinstance(passing, Item)
        if with_response and self._answer_after_s and not isinstance(put_off, AnswerLater):
            put_off = self._answer_late(Answer(error=put_off.code if put_off is not None else None), now)
        if put_off is not None:
            # Only the refusal can be given back now, and the rest has to follow at once.
            self._keep(actions, now)
            raise put_off
        return tuple(actions)

    def read(self, characteristic: str, now: float) -> bytes:
        """The central reads a characteristic.

        Raises:
            AttError: the plan has the read refused, or the device refuses it.
            AnswerLater: the device answers in its time.
        """
        self._keep(self._catch_up(now), now)
        try:
            self._ask("read", self._uuids[characteristic], now)
            value = self.device.read(characteristic, now)
        except AnswerLater:
            self._answers.append(True)
            raise
        except AttError as refusal:
            if self._answer_after_s:
                raise self._answer_late(Answer(error=refusal.code), now) from refusal
            raise
        value = value if self._shrunk is None else self._cut(self._shrunk, value, 1, now)
        if self._answer_after_s:
            raise self._answer_late(Answer(value), now)
        return value

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Do what was due, in order of time."""
        return tuple(self._catch_up(now, with_device=True))

    # ---- what a radio side says ---------------------------------------------------------------------------------

    @property
    def radio_details(self) -> RadioDetails:
        """The device's details, with the MTU that the plan has it grant on this connection."""
        fault = self._exchange_fault()
        details = details_of(self.device)
        return details if fault is None else dataclasses.replace(details, mtu=fault.mtu)

    def radio_attached(self, radio: RadioControls) -> None:
        """It is on this radio now.

        Raises:
            FaultPlanError: the plan has it go out of reach, which this radio cannot do.
        """
        self._radio = radio
        for index, fault in enumerate(self.plan.faults):
            if isinstance(fault, SupervisionTimeout) and not radio.can_vanish:
                problem = "a device on an HCI transport cannot be put out of reach"
                advice = "use the virtual radio, or take the fault out"
                raise FaultPlanError(self.plan.file, problem, advice, field=f"fault[{index}]")
        if isinstance(self.device, RadioAware):
            self.device.radio_attached(radio)

    def mtu_exchanged(self, asked: int, granted: int, now: float) -> None:
        """The MTU is agreed upon."""
        fault = self._exchange_fault()
        own = min(asked, details_of(self.device).mtu)
        if fault is not None and granted != own:
            self._ledger.fire(fault, now, f"granted an MTU of {granted} instead of {own}")
        if isinstance(self.device, RadioAware):
            self.device.mtu_exchanged(asked, granted, now)

    def handed_over(self, times: Sequence[float]) -> None:
        """It is this that the device hands its actions to: at the time of the first that leaves."""
        if isinstance(self.device, RadioAware):
            self.device.handed_over(times[:1])

    # ---- what is due --------------------------------------------------------------------------------------------

    def _sources(self, *, with_device: bool) -> list[tuple[float, Callable[[float], Iterable[DeviceAction]]]]:
        """Return what is due when, and who gives what then comes of it; at equal times the first goes first."""
        sources: list[tuple[float | None, Callable[[float], Iterable[DeviceAction]]]] = [
            (self._kept_at if self._kept else None, self._give_kept),
            (self._late_answer[0] if self._late_answer is not None else None, self._give_late_answer),
            (self._to_app.deadline, self._arrivals_at_app),
            (self._to_device.deadline, self._arrivals_at_device),
            (self._moments[0][0] if self._moments else None, self._next_moment),
            (self._vanishing[0] if self._vanishing is not None else None, self._vanish),
            (self._back_at, self._reappear),
        ]
        if with_device:
            sources.append((self.device.deadline, self._device_due))
        return [(due, give) for due, give in sources if due is not None]

    def _catch_up(self, now: float, *, with_device: bool = False) -> list[DeviceAction]:
        actions: list[DeviceAction] = []
        while sources := self._sources(with_device=with_device):
            due, give = min(sources, key=lambda source: source[0])
            if due > now:
                break
            actions += give(now)
            if give == self._device_due:
                with_device = False  # once a call: one that is due again at once is called again at once
        return actions

    def _give_kept(self, _now: float) -> list[DeviceAction]:
        kept, self._kept = self._kept, []
        return kept

    def _keep(self, actions: Sequence[DeviceAction], now: float) -> None:
        if actions:
            self._kept += actions
            self._kept_at = now
            self._on_deadline_moved()

    def _answer_late(self, answer: Answer, now: float) -> AnswerLater:
        self._late_answer = (now + self._answer_after_s, answer)
        self._answer_after_s = 0.0
        return AnswerLater()

    def _give_late_answer(self, _now: float) -> list[DeviceAction]:
        late, self._late_answer = self._late_answer, None
        return [late[1]] if late is not None else []

    def _arrivals_at_app(self, now: float) -> list[DeviceAction]:
        return [action for passing in self._to_app.take_due(now) for action in self._to_the_app(passing, now)]

    def _arrivals_at_device(self, now: float) -> list[DeviceAction]:
        actions: list[DeviceAction] = []
        for passing in self._to_device.take_due(now):
            with contextlib.suppress(AttError, AnswerLater):  # the write was answered when it came
                actions += self._to_the_device(passing, now, waits=False)
        return actions

    def _device_due(self, now: float) -> list[DeviceAction]:
        return self._from_device(self.device.deadline_passed(now), now)

    def _next_moment(self, now: float) -> list[DeviceAction]:
        return self._happens(self._moments.pop(0)[1], now)

    def _vanish(self, _now: float) -> list[DeviceAction]:
        if self._vanishing is not None and self._radio is not None:
            self._out_of_reach = self._vanishing[1]
            self._radio.vanish()
        self._vanishing = None
        return []

    def _reappear(self, _now: float) -> list[DeviceAction]:
        self._back_at = None
        if self._radio is not None:
            self._radio.reappear()
        return []

    def _on_deadline_moved(self) -> None:
        if self.deadline_moved is not None:
            self.deadline_moved()

    # ---- what passes --------------------------------------------------------------------------------------------

    def _to_the_device(self, passing: Passing, now: float, *, waits: bool) -> list[DeviceAction]:
        """Hand it to the device; ``waits`` says whether anybody waits for the answer."""
        if not isinstance(passing, Item):
            return self._happens(passing, now)
        name, data, with_response = passing.characteristic, passing.data, passing.with_response
        try:
            return self._from_device(self.device.write_arrived(name, data, now, with_response=with_response), now)
        except AnswerLater:
            self._answers.append(waits)
            raise

    def _from_device(self, actions: Iterable[DeviceAction], now: float) -> list[DeviceAction]:
        out: list[DeviceAction] = []
        for action in actions:
            if isinstance(action, Notify):
                item = Item(action.characteristic, action.data, self._uuids[action.characteristic])
                for passing in self._to_app.take(item, now):
                    out += self._to_the_app(passing, now)
            elif not isinstance(action, Answer):
                out.append(action)
            elif not self._answers or self._answers.popleft():  # else the write that it answers has been answered
                cut = self._shrunk is not None and self._cut(self._shrunk, action.value, 1, now)
                answer = dataclasses.replace(action, value=cut) if cut else action
                if self._answer_after_s:
                    self._answer_late(answer, now)
                else:
                    out.append(answer)
        return out

    def _to_the_app(self, passing: Passing, now: float) -> list[DeviceAction]:
        if not isinstance(passing, Item):
            return self._happens(passing, now)
        data = passing.data if self._shrunk is None else self._cut(self._shrunk, passing.data, 3, now)
        return [Notify(passing.characteristic, data)]

    def _happens(self, moment: Moment, now: float) -> list[DeviceAction]:
        if isinstance(moment, Disconnect):
            self._ledger.fire(moment, now, "hung up")
            return [Hangup()]
        if isinstance(moment, MtuChange):
            self._shrunk = moment
        elif self._vanishing is None and self._out_of_reach is None:
            # Due now, and not done now: what this call gives back still has to leave.
            self._vanishing = (now, moment)
        return []

    # ---- ATT ----------------------------------------------------------------------------------------------------

    def _ask(self, operation: Operation, uuid: str, now: float) -> None:
        """Look what the plan has for a request: it is refused, answered late, or neither."""
        self._answer_after_s = 0.0
        refusal: AttRefusal | None = None
        for fault, trigger, chance in self._att_faults:
            if fault.operation != operation or fault.characteristic not in ("", uuid) or not trigger.hits():
                continue
            if isinstance(fault, AttRefusal):
                refusal = refusal or fault
                self._ledger.fire(fault, now, f"refused a {operation} with 0x{fault.code:02x}")
            elif self._radio is not None and (delay_s := fault.time.draw(chance)) > 0:
                self._answer_after_s += delay_s
                self._ledger.fire(fault, now, f"answered a {operation} {delay_s:.6f} s later")
        if refusal is not None:
            raise AttError(refusal.code)

    def _refuse_too_long(self, data: bytes, now: float) -> None:
        if self._shrunk is not None and len(data) > self._shrunk.mtu - 3:
            self._ledger.fire(self._shrunk, now, f"refused a write of {len(data)} bytes")
            raise AttError(_INVALID_LENGTH)

    def _cut(self, fault: MtuChange, value: bytes, header: int, now: float) -> bytes:
        room = fault.mtu - header
        if len(value) > room:
            self._ledger.fire(fault, now, f"cut off {len(value) - room} of {len(value)} bytes")
        return value[:room]

    def _exchange_fault(self) -> MtuChange | None:
        for fault in self.plan.faults:
            if isinstance(fault, MtuChange) and fault.at_exchange and fault.connection == self._connections:
                return fault
        return None

    def _chance_of(self, fault: AnyFault) -> random.Random:
        return random.Random(f"{self.plan.seed} {fault.name}")  # noqa: S311 - a seeded simulation, not cryptography


def _check_places(device: SimulatedDevice, plan: FaultPlan) -> None:
    known = {characteristic.uuid for service in device.services for characteristic in service.characteristics}
    for index, fault in enumerate(plan.faults):
        if fault.characteristic and fault.characteristic not in known:
            problem = f"{device.advertisement.name or 'the device'} has no characteristic {fault.characteristic}"
            advice = f"it has {', '.join(sorted(known))}"
            raise FaultPlanError(plan.file, problem, advice, field=f"fault[{index}].characteristic")


def _uuids(device: SimulatedDevice) -> dict[str, str]:
    """Return the UUID of every characteristic by what the device calls it."""
    services = device.services
    names = details_of(device).names or tuple(
        tuple(known.uuid for known in service.characteristics) for service in services
    )
    return {
        name: known.uuid
        for service, names_here in zip(services, names, strict=True)
        for known, name in zip(service.characteristics, names_here, strict=True)
    }
