"""From a routine, a person and a device to the plan of one session: levels, limits, and what has to be left out.

Pure. Every level is a share of what the person may have at most, clamped; nothing here can go above it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from companion.routines.schema import Document, Routine, RoutineStep
from companion.routines.zones import ZONES, Zone
from companion.session.interlocks import FIRST_SESSION_CAP_PERCENT, cap_percent, clamp_percent, limits_for, narrowed
from companion.session.model import Limits, PlannedStep, SessionPlan, StepKind
from companion.words import routines as words
from protocols.model import DeviceProfile

SLACK_SHARE = 0.1
"""Where a routine sets no limits of its own, it may have this much more output than it plans (slow answers, pauses)."""

SLACK_S = 10.0


class NotForThisDeviceError(Exception):
    """The routine is fine, but this device, or this person with it, cannot do it. One line for the person."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One thing of a routine that this session does without: ``what`` (a zone or a title) and ``why``, in words."""

    what: str
    why: str


def plan_session(
    routine: Routine,
    profile: DeviceProfile,
    *,
    comfortable_percent: int | None,
    first_session: bool,
    no_go: Collection[str] = frozenset(),
    neck: bool = False,
    ease: float = 1.0,
    optional: Collection[str] = frozenset(),
) -> SessionPlan:
    """Return the plan of one session.

    ``comfortable_percent`` is in percent of full scale; None, when the person has not chosen one yet, counts as the cap
    of a first session. ``no_go`` are zones that the person never treats. ``neck`` is their wish to treat the sides of
    the neck, which is followed only where the device is cleared for it. ``ease`` (above 0, at most 1) is what a
    skin that asks for care leaves of every level, time and limit. ``optional`` names the optional steps wished for.

    Raises:
        NotForThisDeviceError: the device lacks what the routine needs, or nothing of it is left for this person.
        ValueError: ``ease`` is not a share.
    """
    if not 0 < ease <= 1:
        raise ValueError(f"what is left of a session is a share above 0 and at most 1, not {ease}")
    _check_device(routine, profile)
    limits = _limits(routine, profile, comfortable_percent, first_session=first_session, ease=ease)
    if routine.zones and limits.cap_percent < limits.lowest_percent:
        raise NotForThisDeviceError(
            f"{profile.name} starts at {limits.lowest_percent} %, and your maximum is {limits.cap_percent} %: "
            "choose a higher maximum, or another device"
        )
    reasons = {
        zone.id: why
        for zone in ZONES.values()
        if (why := _zone_refusal(zone, profile, limits, no_go=no_go, neck=neck)) is not None
    }
    left_out = tuple(zone for zone in routine.zones if zone in reasons)
    if routine.patch_test and left_out[:1] == routine.zones[:1]:
        # without the spot at the lowest level what is left is no test, though it may run before one
        raise NotForThisDeviceError(
            f"{routine.title} tests a spot that is left out for you: do the patch test on your inner forearm"
        )
    # hands on a neck follow the rule for the device, and hands on thin skin do not: that cap is one of levels
    without_hands = {zone for zone in reasons if zone in no_go or ZONES[zone].neck}
    steps = tuple(_steps(routine, profile, limits, reasons.keys(), without_hands, ease=ease, optional=optional))
    if not steps or (routine.zones and len(left_out) == len(routine.zones)):
        raise NotForThisDeviceError(
            f"{routine.title} has no zone left for you and {profile.name}: choose another routine"
        )
    return SessionPlan(
        routine=routine.name,
        title=routine.title,
        steps=steps,
        limits=limits,
        comfortable_percent=limits.cap_percent,
        profile=profile,
        left_out=left_out,
    )


def left_out(
    routine: Routine,
    plan: SessionPlan,
    *,
    no_go: Collection[str] = frozenset(),
    neck: bool = False,
    optional: Collection[str] = frozenset(),
) -> tuple[LeftOut, ...]:
    """Return what of ``routine`` is not in ``plan``, and why, given what :func:`plan_session` was given."""
    found = [
        LeftOut(ZONES[zone].label, _zone_refusal(ZONES[zone], plan.profile, plan.limits, no_go=no_go, neck=neck) or "")
        for zone in plan.left_out
    ]
    unasked = dict.fromkeys(step.optional for step in routine.steps if step.optional not in (None, *optional))
    found += [LeftOut(words.OPTIONAL[name], words.WHY_OPTIONAL) for name in unasked if name is not None]
    return tuple(found)


def output_seconds(routine: Document) -> float:
    """Seconds with output on that a routine plans, before anything is left out."""
    return sum(_planned_seconds(routine).values())


def _limits(
    routine: Routine, profile: DeviceProfile, comfortable_percent: int | None, *, first_session: bool, ease: float
) -> Limits:
    comfortable = FIRST_SESSION_CAP_PERCENT if comfortable_percent is None else comfortable_percent
    planned_s = _planned_seconds(routine, ease)
    own = routine.limits
    limits = limits_for(
        profile,
        comfortable,
        first_session=first_session,
        routine_output_s=own.session_seconds * ease if own.session_seconds else _with_slack(sum(planned_s.values())),
        routine_zone_s=own.zone_seconds * ease if own.zone_seconds else _with_slack(max(planned_s.values(), default=0)),
        zone_shares={zone.id: zone.cap_share for zone in ZONES.values() if zone.cap_share < 1.0},
    )
    return limits if ease == 1 else narrowed(limits, ease)


