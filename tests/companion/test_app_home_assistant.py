"""Home Assistant beside the app: it sees the day and the session, it can stop, and nothing it does is in the way.

With a real mosquitto, and the app led by Textual's pilot.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from companion import linking
from companion.app import CompanionApp
from companion.config import CompanionError
from companion.dates import Calendar
from companion.device.radio import SystemRadio
from companion.household import Household
from companion.integrations.mqtt_commands import StopGate, Verdict
from companion.integrations.mqtt_conversation import Timing
from companion.integrations.mqtt_settings import MqttSettings
from companion.linking import Linking
from companion.screens.help import HelpScreen
from companion.screens.people import PeopleScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.screening import BlockedScreen, ScreeningScreen
from companion.screens.session import SessionScreen
from companion.screens.settings import SettingRow, SettingsScreen
from companion.screens.summary import SummaryScreen
from companion.screens.today import TodayScreen
from companion.session.model import Intent, Output, Phase, Reason
from companion.settings.file import SettingsFile, settings_file
from companion.settings.schema import Settings
from tests.companion.integrations.broker import PATIENCE_S, Broker, Listener, Way, free_port, listening, program, run
from tests.companion.integrations.certificates import Authority
from tests.companion.integrations.test_mqtt import AVAILABILITY, DEVICE, DISCOVERY, GRAMMAR, ROOT, STOP
from tests.companion.staging import StagedHome, press, set_scene, settle, view_of

if TYPE_CHECKING:
    from companion.demo import DemoRadio

MOMENT = Calendar.fixed(datetime(2026, 11, 22, 20, 0, tzinfo=UTC))


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A link that does not take its time: it tells, asks and comes back at once."""
    patience_s = 0.3 if "stalling" in request.node.name else 3.0
    quick = partial(Timing, delay=lambda _: 0.05, question_s=0.05, gap_s=0.0, patience_s=patience_s)
    monkeypatch.setattr("companion.integrations.mqtt_conversation.Timing", quick)


def turn_on(file: SettingsFile[Settings], port: int, **more: object) -> None:
    values = {"host": "127.0.0.1", "port": port, "device_id": DEVICE, **more, "enabled": True}
    for key, value in values.items():
        file.change(f"mqtt.{key}", value)


async def change(app: CompanionApp, pilot: Pilot[int], home: StagedHome, key: str, value: object) -> None:
    """Change a setting in the app; the one switch by its key on the settings screen, the rest beneath it."""
    if key == "mqtt.enabled":
        await press(pilot, "g", "s")
        row = next(one for one in app.screen.query(SettingRow) if one.line.setting.key == key)
        assert row.line.value is not value
        row.focus()
        await press(pilot, "space", "escape")
    else:
        home.settings.change(key, value)
        app.post_message(SettingsScreen.Changed(key, value))


@contextlib.asynccontextmanager
async def opened(home: StagedHome | Household) -> AsyncIterator[tuple[CompanionApp, Pilot[int]]]:
    """The app, until it has let go of everything."""
    app = CompanionApp(home, environ={})
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            yield app, pilot
    finally:
        await app.let_go()


