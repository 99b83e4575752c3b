"""The history and a session seen again, led by keys and by mouse on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from companion.almanac import Session
from companion.config import CompanionError
from companion.palette import DARK
from companion.screens.history import HistoryScreen
from companion.screens.replayed import ReplayedScreen, told
from companion.session.model import JournalEntry, JournalKind, Reason
from companion.store.rows import Status
from companion.widgets.countdown import Countdown
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyLine
from companion.widgets.replay import Happening, Stay, replay_of
from companion.widgets.sessions import SessionList, zone_bar
from companion.widgets.trace import Trace
from companion.words import history_screen as words
from tests.companion.kept import BERLIN, NOW, ZONES, Household, Kept, Stage, household, weeks
from tests.companion.staging import press, settle

SIZES = [(80, 24), (120, 40), (60, 20)]
TITLES = {"full-face": "Full face", "five-minute-lift": "Five-minute lift"}
FIRST_ZONE_S = 4


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Household]:
    with household(tmp_path / "data") as made:
        weeks(made)
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Household]:
    with household(tmp_path / "data") as made:
        yield made


def stage(almanac: Kept, theme: str = "dark") -> Stage:
    return Stage(HistoryScreen(almanac, TITLES), theme)


def row(app: Stage, *parts: str) -> str:
    """The first line of the screen that has all of these parts."""
    return next(line for line in app.text.splitlines() if all(part in line for part in parts))


def hand(app: Stage) -> Session:
    found = app.screen.query_one(SessionList).current
    assert found is not None
    return found


def seen(app: Stage) -> ReplayedScreen:
    assert isinstance(app.screen, ReplayedScreen)
    return app.screen


def clock(app: Stage) -> str:
    return app.screen.query_one(Countdown).text


def of(number: int, day: date) -> Session:
    """A session for a long list."""
    at = datetime(day.year, day.month, day.day, 19, 5, tzinfo=BERLIN)
    return Session(
        id=number,
        started_at=at,
        ended_at=at + timedelta(minutes=12),
        routine="full-face",
        device="Dr-05",
        demo=False,
        status=Status.FINISHED,
        reason=Reason.COMPLETED,
        minutes=12.0,
        output_minutes=10.0,
        zones=dict.fromkeys(ZONES, 40.0),
        highest_percent=40,
    )


# --- the list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_sessions_bars_and_skin_are_shown_at_every_size(
    kept: Household, size: tuple[int, int], theme: str
) -> None:
    app = stage(kept.almanac(), theme)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = app.text.splitlines()
        assert len(lines) == size[1]
        for part in (
            "What you have done",
            "November 2026",
            "17 Tue",
            "Full face",
            "11 min",
            "▆▆▆",
            "Redness",
            "Irritation",
        ):
            assert part in app.text
        assert lines[-1].startswith("   enter see it again   esc back")


async def test_a_session_is_a_line_with_its_end_in_words_where_it_was_no_full_one(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "stopped by you" in row(app, "7 Sat", "Full face", "4 min")
        assert "stopped" not in row(app, "2 Mon")
        assert "Five-minute lift" in row(app, "9 Mon", "6 min")
        assert "6 sessions · 52 min" in row(app, "November 2026")


@pytest.mark.parametrize(
    ("reason", "said"), [(Reason.NOT_PAIRED, "not paired"), (Reason.NOT_REACHED, "not reached")], ids=str
)
@pytest.mark.parametrize("width", [60, 80, 120])
async def test_what_never_began_is_told_as_that_and_not_counted(
    kept: Household, reason: Reason, said: str, width: int
) -> None:
    kept.never_began(NOW - timedelta(hours=1), reason)
    app = stage(kept.almanac())
    async with app.run_test(size=(width, 24)) as pilot:
        await settle(pilot)
        line = row(app, "19 Thu", "Full face", said)
        assert "min" not in line
        assert "link" not in line
        assert "6 sessions · 52 min" in row(app, "November 2026")
        assert "6 sessions" in row(app, words.TITLE)


async def test_how_a_simulated_session_ended_is_told_in_whole(fresh: Household) -> None:
    for reason, started in ((Reason.NOT_PAIRED, 1), (Reason.STOPPED, 2), (Reason.COMPLETED, 3)):
        fresh.never_began(NOW - timedelta(days=started), reason, demo=True)
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert row(app, "18 Wed").rstrip().endswith("not paired")
        assert row(app, "17 Tue").rstrip().endswith("stopped by you")
        assert row(app, "16 Mon").rstrip().endswith("demo")


async def test_a_longer_session_has_a_longer_bar(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        bars = {day: row(app, day).count("▆") for day in ("17 Tue", "9 Mon", "7 Sat")}
        assert bars["17 Tue"] > bars["9 Mon"] > bars["7 Sat"] > 0


async def test_what_was_cut_off_is_told_and_its_zones_are_dashes(kept: Household) -> None:
    kept.session(date(2026, 11, 18), reason=None, zones=ZONES[:5])
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        line = row(app, "18 Wed")
        assert words.INTERRUPTED in line
        assert line.count("╌") == 5


async def test_a_session_with_words_or_photos_has_a_mark(kept: Household) -> None:
    almanac = kept.almanac()
    newest = almanac.sessions(1)[0]
    almanac.say(newest.id, "calm afterwards", ("/photos/a.jpg",))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert words.NOTE_MARK in row(app, "17 Tue")
        assert app.text.count(words.NOTE_MARK) == 1


async def test_an_empty_history_says_so_kindly(fresh: Household) -> None:
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert words.NOTHING in app.text
        assert "see it again" not in app.text
        await press(pilot, "enter", "escape")
        assert not isinstance(app.screen, HistoryScreen)


async def test_the_skin_is_a_line_for_each_score_and_what_it_says(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        line = row(app, "Dryness")
        assert "Dryness ▆▆▅▅▃▃" in line
        assert "calmer than before." in app.text


@pytest.mark.parametrize("checks", [0, 1])
async def test_one_check_of_the_skin_makes_no_trend(fresh: Household, checks: int) -> None:
    fresh.session(date(2026, 11, 2))
    for _ in range(checks):
        fresh.store.diary.check_skin(1, 2, 3)
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Dryness" not in app.text


async def test_the_first_line_says_the_month_wherever_one_is_in_it(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [of(100 - number, date(2026, 11, 18) - timedelta(days=number)) for number in range(50)]
    almanac = kept.almanac()
    monkeypatch.setattr(almanac, "sessions", lambda limit=None: many[:limit])
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for key in ["down"] * 45 + ["up"] * 20 + ["end"]:
            await press(pilot, key)
            at = hand(app).started_at
            listed = app.text.splitlines()[2:19]
            assert any(line.startswith(f"   ▸ {words.DAY.format(at=at)}") for line in listed), (at, listed)
        assert "2026  " in listed[0]
        await pilot.click(SessionList, offset=(20, 0))
        await settle(pilot)
        assert hand(app).started_at == at


async def test_moving_goes_from_session_to_session_over_the_months(fresh: Household) -> None:
    for day in (date(2026, 9, 30), date(2026, 10, 1), date(2026, 11, 3)):
        fresh.session(day, zones=ZONES[:1])
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        days = []
        for key in ("up", "down", "down", "down", "home", "end", "pageup", "pagedown", "k", "j"):
            await press(pilot, key)
            days.append(hand(app).started_at.date())
        september, october, november = date(2026, 9, 30), date(2026, 10, 1), date(2026, 11, 3)
        assert days[:5] == [november, october, september, september, november]
        assert days[5:] == [september, november, september, october, september]


async def test_a_click_takes_a_session_and_a_second_one_opens_it(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.click(SessionList, offset=(20, 3))
        await settle(pilot)
        assert hand(app).started_at.day == 9
        await pilot.click(SessionList, offset=(20, 0))
        await settle(pilot)
        assert hand(app).started_at.day == 9
        await pilot.click(SessionList, offset=(20, 3))
        await settle(pilot)
        assert seen(app)


async def test_thousands_of_sessions_are_shown_line_by_line_as_they_are_seen(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [of(5000 - number, date(2026, 11, 18) - timedelta(days=number)) for number in range(5000)]
    almanac = kept.almanac()
    read: list[int] = []

    def sessions(limit: int | None = None, before: int | None = None) -> list[Session]:
        rest = [one for one in many if before is None or one.id < before][:limit]
        read.extend(one.id for one in rest)
        return rest

    monkeypatch.setattr(almanac, "sessions", sessions)
    monkeypatch.setattr(almanac, "count_sessions", lambda **_begun: len(many))
    drawn: list[int] = []
    line = SessionList._line

    def counted(self: SessionList, index: int, *rest: object) -> object:
        drawn.append(index)
        return line(self, index, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SessionList, "_line", counted)
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "5,000 sessions" in app.text
        assert "November 2026  18 sessions" in app.text
        assert max(drawn) < 24
        assert len(read) == 100
        for _ in range(5):
            await press(pilot, "pagedown")
        assert 100 < len(read) <= 400
        assert hand(app).id == many[5 * (app.screen.query_one(SessionList).size.height - 2)].id
        app.screen.query_one(SessionList).scroll_to(y=1000, animate=False)
        await settle(pilot)
        assert 1000 < len(read) < 1200
        assert f"{many[940].started_at:%B %Y}" in app.text
        await press(pilot, "end")
        assert hand(app).id == 1
        assert f"{many[-1].started_at:%B %Y}" in app.text
        assert read == [one.id for one in many], "each is read once, in order"
        assert len(set(drawn)) < 160


async def test_a_month_that_is_read_in_part_has_no_sum_until_it_is_read_in_whole(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [of(300 - number, date(2026, 11, 18)) for number in range(300)]
    almanac = kept.almanac()
    monkeypatch.setattr(almanac, "sessions", lambda limit, before=301: [o for o in many if o.id < before][:limit])
    monkeypatch.setattr(almanac, "count_sessions", lambda **_begun: len(many))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert row(app, "November 2026").strip() == "November 2026"
        await press(pilot, "end")
        await press(pilot, "home")
        assert "November 2026  300 sessions" in app.text


async def test_sessions_that_cannot_be_read_leave_those_that_are_there(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [of(300 - number, date(2026, 11, 18)) for number in range(100)]
    almanac = kept.almanac()

    def sessions(limit: int, before: int | None = None) -> list[Session]:
        if before is not None:
            raise CompanionError("the disk could not be read")
        return many[:limit]

    monkeypatch.setattr(almanac, "sessions", sessions)
    monkeypatch.setattr(almanac, "count_sessions", lambda **_begun: 5000)
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end")
        assert hand(app).id == many[-1].id
        assert [one.message for one in app._notifications] == ["the disk could not be read"]


@pytest.mark.parametrize("columns", [1, 8, 20, 60])
@pytest.mark.parametrize(
    "zones",
    [(), (0.0,), (1.0,), (600.0,), (40.0,) * 14, (1.0,) * 100, (None, None), (None,) * 30, (5.0, None)],
    ids=["none", "no time", "a second", "long", "all", "many", "uncounted", "many uncounted", "mixed"],
)
@pytest.mark.parametrize("plain", [False, True], ids=["colour", "plain"])
def test_a_bar_takes_its_columns_and_no_more(zones: tuple[float | None, ...], columns: int, plain: bool) -> None:
    palette = None if plain else DARK
    bar = zone_bar(zones, 560.0, columns, palette, None if plain else DARK.background)
    assert len(bar) == columns
    filled = "".join(cell.character for cell in bar).rstrip()
    assert " " not in filled
    assert bool(filled) == any(one is None or one > 0 for one in zones)


def test_neighbouring_zones_differ_in_tone_and_without_colour_in_shape() -> None:
    zones = (140.0,) * 4
    bar = zone_bar(zones, 560.0, 20, DARK, DARK.background)
    assert [cell.ink for cell in bar[:5]] == [DARK.done] * 5
    assert len({cell.ink for cell in bar}) == 2
    plain = "".join(cell.character for cell in zone_bar(zones, 560.0, 20, None, None))
    assert plain == "▆▆▆▆▆▃▃▃▃▃▆▆▆▆▆▃▃▃▃▃"


async def test_without_colour_the_session_under_the_hand_has_a_mark(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "down")
        assert "▸ 12 Thu" in app.text


# --- a journal read again ---------------------------------------------------------------------------------------------


def entry(kind: JournalKind, /, **data: object) -> JournalEntry:
    return JournalEntry(kind, data)  # type: ignore[arg-type]


JOURNAL = [
    (0.0, entry(JournalKind.CONNECTED, device="Dr-05", again=False)),
    (2.0, entry(JournalKind.ZONE, state="begin", zone="chin", index=0, seconds=30.0)),
    (2.0, entry(JournalKind.INTENSITY, command="level", state="asked", percent=10, zone="chin")),
    (2.5, entry(JournalKind.INTENSITY, command="level", state="acknowledged", percent=10, zone="chin")),
    (10.0, entry(JournalKind.INTENSITY, command="level", state="acknowledged", percent=30, zone="chin")),
    (20.0, entry(JournalKind.INTENSITY, command="stop", state="asked", percent=0, zone="chin")),
    (20.4, entry(JournalKind.INTENSITY, command="stop", state="acknowledged", percent=0, zone="chin")),
    (20.5, entry(JournalKind.ZONE, state="end", zone="chin", index=0, seconds=18.0, outcome="done")),
    (24.0, entry(JournalKind.ZONE, state="begin", zone="left-cheek", index=1, seconds=30.0)),
    (25.0, entry(JournalKind.INTENSITY, command="level", state="acknowledged", percent=20, zone="left-cheek")),
    (31.0, entry(JournalKind.LINK_LOST, reason="out of reach", zone="left-cheek", step_elapsed_s=6.0)),
    (40.0, entry(JournalKind.FINISHED, reason="link lost", zones={"chin": 18.0})),
]


@pytest.mark.parametrize(
    ("t", "percent"),
    [(0, 0), (2.4, 0), (2.5, 10), (9.9, 10), (10, 30), (20.2, 30), (20.4, 0), (24.5, 0), (26, 20), (31, 0), (99, 0)],
)
def test_a_level_holds_from_when_the_device_acknowledged_it(t: float, percent: int) -> None:
    assert replay_of(JOURNAL).level_at(t) == percent


def test_zones_last_from_begin_to_end_and_an_open_one_to_the_end_of_the_journal() -> None:
    replay = replay_of(JOURNAL)
    assert replay.stays == (Stay("chin", 2.0, 20.5), Stay("left-cheek", 24.0, 40.0))
    assert [replay.stay_at(t) for t in (0, 2, 20, 21, 24, 39.9, 40)] == [None, 0, 0, None, 1, 1, None]
    assert replay.length_s == 40.0
    assert replay.highest == 30


def test_the_highest_level_of_a_stretch_counts_what_holds_at_its_beginning_and_nothing_of_after_it() -> None:
    replay = replay_of(JOURNAL)
    assert replay.highest_between(0, 2.5) == 0
    assert replay.highest_between(0, 3) == 10
    assert replay.highest_between(12, 13) == 30
    assert replay.highest_between(20.4, 24) == 0
    assert replay.highest_between(0, 40) == 30


def test_what_was_noted_is_told_for_a_few_seconds() -> None:
    replay = replay_of(JOURNAL)
    lost = replay.happening_at(32)
    assert lost is not None
    assert told(lost) == "the link was lost"
    assert replay.happening_at(34.1) is None


def test_a_journal_that_reads_otherwise_than_expected_is_no_fault() -> None:
    odd = [
        (1.0, entry(JournalKind.INTENSITY, state="acknowledged", percent="much")),
        (2.0, entry(JournalKind.ZONE, state="begin", zone=None)),
        (3.0, entry(JournalKind.ZONE, state="end", zone="chin")),
    ]
    replay = replay_of(odd)
    assert replay.levels == ()
    assert replay.stays == ()
    assert replay_of([]).length_s == 0


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (JournalKind.CONNECTED, {"again": False}, "connected"),
        (JournalKind.CONNECTED, {"again": True}, "connected again"),
        (JournalKind.WATER, {"low": True}, "cooling water low"),
        (JournalKind.WATER, {"low": False}, "cooling water fine again"),
        (JournalKind.SENSATION, {"answer": "tingling"}, "it felt: tingling"),
        (JournalKind.SENSATION, {"asked": True}, ""),
        (JournalKind.WARNING, {"message": "More gel."}, "More gel."),
        (JournalKind.PAUSED, {}, "paused"),
        (JournalKind.RESUMED, {}, "went on"),
        (JournalKind.STOPPING, {}, "stopping"),
        (JournalKind.STOPPED, {}, "output confirmed off"),
    ],
    ids=lambda value: value.value if isinstance(value, JournalKind) else str(value) or "nothing",
)
def test_what_was_noted_is_told_in_words(kind: JournalKind, data: dict[str, object], said: str) -> None:
    assert told(Happening(0.0, kind, data)) == said


# --- one session seen again -------------------------------------------------------------------------------------------


async def opened(pilot: Pilot[None]) -> None:
    await settle(pilot)
    await press(pilot, "enter")


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_a_session_is_seen_again_at_every_size(kept: Household, size: tuple[int, int], theme: str) -> None:
    app = stage(kept.almanac(), theme)
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        lines = app.text.splitlines()
        assert len(lines) == size[1]
        for part in ("Tuesday, 17 November 2026, 19:05", "Full face · Dr-05", "Chin", "10:39", words.NO_NOTE):
            assert part in app.text
        assert lines[-1].startswith("   ← → second")
        assert "esc back" in lines[-1]
        assert app.screen.region.contains_region(app.screen.query_one(Trace).region)


async def test_it_begins_with_the_first_zone_and_goes_second_by_second(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        times = [clock(app)]
        for key in ("right", "left", "pagedown", "shift+right", "pageup", "end", "home", "left"):
            await press(pilot, key)
            times.append(clock(app))
        assert times == ["0:05", "0:06", "0:05", "0:15", "0:25", "0:15", "10:39", "0:00", "0:00"]


async def test_up_and_down_go_zone_by_zone_and_the_face_follows(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        face = app.screen.query_one(FaceMap)
        assert face.current == "chin"
        await press(pilot, "down")
        assert face.current == "left-jawline"
        assert "Left jawline" in app.text
        await press(pilot, "down", "up")
        assert face.current == "left-jawline"
        await press(pilot, "up", "up", "up")
        assert face.current == "chin"
        await press(pilot, "home")
        assert face.current is None
        assert words.BEGIN in app.text


async def test_the_level_is_told_at_each_second_and_that_there_was_none(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert words.OFF in app.text
        await press(pilot, *["right"] * 8)
        assert "40 %  of full scale" in app.text
        await press(pilot, "home")
        assert words.OFF in app.text


async def test_a_click_into_the_chart_goes_there(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        width = app.screen.query_one(Trace).size.width
        await pilot.click(Trace, offset=(width // 2, 3))
        await settle(pilot)
        assert clock(app) == "5:23"


async def test_the_chart_is_as_high_as_the_level(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await press(pilot, "home")
        trace = app.screen.query_one(Trace)
        rows = [trace.render_line(y).text for y in range(trace.size.height)]
        assert rows[0].startswith("▼")
        heights = [sum(row[x] not in " │" for row in rows[1:-2]) for x in range(trace.size.width)]
        cheek = 60
        assert heights[cheek] == trace.size.height - 3
        assert 0 < heights[-3] < heights[cheek]
        assert "━" in rows[-2]
        assert rows[-1].startswith("0:00")


async def test_a_session_without_a_journal_says_so(kept: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    almanac = kept.almanac()
    monkeypatch.setattr(almanac, "entries", lambda _id: [])
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert str(app.screen.query_one("#noted", Static).render()) == words.NO_JOURNAL
        await press(pilot, "right", "down", "end", "up")
        assert clock(app) == "0:00"


async def test_a_note_is_written_in_its_place_kept_and_marked_in_the_list(kept: Household) -> None:
    almanac = kept.almanac()
    newest = almanac.sessions(1)[0]
    almanac.say(newest.id, "a little red", ("/photos/before.jpg",))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "Note: a little red" in app.text
        assert "Photos: /photos/before.jpg" in app.text
        await press(pilot, "n", "end", *"! n q", "enter")
        assert "Note: a little red! n q" in app.text
        assert words.NOTE_KEPT in app.text
        await press(pilot, "escape")
        assert hand(app).text == "a little red! n q"
    remark = kept.store.diary.remark(newest.id)
    assert remark is not None
    assert (remark.text, remark.photos) == ("a little red! n q", ("/photos/before.jpg",))


async def test_escape_while_a_note_is_written_keeps_the_one_before(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        before = clock(app)
        await press(pilot, "n", *"no", "pagedown", "down", "escape")
        assert seen(app)
        assert clock(app) == before
        assert words.NO_NOTE in app.text
        await press(pilot, "escape")
        assert isinstance(app.screen, HistoryScreen)
    assert almanac.sessions(1)[0].text == ""


async def test_a_note_that_cannot_be_kept_is_told_and_not_shown_as_kept(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    almanac = kept.almanac()

    def full(*_: object) -> bool:
        raise CompanionError("/data: the disk is full; make room")

    monkeypatch.setattr(almanac, "say", full)
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "n", "a", "enter")
        assert "/data: the disk is full; make room" in app.text
        assert words.NO_NOTE in app.text
        monkeypatch.setattr(almanac, "say", lambda *_: False)
        await press(pilot, "n", "a", "enter")
        assert words.NOTE_NOT_KEPT in app.text
        assert words.NO_NOTE in app.text


async def test_what_is_written_is_never_read_as_markup(kept: Household) -> None:
    almanac = kept.almanac()
    newest = almanac.sessions(1)[0]
    almanac.say(newest.id, "[b]so[/b] [red", ("/photos/[x].jpg",))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "Note: [b]so[/b] [red" in app.text
        assert "/photos/[x].jpg" in app.text


async def test_space_means_nothing_but_a_space_in_a_note(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = app.text
        await press(pilot, "space")
        assert app.text == before
        await press(pilot, "enter")
        before = app.text
        await press(pilot, "space")
        assert app.text == before
        await press(pilot, "n")
        await pilot.press("a", "space", "b")
        assert app.screen.query_one("#write", Input).value == "a b"


async def test_the_last_line_can_be_clicked(kept: Household) -> None:
    app = stage(kept.almanac())

    async def click(hint: str) -> None:
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(str(line.render()).index(hint), 0))
        await settle(pilot)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await click("enter")
        await click("← →")
        assert clock(app) == "0:06"
        await click("↑ ↓")
        assert "Left jawline" in app.text
        await click("n note")
        await press(pilot, "x")
        await click("enter keep")
        assert str(app.screen.query_one("#text", Static).render()) == "x"
        await click("esc")
        assert isinstance(app.screen, HistoryScreen)
        await click("esc")
        assert not isinstance(app.screen, HistoryScreen)