def _zone_refusal(
    zone: Zone, profile: DeviceProfile, limits: Limits, *, no_go: Collection[str], neck: bool
) -> str | None:
    """Return why there is no output in a zone for this person with this device, in words, or None."""
    if zone.id in no_go:
        return words.WHY_NO_GO
    if zone.neck and not profile.neck_cleared:
        return words.WHY_NECK_DEVICE.format(device=profile.name)
    if zone.neck and not neck:
        return words.WHY_NECK_WISH
    if cap_percent(zone.id, limits) < limits.lowest_percent:
        return words.WHY_TOO_STRONG.format(device=profile.name, lowest=limits.lowest_percent)
    return None


def _check_device(routine: Routine, profile: DeviceProfile) -> None:
    needed = routine.needs.output
    if needed not in ("any", profile.output.value):
        raise NotForThisDeviceError(f"{routine.title} needs a {needed} device, and {profile.name} is not one")
    if routine.needs.cooling and profile.cooling_range_c is None:
        raise NotForThisDeviceError(f"{routine.title} needs a device that cools, and {profile.name} does not")
    if routine.needs.light and not profile.light:
        raise NotForThisDeviceError(f"{routine.title} needs a device with light, and {profile.name} has none")
    modes = {mode.number for mode in profile.modes}
    for step in routine.steps:
        if step.mode is not None and step.mode not in modes:
            has = f"it has {', '.join(map(str, sorted(modes)))}" if modes else "it has none"
            raise NotForThisDeviceError(f"{routine.title} needs mode {step.mode}, which {profile.name} lacks: {has}")


def _planned_seconds(routine: Document, ease: float = 1.0) -> dict[str, float]:
    planned: dict[str, float] = {}
    for step in routine.steps:
        if step.kind == "treat":
            for zone in step.zone_ids:
                passes, seconds = _length(step, ZONES[zone], ease)
                planned[zone] = planned.get(zone, 0.0) + passes * seconds
    return planned


def _with_slack(seconds: float) -> float:
    return seconds * (1.0 + SLACK_SHARE) + SLACK_S


def _length(step: RoutineStep, zone: Zone, ease: float) -> tuple[int, float]:
    """Passes and seconds of each. What is eased loses passes, never the pace, and keeps one."""
    return max(1, int((step.passes or zone.passes) * ease)), step.seconds_per_pass or zone.seconds_per_pass


def _steps(
    routine: Routine,
    profile: DeviceProfile,
    limits: Limits,
    without: Collection[str],
    without_hands: Collection[str],
    *,
    ease: float,
    optional: Collection[str],
) -> Iterator[PlannedStep]:
    for step in routine.steps:
        if step.optional is not None and step.optional not in optional:
            continue
        treat = step.kind == "treat"
        if not step.zone_ids:
            yield _guided(step, profile)
        for zone in step.zone_ids:
            if zone not in (without if treat else without_hands):
                yield (
                    _treated(step, ZONES[zone], profile, limits, ease) if treat else _massaged(step, ZONES[zone], ease)
                )


def _guided(step: RoutineStep, profile: DeviceProfile) -> PlannedStep:
    cooling_c = step.cooling_c
    if cooling_c is not None and profile.cooling_range_c is not None:
        low, high = profile.cooling_range_c
        cooling_c = max(low, min(cooling_c, high))
    return PlannedStep(
        kind=StepKind(step.kind),
        title=step.title or "",
        text=step.text or "",
        seconds=step.seconds or 0.0,
        confirm=step.confirm,
        cooling_c=cooling_c,
    )


def _massaged(step: RoutineStep, zone: Zone, ease: float) -> PlannedStep:
    passes, seconds = _length(step, zone, ease)
    return PlannedStep(
        kind=StepKind.MASSAGE,
        title=step.title or zone.label,
        text=step.text or zone.stroke,
        seconds=step.seconds or passes * seconds,
        confirm=step.confirm,
        zone=zone.id,
        stroke=step.stroke or zone.stroke,
        passes=passes,
    )


def _treated(step: RoutineStep, zone: Zone, profile: DeviceProfile, limits: Limits, ease: float) -> PlannedStep:
    passes, seconds = _length(step, zone, ease)
    # 1e-9: a share such as 0.7 of 30 must not lose a percent to binary fractions
    wanted = int((step.share or 0.0) * limits.cap_percent + 1e-9)
    # without a mode of its own the routine gets the first one: the device may still be in whatever was used last
    mode = step.mode if step.mode is not None or not profile.modes else profile.modes[0].number
    return PlannedStep(
        kind=StepKind.TREAT,
        title=step.title or zone.label,
        text=step.text or zone.stroke,
        seconds=passes * seconds,
        zone=zone.id,
        stroke=step.stroke or zone.stroke,
        passes=passes,
        target_percent=clamp_percent(wanted, zone.id, limits),
        mode=mode,
    )