async def until(pilot: Pilot[int], what: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            await pilot.pause(0.01)
    await settle(pilot)


def line(app: CompanionApp) -> str:
    """What the settings say of the link."""
    return app._link_said[0]


async def online(app: CompanionApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: "connected to" in line(app))


async def in_session(app: CompanionApp, pilot: Pilot[int], home: StagedHome) -> None:
    """A staged session in the middle of treating."""
    app.screen.post_message(RoutinesScreen.Chosen(home.choices(None)[2]))
    await settle(pilot)
    set_scene(home, "session")
    app.screen.post_message(PrepareScreen.Ready(dict.fromkeys((one.id for one in home.today_questions()), False)))
    await until(pilot, lambda: app.live and isinstance(app.screen, SessionScreen))
    home.session.on_change(home.session.view)


async def treating(app: CompanionApp, pilot: Pilot[int], home: Household) -> None:
    """A demo's session over the virtual radio, with output on."""
    await until(pilot, lambda: isinstance(app.screen, TodayScreen) and "Dr-05" in app.screen.near)
    if home.patch_to_look_at() is None and home.almanac.patch_test() is None:
        home.answer_patch("declined")
    home.check_skin(dict.fromkeys((one.id for one in home.skin_questions()), 1))
    device = app._near()
    assert device is not None
    choice = next(one for one in home.choices(device.profile) if one.name == "five-minute-lift")
    app.screen.post_message(RoutinesScreen.Chosen(choice))
    await until(pilot, lambda: isinstance(app.screen, PrepareScreen))
    app.screen.post_message(PrepareScreen.Ready(dict.fromkeys((one.id for one in home.today_questions()), False)))
    await until(pilot, lambda: app.running is not None and app.running.view.phase is Phase.READY)
    session = app.running
    assert session is not None
    session.intend(Intent.START)

    def on() -> bool:
        if session.view.waits_for_confirm:
            session.intend(Intent.CONFIRM)
        return session.view.output is Output.ON

    await until(pilot, on)


def kept(listener: Listener) -> dict[str, bytes]:
    """What everybody sees who comes now: the last word on each topic."""
    return {one.topic: one.payload for one in listener.seen}


# --- what is seen -----------------------------------------------------------------------------------------------------


async def test_home_assistant_sees_the_day_and_what_changes_in_it_and_hears_a_goodbye(tmp_path: Path) -> None:
    home = StagedHome()
    home.plans()
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await listener.message(AVAILABILITY, b"online")
            facts = home.almanac.facts()
            assert facts.next_session is not None
            assert kept(listener)[f"{ROOT}/next_session"] == facts.next_session.astimezone(UTC).isoformat().encode()
            assert kept(listener)[f"{ROOT}/minutes_this_week"] == str(round(facts.minutes_this_week)).encode()
            assert kept(listener)[f"{ROOT}/session"] == b"no session"
            await press(pilot, "w")
            glass = home.almanac.goal().glass_ml
            await listener.message(f"{ROOT}/water_today", str(glass).encode())
            await press(pilot, "u")
            await listener.message(f"{ROOT}/water_today", b"0", after=len(listener.seen) - 1)
            await online(app, pilot)
        await listener.message(AVAILABILITY, b"offline")
        assert kept(listener)[AVAILABILITY] == b"offline"


async def test_a_session_is_followed_to_its_end_and_what_came_of_it_is_told_with_the_goodbye(tmp_path: Path) -> None:
    home = StagedHome()
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await online(app, pilot)
            await in_session(app, pilot, home)
            home.session.on_change(view_of(home.plan, "left-cheekbone", delivered_ua=123.4, battery_percent=81))
            await listener.message(f"{ROOT}/session", b"treating")
            await listener.message(f"{ROOT}/output", b"0.123")
            await listener.message(f"{ROOT}/battery", b"81")
            home.holds(home.moment)
            home.session.end(Reason.COMPLETED)
            app.exit(0)
        await listener.message(AVAILABILITY, b"offline")
        told = kept(listener)
        assert (told[f"{ROOT}/session"], told[f"{ROOT}/output"], told[f"{ROOT}/battery"]) == (
            b"no session",
            b"None",
            b"None",
        )
        assert told[f"{ROOT}/last_session"] == home.moment.isoformat().encode()
        assert told[f"{ROOT}/minutes_this_week"] == b"12"


async def test_a_water_reminder_is_an_event_for_a_speaker(tmp_path: Path) -> None:
    home = StagedHome()
    home.plans()
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await online(app, pilot)
            app._remind(cast("Any", _Reminder(0)))
            app._remind(cast("Any", _Reminder(200)))
            event = await listener.message(f"{ROOT}/water_reminder")
            assert json.loads(event.payload)["ml"] == 200


class _Reminder:
    def __init__(self, ml: int) -> None:
        self.ml = ml
        self.title, self.text, self.about = "Water", "A glass, if you like.", "water"


async def test_nothing_of_one_person_is_shown_for_the_other(tmp_path: Path) -> None:
    home = StagedHome()
    home.names = ["Ada", "Ben"]
    home.plans()
    home.almanac.drink(250)
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await listener.message(f"{ROOT}/water_today", b"250")
            await listener.message(AVAILABILITY, b"online")
            adas = {topic: payload for topic, payload in kept(listener).items() if payload not in {b"None", b"0"}}
            assert f"{ROOT}/next_session" in adas
            before = len(listener.seen)
            app.post_message(PeopleScreen.Chosen("Ben"))
            await listener.message(f"{ROOT}/water_today", b"0", after=before)
            await listener.message(f"{ROOT}/next_session", b"None", after=before)
            await until(pilot, lambda: kept(listener)[f"{ROOT}/last_session"] == b"None")
            bens = kept(listener)
            assert bens[f"{ROOT}/minutes_this_week"] == b"0"
            told_since = {(one.topic, one.payload) for one in listener.seen[before:]}
            of_the_day = {"next_session", "last_session", "minutes_this_week", "water_today"}
            assert not told_since & {(t, p) for t, p in adas.items() if t.rpartition("/")[2] in of_the_day}


async def test_another_persons_day_that_cannot_be_read_is_shown_as_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = StagedHome()
    home.names = ["Ada", "Ben"]
    home.almanac.drink(250)
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, _):
            await listener.message(f"{ROOT}/water_today", b"250")

            def unreadable(_: object) -> None:
                raise CompanionError("another program writes")

            monkeypatch.setattr("companion.beside.facts_of", unreadable)
            app.post_message(PeopleScreen.Chosen("Ben"))
            await listener.message(f"{ROOT}/water_today", b"None", after=len(listener.seen))


