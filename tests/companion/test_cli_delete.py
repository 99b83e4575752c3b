"""``companion delete --all``: nothing of the app is left, nothing else is touched, and never by mistake."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import sys
from pathlib import Path
from types import ModuleType

import pytest

from companion.commands import delete
from companion.commands.asking import Asking
from companion.config import CompanionError, Exit, data_folder, state_folder
from companion.integrations.mqtt import HomeAssistantLink
from companion.integrations.mqtt_discovery import Facts
from companion.integrations.mqtt_settings import MqttSettings
from companion.settings.file import settings_file
from companion.store.database import DATABASE_NAME
from companion.store.schema import SCHEMA_VERSION
from tests.companion.at_home import CLEAR, AtHome, Timers
from tests.companion.integrations.broker import Broker, Listener, free_port, listening


@pytest.fixture
def lived(home: AtHome, computer: Timers, tmp_path: Path) -> AtHome:
    """Two people and a demo, with everything that the app ever writes."""
    home.run("people add Ben").fine()
    for name in ("me", "Ben"):
        with home.store(name) as store:
            store.save_screening(CLEAR)
            home.held(store)
        home.run(f"plan choose course-4 --person {name}").fine()
        home.run(f"plan subscribe {{file}} --person {name}", file=tmp_path / f"{name}.ics").fine()
    home.run("run first-touch --demo --speed max --yes --json")
    home.run("plan choose gentle --demo").fine()
    home.run("plan subscribe {file} --demo", file=tmp_path / "demo.ics").fine()
    with home.store(demo=True) as store:
        store.save_screening(CLEAR)
    settings_file(home.folder).change("sound.cues", "off")
    home.run("reminders install").fine()
    for left in (
        f"{DATABASE_NAME}-wal",
        f"{DATABASE_NAME}-journal",
        f"companion-before-version-{SCHEMA_VERSION}.sqlite3",
        f"companion-before-version-{SCHEMA_VERSION}.sqlite3.part",
        ".settings.toml.abc123",
    ):
        (home.folder / left).touch()
    (state_folder(home.folder) / "screenings.json.new").touch()
    return home


def files(root: Path) -> list[str]:
    """Everything below ``root``, but for the person's own two folders that were there before."""
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    return [name for name in found if name not in {"home", "home/.config"}]


def test_nothing_is_left(lived: AtHome, tmp_path: Path) -> None:
    assert len(files(tmp_path)) > 20
    told = lived.run("delete --all --yes").fine()
    assert files(tmp_path) == []
    assert "timer" in told.lines[0]
    for path in (
        lived.folder / DATABASE_NAME,
        tmp_path / "me.ics",
        tmp_path / "demo.ics",
        lived.folder / "settings.toml",
    ):
        assert f"Deleted: {path}" in told.lines
    assert lived.run("delete --all --yes").fine().lines == ["There is nothing to delete."]
    assert files(tmp_path) == []


