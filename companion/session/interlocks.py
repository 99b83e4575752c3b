"""The limits that hold whatever anybody asks (safety case H1, H2, H6), as pure functions.

Everything that bounds a level, a rise, a time or a rest lives here, and nothing else does: no state, no clock, no
device bytes. The one place of the companion that constructs ``SetIntensity``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from companion.session.model import Limits
from protocols.model import DeviceProfile, SetIntensity

FIRST_SESSION_CAP_PERCENT = 30
"""H2: the cap of a first session. The person can raise the target up to it. "Until the person raises it" is read as:
after the first session they may set a higher comfortable maximum, never during it."""

RAMP_PERCENT_PER_S = 10.0
"""H2: no rise is faster than this share of full scale a second, whatever a profile says."""

OUTPUT_LIMIT_S = 20 * 60.0
"""H6: output per session (and per zone) when the maker is silent; the auto shut-off of FDA 510(k) K201680."""

REST = timedelta(hours=12)
"""H6: from the end of one session to the start of the next."""


@dataclass(frozen=True, slots=True)
class PastSession:
    """What the rest rule needs of a finished session: when it ended (aware) and which zones had output."""

    ended_at: datetime
    zones: frozenset[str]


def cap_percent(zone: str | None, limits: Limits) -> int:
    """Return the highest level allowed in ``zone``, in percent of full scale, before rounding to the step grid."""
    if zone is None:
        return limits.cap_percent
    return min(limits.cap_percent, limits.zone_caps.get(zone, limits.cap_percent))


def clamp_percent(requested: int, zone: str | None, limits: Limits) -> int:
    """Return the nearest allowed level to ``requested``: THE clamp (H1).

    Rounds down to the device's step grid (``lowest_percent`` plus whole steps); at least ``lowest_percent``, at most
    the cap of the session and of the zone.

    Raises:
        ValueError: the cap is below the device's lowest level, so that no output is allowed there at all.
    """
    cap = cap_percent(zone, limits)
    if cap < limits.lowest_percent:
        raise ValueError(
            f"no output is allowed in {zone}: cap {cap} % is below the lowest level, {limits.lowest_percent} %"
        )
    bounded = max(limits.lowest_percent, min(requested, cap))
    return bounded - (bounded - limits.lowest_percent) % limits.step_percent


def level_command(requested: int, zone: str | None, limits: Limits, *, current: int | None) -> SetIntensity:
    """Return the next level to send on the way to ``requested`` (H1, H2).

    ``current`` is the level that the device acknowledged since the output was last known off, None when there is none:
    then the only level to be had is the lowest one. A rise is one step at most; lowering goes all the way at once.
    """
    reachable = limits.lowest_percent if current is None else min(requested, current + limits.step_percent)
    return SetIntensity(clamp_percent(reachable, zone, limits))


def next_rise_at(acknowledged_at: float, limits: Limits) -> float:
    """Return when the next rise may leave, given when the last level or start was acknowledged (H2)."""
    return acknowledged_at + limits.step_percent / limits.ramp_percent_per_s


def limits_for(
    profile: DeviceProfile,
    comfortable_percent: int,
    *,
    first_session: bool,
    routine_output_s: float | None = None,
    routine_zone_s: float | None = None,
    zone_shares: Mapping[str, float] = MappingProxyType({}),
) -> Limits:
    """Return the strictest of what profile, person, routine and zones allow (H1, H2, H6).

    ``routine_output_s`` and ``routine_zone_s`` are the routine's own limits of output time, None where it is silent.
    ``zone_shares`` gives the share of the cap (0 to 1) for zones with thin skin. A cap may come out below the device's
    lowest level: such a zone, or with such a comfortable maximum the whole device, is not for this session.
    """
    cap = min(profile.max_percent, comfortable_percent)
    if first_session:
        cap = min(cap, FIRST_SESSION_CAP_PERCENT)
    return Limits(
        lowest_percent=profile.lowest_percent,
        step_percent=profile.step_percent,
        cap_percent=cap,
        ramp_percent_per_s=min(RAMP_PERCENT_PER_S, profile.ramp_percent_per_s),
        session_output_s=_least(profile.max_session_s, routine_output_s),
        zone_output_s=_least(profile.max_zone_s, routine_zone_s),
        # 1e-9: a share such as 0.1 of 30 must not lose a percent to binary fractions
        zone_caps=MappingProxyType({zone: int(cap * share + 1e-9) for zone, share in zone_shares.items()}),
    )


def narrowed(limits: Limits, share: float) -> Limits:
    """Return limits with every cap lowered to ``share`` of itself, though not below the lowest level of the device."""

    def lower(cap: int) -> int:
        return min(cap, max(limits.lowest_percent, int(cap * share + 1e-9)))

    zone_caps = MappingProxyType({zone: lower(cap) for zone, cap in limits.zone_caps.items()})
    return replace(limits, cap_percent=lower(limits.cap_percent), zone_caps=zone_caps)


def rest_refusal(now: datetime, past: Sequence[PastSession], zones: Collection[str]) -> str | None:
    """Return why a session of ``zones`` may not start at ``now`` yet, as one plain sentence, or None (H6).

    At least twelve hours between sessions, and one a day per zone by the date where ``now`` is. ``now`` and the ends of
    past sessions are aware. Sessions that never had output do not count. There is no override.
    """
    treated = [session for session in past if session.zones]
    if not treated:
        return None
    # in UTC: on the night of a clock change twelve hours on the wall are eleven or thirteen hours of rest
    ready = (max(session.ended_at.astimezone(UTC) for session in treated) + REST).astimezone(now.tzinfo)
    if now.astimezone(UTC) < ready.astimezone(UTC):
        when = f"{ready:%H:%M}" if ready.date() == now.date() else f"{ready:%H:%M on %A, %d %B}"
        return f"Your skin needs 12 hours of rest between sessions: the next one can start at {when}."
    today = [session for session in treated if session.ended_at.astimezone(now.tzinfo).date() == now.date()]
    again = sorted({zone for session in today for zone in session.zones} & set(zones))
    if again:
        return f"Each zone has one session a day, and {again[0].replace('-', ' ')} had today's: come back tomorrow."
    return None


def _least(maker_s: float | None, routine_s: float | None) -> float:
    """The lesser of the maker's and the routine's limit; twenty minutes where the maker is silent."""
    limit = OUTPUT_LIMIT_S if maker_s is None else maker_s
    return limit if routine_s is None else min(limit, routine_s)