async def test_of_two_programs_one_tells_the_day_and_each_its_session(tmp_path: Path) -> None:
    """Two people at two screens: their days do not mix, and either session is seen and can be stopped."""
    first, second = StagedHome(), StagedHome()
    second.first = False
    first.almanac.drink(250)
    second.almanac.drink(700)
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(first.settings, broker.port)
        turn_on(second.settings, broker.port)
        async with opened(first) as (app, pilot):
            await online(app, pilot)
            async with opened(second) as (other, other_pilot):
                await online(other, other_pilot)
                await in_session(other, other_pilot, second)
                await listener.message(f"{ROOT}/session", b"treating")
                await broker.publish(STOP, "STOP")
                await until(other_pilot, lambda: isinstance(other.screen, SummaryScreen))
                assert second.session.intents == [Intent.STOP]
                assert first.session.intents == []
                await listener.message(f"{ROOT}/session", b"no session", after=len(listener.seen) - 1)
                assert listener.payloads(f"{ROOT}/water_today") == [b"250"]
                # Once it is the only one left, the day is its own to tell.
                second.first = True
                other._stir()
                await listener.message(f"{ROOT}/water_today", b"700")


def test_one_program_at_a_time_tells_the_day(tmp_path: Path) -> None:
    first, second = Household(folder=tmp_path), Household(folder=tmp_path)
    assert (first.tells_the_day(), second.tells_the_day(), first.tells_the_day()) == (True, False, True)
    asyncio.run(first.close())
    assert second.tells_the_day()
    asyncio.run(second.close())


# --- settings ---------------------------------------------------------------------------------------------------------


async def test_settings_are_followed_without_a_new_start_and_what_is_left_behind_is_taken_back(tmp_path: Path) -> None:
    home = StagedHome()
    (tmp_path / "other").mkdir()
    async with (
        Broker(tmp_path) as first,
        Broker(tmp_path / "other") as second,
        listening(first) as at_first,
        listening(second) as at_second,
        opened(home) as (app, pilot),
    ):
        assert line(app) == ""
        turn_on(home.settings, first.port)
        home.settings.change("mqtt.enabled", value=False)
        await change(app, pilot, home, "mqtt.enabled", value=True)
        await at_first.message(AVAILABILITY, b"online")
        await online(app, pilot)
        await change(app, pilot, home, "mqtt.port", second.port)
        await at_second.message(AVAILABILITY, b"online")
        await until(pilot, lambda: str(second.port) in line(app))
        await at_first.message(AVAILABILITY, b"")
        assert set(kept(at_first).values()) == {b""}
        await change(app, pilot, home, "mqtt.enabled", value=False)
        await at_second.message(AVAILABILITY, b"")
        await until(pilot, lambda: line(app) == "")
        assert set(kept(at_second).values()) == {b""}


async def test_a_changed_way_to_the_same_broker_takes_nothing_back(tmp_path: Path) -> None:
    home = StagedHome()
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await online(app, pilot)
            before = len(await listener.until(lambda seen: seen[-1].topic == AVAILABILITY))
            await change(app, pilot, home, "mqtt.username", "ada")
            await listener.message(AVAILABILITY, b"offline", after=before)
            await listener.message(AVAILABILITY, b"online", after=before)
            assert b"" not in {one.payload for one in listener.seen}


async def test_switched_off_without_its_broker_it_says_what_may_be_left_there(tmp_path: Path) -> None:
    home = StagedHome()
    turn_on(home.settings, free_port())
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "refuses" in line(app))
        await change(app, pilot, home, "mqtt.enabled", value=False)
        await until(pilot, lambda: "may still be there" in line(app))
        assert not app._link_said[1]


