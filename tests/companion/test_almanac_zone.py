"""The time zone of this computer: by its name where it has one, and honestly as an offset where it has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from companion.almanac import local_place
from companion.almanac.zone import fixed_zone

SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
WINTER = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "UTC"])
def test_the_zone_has_the_name_that_the_computer_gives_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    place = local_place(WINTER)
    assert place.zone == ZoneInfo(name)
    assert place.note == ""


def test_whoever_travels_is_somewhere_else_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    local_place(WINTER)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert local_place(WINTER).zone.key == "Asia/Tokyo"


def test_a_zone_without_a_name_is_an_offset_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Nowhere/Atlantis")
    place = local_place(WINTER.astimezone(timezone(timedelta(hours=2))))
    assert WINTER.astimezone(place.zone).utcoffset() == timedelta(hours=2)
    assert "UTC+02:00" in place.note
    assert "\n" not in place.note


@pytest.mark.parametrize(
    "fault",
    [ZoneInfoNotFoundError("two of them"), OSError("unreadable"), ValueError("no zone"), UserWarning("UTC, perhaps")],
    ids=lambda fault: type(fault).__name__,
)
def test_whatever_is_wrong_with_the_computers_settings_there_is_a_zone(fault: Exception) -> None:
    def find() -> ZoneInfo:
        raise fault

    assert local_place(WINTER, find).note


def test_a_moment_without_an_offset_says_nothing_of_where_one_is() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        local_place(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


@pytest.mark.parametrize("minutes", [0, 60, -60, 330, -210, 765, 840, -720, 1, -1])
def test_a_fixed_zone_is_that_far_from_utc_all_year(minutes: int) -> None:
    offset = timedelta(minutes=minutes)
    zone = fixed_zone(offset)
    for moment in (SUMMER, WINTER, datetime(1999, 12, 31, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)):
        assert moment.astimezone(zone).utcoffset() == offset
        assert moment.astimezone(zone) == moment
    sign = "-" if minutes < 0 else "+"
    assert str(zone) == f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
