"""From a routine, a person and a device to the plan of one session: levels, limits, and what has to be left out.

Pure. Every level is a share of what the person may have at most, clamped; nothing here can go above it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from companion.routines.schema import Routine, RoutineStep
from companion.routines.zones import ZONES, Zone
from companion.session.interlocks import FIRST_SESSION_CAP_PERCENT, cap_percent, clamp_percent, limits_for
from companion.session.model import Limits, PlannedStep, SessionPlan, StepKind
from protocols.model import DeviceProfile

SLACK_SHARE = 0.1
"""Where a routine sets no limits of its own, it may have this much more output than it plans (slow answers, pauses)."""

SLACK_S = 10.0


class NotForThisDeviceError(Exception):
    """The routine is fine, but this device, or this person with it, cannot do it. One line for the person."""


def plan_session(
    routine: Routine,
    profile: DeviceProfile,
    *,
    comfortable_percent: int | None,
    first_session: bool,
    no_go: Collection[str] = frozenset(),
    neck: bool = False,
) -> SessionPlan:
    """Return the plan of one session.

    ``comfortable_percent`` is in percent of full scale; None, when the person has not chosen one yet, counts as the cap
    of a first session. ``no_go`` are zones that the person never treats. ``neck`` is their wish to treat the sides of
    the neck, which is followed only where the device is cleared for it.

    Raises:
        NotForThisDeviceError: the device lacks what the routine needs, or no zone of it is left for this person.
    """
    _check_device(routine, profile)
    comfortable = FIRST_SESSION_CAP_PERCENT if comfortable_percent is None else comfortable_percent
    planned_s = _planned_seconds(routine)
    limits = limits_for(
        profile,
        comfortable,
        first_session=first_session,
        routine_output_s=routine.limits.session_seconds or _with_slack(sum(planned_s.values())),
        routine_zone_s=routine.limits.zone_seconds or _with_slack(max(planned_s.values(), default=0.0)),
        zone_shares={zone.id: zone.cap_share for zone in ZONES.values() if zone.cap_share < 1.0},
    )
    if routine.zones and limits.cap_percent < limits.lowest_percent:
        raise NotForThisDeviceError(
            f"{profile.name} starts at {limits.lowest_percent} %, and your maximum is {limits.cap_percent} %: "
            "choose a higher maximum, or another device"
        )
    left_out = tuple(
        zone
        for zone in routine.zones
        if zone in no_go
        or cap_percent(zone, limits) < limits.lowest_percent
        or (ZONES[zone].neck and not (neck and profile.neck_cleared))
    )
    if routine.zones and len(left_out) == len(routine.zones):
        raise NotForThisDeviceError(
            f"{routine.title} has no zone left for you and {profile.name}: choose another routine"
        )
    return SessionPlan(
        routine=routine.name,
        title=routine.title,
        steps=tuple(_steps(routine, profile, limits, {*left_out, *no_go})),
        limits=limits,
        comfortable_percent=limits.cap_percent,
        profile=profile,
        left_out=left_out,
    )


def _check_device(routine: Routine, profile: DeviceProfile) -> None:
    needed = routine.needs.output
    if needed not in ("any", profile.output.value):
        raise NotForThisDeviceError(f"{routine.title} needs a {needed} device, and {profile.name} is not one")
    if routine.needs.cooling and profile.cooling_range_c is None:
        raise NotForThisDeviceError(f"{routine.title} needs a device that cools, and {profile.name} does not")
    modes = {mode.number for mode in profile.modes}
    for step in routine.steps:
        if step.mode is not None and step.mode not in modes:
            has = f"it has {', '.join(map(str, sorted(modes)))}" if modes else "it has none"
            raise NotForThisDeviceError(f"{routine.title} needs mode {step.mode}, which {profile.name} lacks: {has}")


def _planned_seconds(routine: Routine) -> dict[str, float]:
    planned: dict[str, float] = {}
    for step in routine.steps:
        if step.kind == "treat":
            for zone in step.zone_ids:
                passes, seconds = _length(step, ZONES[zone])
                planned[zone] = planned.get(zone, 0.0) + passes * seconds
    return planned


def _with_slack(seconds: float) -> float:
    return seconds * (1.0 + SLACK_SHARE) + SLACK_S


def _length(step: RoutineStep, zone: Zone) -> tuple[int, float]:
    return step.passes or zone.passes, step.seconds_per_pass or zone.seconds_per_pass


def _steps(routine: Routine, profile: DeviceProfile, limits: Limits, without: Collection[str]) -> Iterator[PlannedStep]:
    for step in routine.steps:
        zones = [ZONES[zone] for zone in step.zone_ids if zone not in without]
        if not step.zone_ids:
            yield _guided(step, profile)
        for zone in zones:
            yield _treated(step, zone, profile, limits) if step.kind == "treat" else _massaged(step, zone)


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


def _massaged(step: RoutineStep, zone: Zone) -> PlannedStep:
    passes, seconds = _length(step, zone)
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


def _treated(step: RoutineStep, zone: Zone, profile: DeviceProfile, limits: Limits) -> PlannedStep:
    passes, seconds = _length(step, zone)
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