async def test_settings_of_which_no_link_can_be_made_are_one_line() -> None:
    home = StagedHome()

    def full() -> MqttSettings:
        raise CompanionError("no space is left")

    home.home_assistant = full  # type: ignore[method-assign]
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "no space is left" in line(app))
        await in_session(app, pilot, home)
        await press(pilot, "escape")
        assert home.session.intents[-1] is Intent.STOP


UNTIL_IDLE = """
import asyncio, sys
from companion.app import CompanionApp
from tests.companion.staging import StagedHome, settle

async def main():
    app = CompanionApp(StagedHome(), environ={})
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app._link is not None
    await app.let_go()

asyncio.run(main())
print(*{name.partition(".")[0] for name in sys.modules}, *sys.modules)
"""


@pytest.mark.slow
def test_nothing_of_mqtt_is_loaded_while_it_is_off() -> None:
    done = subprocess.run([sys.executable, "-c", UNTIL_IDLE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "companion.linking" in loaded
    assert not loaded & {"aiomqtt", "paho", "companion.integrations.mqtt", "companion.integrations.mqtt_conversation"}


# --- faults -----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def a_broker_with(fault: str, folder: Path) -> AsyncIterator[tuple[int, dict[str, object], str]]:
    """A port with a broker behind it that has a fault, what to set, and a part of the line to come."""
    if fault == "absent":
        yield free_port(), {}, "check that the broker is running"
    elif fault == "wrong password":
        passwords = folder / "passwords"
        await run("mosquitto_passwd", "-b", "-c", str(passwords), "ada", "right")
        wrong = folder / "wrong"
        wrong.write_text("wr0ng")
        wrong.chmod(0o600)
        passwords.chmod(0o600)
        async with Broker(folder, f"password_file {passwords}", anonymous=False) as broker:
            chosen: dict[str, object] = {"username": "ada", "password_file": str(wrong), "password_from": "file"}
            yield broker.port, chosen, "does not accept the user name and password"
    elif fault == "wrong certificate":
        right, other = Authority(folder, "right"), Authority(folder, "other")
        certificate, key = right.server("broker", "127.0.0.1")
        async with Broker(folder, f"certfile {certificate}", f"keyfile {key}") as broker:
            yield broker.port, {"tls": True, "ca_file": str(other.file)}, "is not trusted"
    else:
        async with Broker(folder) as broker, Way(broker.port) as way:
            way.stall()
            yield way.port, {}, "does not answer"


@pytest.mark.parametrize("fault", ["absent", "wrong password", "wrong certificate", "stalling"])
async def test_a_broker_with_a_fault_is_one_quiet_line_and_in_nobodys_way(tmp_path: Path, fault: str) -> None:
    home = StagedHome()
    async with a_broker_with(fault, tmp_path) as (port, more, part):
        turn_on(home.settings, port, **more)
        async with opened(home) as (app, pilot):
            await until(pilot, lambda: part in line(app))
            assert app.screen.query_one("#link", Static).display
            assert "not connected" in screen_text(app)
            assert not app._notifications
            assert app._linking is not None
            said: list[tuple[object, ...]] = []
            app._linking._say = lambda *what: said.append(what)
            await press(pilot, "g", "s")
            assert isinstance(app.screen, SettingsScreen)
            (remark,) = [one for one in app.screen.query(".remark").results(Static) if one.display]
            assert part in str(remark.content)
            assert "wr0ng" not in screen_text(app)
            await press(pilot, "escape")
            await in_session(app, pilot, home)
            app.post_message(events.Key("space", " "))
            assert home.session.intents[-1] is Intent.STOP
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
            assert not app._notifications
            assert said == [], "one line, however often it is tried"


def screen_text(app: CompanionApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


async def test_the_word_on_today_goes_when_the_broker_comes_back(tmp_path: Path) -> None:
    home = StagedHome()
    broker = Broker(tmp_path)
    turn_on(home.settings, broker.port)
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "not connected" in screen_text(app))
        async with broker:
            await online(app, pilot)
            assert "not connected" not in screen_text(app)
            await press(pilot, "g", "s")
            (remark,) = [one for one in app.screen.query(".remark").results(Static) if one.display]
            assert "connected to" in str(remark.content)


async def test_a_mistake_of_the_link_itself_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_link: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("companion.integrations.mqtt.HomeAssistantLink.run", broken)
    home = StagedHome()
    turn_on(home.settings, free_port())
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "ZeroDivisionError" in line(app))
        await in_session(app, pilot, home)
        await press(pilot, "escape")
        assert home.session.intents[-1] is Intent.STOP


async def test_a_session_has_the_database_to_itself() -> None:
    """H3: whatever stirs the link, nothing is read while a session runs."""
    read: list[str] = []

    def settings() -> MqttSettings:
        read.append("settings")
        return MqttSettings()

    one = Linking(settings, lambda: True, lambda: None, lambda: None, lambda *_: None)
    task = asyncio.create_task(one.run())
    one.stir()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert read == []


async def test_the_day_is_looked_at_again_though_nothing_stirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At midnight the glass is empty, and another program may have filled it."""
    monkeypatch.setattr(linking, "LOOK_S", 0.02)
    home = StagedHome()
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turn_on(home.settings, broker.port)
        async with opened(home):
            await listener.message(f"{ROOT}/water_today", b"0")
            home.almanac.drink(250)
            await listener.message(f"{ROOT}/water_today", b"250")


# --- Stop -------------------------------------------------------------------------------------------------------------


async def test_a_stop_shows_what_comes_of_it_though_the_help_is_open(tmp_path: Path) -> None:
    home = StagedHome()
    async with Broker(tmp_path) as broker:
        turn_on(home.settings, broker.port)
        async with opened(home) as (app, pilot):
            await online(app, pilot)
            await in_session(app, pilot, home)
            home.session.confirms_stop = False
            await press(pilot, "question_mark")
            assert isinstance(app.screen, HelpScreen)
            await broker.publish(STOP, "STOP")
            await until(pilot, lambda: home.session.intents == [Intent.STOP])
            await until(pilot, lambda: isinstance(app.screen, SessionScreen))
            home.session.end(Reason.STOPPED)
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen))


@pytest.mark.slow
async def test_h9_a_stop_ends_the_session_that_runs_and_no_other_and_nothing_begins_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retained Stop, one sent between two sessions and one sent once more with its old date do nothing."""
    verdicts: list[Verdict] = []
    judge = StopGate.judge

    def judged(gate: StopGate, *said: Any, **known: Any) -> Verdict:
        verdicts.append(judge(gate, *said, **known))
        return verdicts[-1]

    monkeypatch.setattr(StopGate, "judge", judged)
    data = tmp_path / "data"
    home = Household(demo="dr05", seed=7, folder=data, calendar=MOMENT)
    async with Broker(tmp_path) as broker, listening(broker) as listener, Way(broker.port) as way:
        turn_on(settings_file(data), way.port)
        dated = f"STOP {datetime.now(UTC).timestamp() - 3600:.0f}"
        await broker.publish(STOP, dated, "-r")
        async with opened(home) as (app, pilot):
            await treating(app, pilot, home)
            await listener.message(f"{ROOT}/session", b"treating")
            assert verdicts == [Verdict.RETAINED]
            session = app.running
            await broker.publish(STOP, "START")
            await run("mosquitto_pub", "-p", str(broker.port), "-t", STOP, "-m", "STOP")
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
            assert session is not None
            assert session.view.summary is not None
            assert session.view.summary.reason is Reason.STOPPED
            device = cast("DemoRadio", home._radio).device
            assert device.output_percent(asyncio.get_running_loop().time()) == 0
            # Between two sessions it is followed by nothing, and is over.
            for _ in range(2):
                await broker.publish(STOP, "STOP")
            await broker.publish(STOP, "START")
            assert not app.live
            await press(pilot, "escape")
            await until(pilot, lambda: isinstance(app.screen, TodayScreen))
            await until(pilot, lambda: len(verdicts) == 6)
            # And in the next one everything comes once more.
            await treating(app, pilot, home)
            seen = len(verdicts)
            way.cut()  # the retained one is handed out again
            await until(pilot, lambda: len(verdicts) > seen)
            await broker.publish(STOP, dated)
            await broker.publish(STOP, "START")
            await until(pilot, lambda: len(verdicts) > seen + 2)
            assert verdicts[seen:] == [Verdict.RETAINED, Verdict.OLD, Verdict.UNKNOWN]
            assert app.running is not None
            assert app.running.view.output is Output.ON
            app.post_message(events.Key("escape", None))
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen))