def test_nothing_is_left_in_the_platforms_own_places(
    home: AtHome, computer: Timers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMPANION_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    home.folder = data_folder()
    for demo in (False, True):
        with home.store(demo=demo) as store:
            store.save_screening(CLEAR)
    assert {
        "share/microcurrent-companion/demo/companion.sqlite3",
        "state/microcurrent-companion/screenings.json",
    } < set(files(tmp_path))
    home.run("delete --all --yes").fine()
    assert files(tmp_path) == ["share", "state"]


def test_ones_own_routines_are_a_matter_of_their_own(lived: AtHome, tmp_path: Path) -> None:
    own = lived.folder / "routines"
    own.mkdir()
    (own / "mine.toml").write_text("mine")
    told = lived.run("delete --all --yes").fine()
    assert files(tmp_path) == ["data", "data/routines", "data/routines/mine.toml"]
    assert "--routines" in told.lines[-1]
    lived.run("delete --all --yes --routines").fine()
    assert files(tmp_path) == []


def test_what_the_app_did_not_write_stays_and_is_named(lived: AtHome, tmp_path: Path) -> None:
    (lived.folder / "diary.txt").write_text("mine")
    (lived.folder / "pictures").mkdir()
    (tmp_path / "me.ics").write_text("somebody else's")
    told = lived.run("delete --all --yes").fine()
    assert files(tmp_path) == ["data", "data/diary.txt", "data/pictures", "me.ics"]
    for path in (lived.folder / "diary.txt", lived.folder / "pictures", tmp_path / "me.ics"):
        assert [line for line in told.lines if line.startswith(f"Left: {path}")]


def test_a_link_is_deleted_and_what_it_leads_to_is_not(lived: AtHome, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("mine")
    (lived.folder / "settings.toml").unlink()
    (lived.folder / "settings.toml").symlink_to(other)
    lived.run("delete --all --yes").fine()
    assert files(tmp_path) == ["other.toml"]
    assert other.read_text() == "mine"


def test_a_damaged_database_goes_too(lived: AtHome, tmp_path: Path) -> None:
    (lived.folder / DATABASE_NAME).write_bytes(b"Dear diary, " * 50)
    told = lived.run("delete --all --yes").fine()
    assert not lived.folder.exists()
    assert [line for line in told.lines if "could not be read" in line]
    assert (tmp_path / "me.ics").exists()  # nobody knows of it any more


def test_a_database_of_a_newer_version_goes_too(lived: AtHome) -> None:
    raw = sqlite3.connect(lived.folder / DATABASE_NAME)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    lived.run("delete --all --yes").fine()
    assert not lived.folder.exists()


@pytest.mark.parametrize("demo", [False, True], ids=["a session", "a demo"])
def test_nothing_is_deleted_in_the_middle_of(lived: AtHome, tmp_path: Path, demo: bool) -> None:
    with lived.store(demo=demo) as store:
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=demo)
        before = files(tmp_path)
        lived.run("delete --all --yes").refused(Exit.FAULT, "session is running", "nothing was deleted")
        assert files(tmp_path) == before
        writer.close()


def test_nothing_is_deleted_by_mistake(lived: AtHome, tmp_path: Path) -> None:
    before = files(tmp_path)
    lived.run("delete").refused(Exit.USAGE, "--all", "people remove")
    lived.run("delete --yes").refused(Exit.USAGE, "--all")
    lived.run("delete --all").refused(Exit.USAGE, "nobody is here to ask", "--yes")
    for answer in ("", "\n", "y\n", "yes\n", "all\n"):
        with pytest.raises(CompanionError, match="nothing was deleted") as refused:
            delete.delete(everything=True, routines=True, yes=False, asking=Asking(io.StringIO(answer), io.StringIO()))
        assert refused.value.exit_code == Exit.STOPPED_EARLY
    assert set(files(tmp_path)) - set(before) <= {"data/session.lock", "data/demo/session.lock"}
    assert lived.run("people").lines == ["me   their turn", "Ben"]


@pytest.mark.parametrize(("answer", "left"), [("n", True), ("", True), ("y", False)], ids=["no", "nothing", "yes"])
def test_who_types_the_word_is_asked_for_their_routines(
    lived: AtHome, capsys: pytest.CaptureFixture[str], answer: str, left: bool
) -> None:
    own = lived.folder / "routines"
    own.mkdir()
    (own / "mine.toml").write_text("mine")
    questions = io.StringIO()
    asking = Asking(io.StringIO(f"DELETE\n{answer}\n"), questions)
    assert delete.delete(everything=True, routines=False, yes=False, asking=asking) == Exit.FINISHED
    assert "me, Ben" in questions.getvalue()
    assert "(mine)" in questions.getvalue()
    assert own.exists() is left
    assert not (lived.folder / DATABASE_NAME).exists()


def test_what_cannot_be_deleted_is_named_and_the_rest_goes(
    lived: AtHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, unlink = tmp_path / "Ben.ics", Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    told = lived.run("delete --all --yes")
    assert told.code == Exit.FAULT
    assert told.err == f"companion: not everything could be deleted: {stuck} (Permission denied)\n"
    assert files(tmp_path) == ["Ben.ics"]


def test_where_there_never_was_anything_there_is_nothing_to_delete(
    home: AtHome, computer: Timers, tmp_path: Path
) -> None:
    assert home.run("delete --all --yes").fine().lines == ["There is nothing to delete."]
    assert files(tmp_path) == []


class Keyring(ModuleType):
    """The keyring package's three functions, over a mapping."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept = {("microcurrent-companion mqtt", "ada@broker:1883"): "secret", ("bank", "ada"): "money"}

    def get_password(self, service: str, account: str) -> str | None:
        return self.kept.get((service, account))

    def delete_password(self, service: str, account: str) -> None:
        del self.kept[service, account]


def test_the_brokers_password_leaves_the_computers_keyring(lived: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    (lived.folder / "settings.toml").write_text(
        '[mqtt]\nhost = "broker"\nusername = "ada"\npassword_from = "keyring"\n', encoding="utf-8"
    )
    broker = settings_file(lived.folder).read().settings.mqtt.broker
    keyring.kept[("microcurrent-companion mqtt", f"ada@{broker}")] = "secret"
    told = lived.run("delete --all --yes").fine()
    assert "Taken away: the broker's password in this computer's keyring." in told.lines
    assert keyring.get_password("microcurrent-companion mqtt", f"ada@{broker}") is None
    assert keyring.kept["bank", "ada"] == "money"


def test_a_keyring_that_does_not_answer_is_named_and_all_else_goes(
    lived: AtHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring = Keyring()

    def locked(service: str, account: str) -> str | None:
        raise RuntimeError(f"locked: {service} {account}")

    keyring.get_password = locked  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    (lived.folder / "settings.toml").write_text(
        '[mqtt]\nhost = "broker"\nusername = "ada"\npassword_from = "keyring"\n', encoding="utf-8"
    )
    told = lived.run("delete --all --yes")
    assert told.code == Exit.FAULT
    assert "keyring does not answer (RuntimeError)" in told.err
    assert files(tmp_path) == []


# --- what Home Assistant was told -------------------------------------------------------------------------------------


def linked(folder: Path, port: int, **more: object) -> MqttSettings:
    file = settings_file(folder)
    values = {"host": "127.0.0.1", "port": port, "device_id": "5eed5eed", **more, "enabled": True}
    for key, value in values.items():
        file.change(f"mqtt.{key}", value)
    return file.read().settings.mqtt


async def told(settings: MqttSettings, listener: Listener) -> None:
    """Let the broker keep a day of this person."""
    link = HomeAssistantLink(settings, lambda: None)
    link.update(Facts(minutes_this_week=24, water_today_ml=600))
    running = asyncio.create_task(link.run())
    await listener.message("microcurrent-companion/5eed5eed/availability", b"online")
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.parametrize("on", [True, False], ids=["on", "switched off since"])
async def test_what_home_assistant_was_told_is_taken_back_from_the_broker(
    home: AtHome, computer: Timers, tmp_path: Path, *, on: bool
) -> None:
    async with Broker(tmp_path) as broker:
        async with listening(broker) as listener:
            await told(linked(home.folder, broker.port), listener)
        settings_file(home.folder).change("mqtt.enabled", on)
        said = (await asyncio.to_thread(home.run, "delete --all --yes")).fine()
        assert f"nothing of it is left at 127.0.0.1:{broker.port}" in said.lines[0]
        async with listening(broker) as later:
            await broker.publish("last", "word")
            await later.message("last")
            assert [one.topic for one in later.seen] == ["last"]
    assert not home.folder.exists()


async def test_a_broker_that_cannot_be_reached_is_one_line_and_everything_else_is_deleted(
    home: AtHome, computer: Timers
) -> None:
    with home.store() as store:
        store.save_screening(CLEAR)
    port = free_port()
    linked(home.folder, port)
    said = await asyncio.to_thread(home.run, "delete --all --yes")
    assert said.code == Exit.FAULT
    assert said.err.count("\n") == 1
    for part in (
        f"127.0.0.1:{port} may keep",
        "refuses",
        "microcurrent-companion/5eed5eed/#",
        "device/5eed5eed/config",
    ):
        assert part in said.err
    assert not home.folder.exists()


async def test_a_broker_that_was_never_told_anything_is_not_asked(
    home: AtHome, computer: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def take_back(one: object) -> tuple[bool, str]:
        asked.append(one)
        return False, ""

    monkeypatch.setattr("companion.integrations.mqtt.take_back", take_back)
    settings_file(home.folder).change("mqtt.host", "broker.local")
    (await asyncio.to_thread(home.run, "delete --all --yes")).fine()
    assert asked == []