@pytest.mark.slow
async def test_h3_a_broker_that_ends_comes_back_and_floods_does_not_touch_the_session_or_its_stop_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flooded = 0
    judge = StopGate.judge

    def judged(gate: StopGate, *said: Any, **known: Any) -> Verdict:
        nonlocal flooded
        flooded += 1
        return judge(gate, *said, **known)

    monkeypatch.setattr(StopGate, "judge", judged)
    data = tmp_path / "data"
    home = Household(demo="dr05", seed=7, folder=data, calendar=MOMENT)
    broker = Broker(tmp_path, logs="information")
    turn_on(settings_file(data), broker.port)
    loop = asyncio.get_running_loop()
    async with opened(home) as (app, pilot):
        async with broker:
            await online(app, pilot)
            await treating(app, pilot, home)
        await until(pilot, lambda: "not connected" not in line(app) and "connected to" not in line(app))
        assert app.running is not None
        assert app.running.view.phase is Phase.TREATING
        async with broker, listening(broker) as listener:
            await listener.message(AVAILABILITY, b"online")
            await listener.message(f"{ROOT}/session", b"treating")
            async with flooding(broker):
                await until(pilot, lambda: flooded > 250)
                device = cast("DemoRadio", home._radio).device
                assert device.output_percent(loop.time()) > 0
                pressed, by_then = loop.time(), flooded
                app.post_message(events.Key("space", " "))
                await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
                off = next(entry.time for entry in reversed(device.trace) if entry.output_percent == 0)
                assert 0 <= off - pressed < 0.5
                await until(pilot, lambda: flooded > by_then + 250)
            assert not app._notifications


@contextlib.asynccontextmanager
async def flooding(broker: Broker) -> AsyncIterator[None]:
    """500 messages a second on the topic of Stop, none of them the word for it."""
    process = await asyncio.create_subprocess_exec(
        *(program("mosquitto_pub"), "-p", str(broker.port), "-t", STOP, "-l"), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    stdin = process.stdin

    async def pour() -> None:
        while True:
            stdin.write(b"STOP!\n" * 25)
            await stdin.drain()
            await asyncio.sleep(0.05)  # the pace of the flood

    pouring = asyncio.create_task(pour())
    try:
        yield
    finally:
        pouring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pouring
        process.kill()
        await process.wait()


# --- nothing but numbers, moments and states --------------------------------------------------------------------------


@pytest.mark.slow
async def test_h10_nothing_of_the_screening_no_name_and_no_answer_is_published_in_a_whole_journey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the broker hears, from the first question to the end of a session, has a fixed form."""

    def no_bus(self: SystemRadio, detection_callback: object = None) -> object:
        raise FileNotFoundError(2, "No such file or directory")

    data = tmp_path / "data"
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        with monkeypatch.context() as no_radio:
            no_radio.setattr(SystemRadio, "scanner", no_bus)
            turn_on(settings_file(data), broker.port)
            home = Household(folder=data, calendar=MOMENT)
            async with opened(home) as (app, pilot):
                await online(app, pilot)
                assert isinstance(app.screen, ScreeningScreen)
                await press(pilot, *["n"] * len(home.screening_questions()))
                await press(pilot, "1", "2", "enter", "1", "enter", "3", "1", "enter")  # what they wish for, and a plan
                await press(pilot, "escape", "w", "w")
                await until(pilot, lambda: home.almanac.water().today_ml > 0)
                home.check_skin(dict.fromkeys((one.id for one in home.skin_questions()), 5))
                app.post_message(PeopleScreen.Added("Zebedee"))
                home.add_person("Zebedee")
                app.post_message(PeopleScreen.Chosen("Zebedee"))
                await until(pilot, lambda: isinstance(app.screen, ScreeningScreen) and home.whose_turn() == "Zebedee")
                await press(pilot, "y", *["n"] * (len(home.screening_questions()) - 1))
                await until(pilot, lambda: isinstance(app.screen, BlockedScreen))
                await until(pilot, lambda: kept(listener)[f"{ROOT}/water_today"] == b"0")
        turn_on(settings_file(data / "demo"), broker.port)
        demo = Household(demo="dr05", seed=7, folder=data / "demo", calendar=MOMENT)
        async with opened(demo) as (app, pilot):
            await treating(app, pilot, demo)
            await listener.message(f"{ROOT}/session", b"treating")
            await press(pilot, "escape")
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
            await listener.message(f"{ROOT}/last_session", after=len(listener.seen) - 40)
        assert f"{ROOT}/water_today" in kept(listener)
        assert {one.topic for one in listener.seen} <= {DISCOVERY, *GRAMMAR}
        for one in listener.seen:
            if one.topic == DISCOVERY:
                assert set(json.loads(one.payload)["device"]) == {"identifiers", "name", "sw_version"}
                assert b"Zebedee" not in one.payload
            else:
                assert re.fullmatch(GRAMMAR[one.topic], one.payload.decode()), one
