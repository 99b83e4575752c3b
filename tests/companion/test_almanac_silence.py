"""Nothing personal in any log at any level, and nothing of weight loaded by the commands around the sessions."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from companion.commands.asking import Asking
from companion.commands.delete import delete
from companion.commands.profile import ask_of
from tests.companion.at_home import AtHome, Timers

JOURNEY = (
    "people rename me Adalbertine",
    "people add Benvenuto",
    "profile show",
    "profile comfortable 17",
    "plan choose custom --first-a-week 5 --at 06:35",
    "plan pause --because illness",
    "plan resume",
    "plan subscribe {folder}/Kalender-Geheimnis.ics",
    "plan --json",
    "water goal 1777 --glass 177",
    "water 777",
    "water limited on",
    "water limited off",
    "reminders",
    "history",
    "history --json",
    "history note 1 Rosazea an der Wange",
    "history photo 1 {folder}/Selfie-Geheimnis.jpg",
    "history show 1",
    "export --format csv",
    "export --format json",
    "export --format ics",
    "export --format parquet --output {folder}/Export-Geheimnis.parquet",
    "water nonsense",
    "plan choose Quacksalberei",
    "history show 99",
    "people choose Zoe",
    "run first-touch --demo --speed max --yes --json",
    "people remove Benvenuto --yes",
)
PERSONAL = (
    "adalbertine", "benvenuto", "zoe", "geheimnis", "rosazea", "wange", "1777", "777", "06:35", "illness",
    "quacksalberei", "pacemaker", "implant", "epilepsy", "time for yourself", "glass of water",
    "left-cheekbone", "custom",
)  # fmt: skip


def test_nothing_personal_is_in_any_log_at_any_level(
    home: AtHome,
    computer: Timers,
    notified: list[tuple[str, ...]],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    (tmp_path / "Selfie-Geheimnis.jpg").touch()
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="bleak"):  # which `run` sets itself
        logging.getLogger("probe").debug("is heard")
        ask_of(io.StringIO("n\n" * 13), io.StringIO(), home.folder, home.calendar)
        with home.store() as store:
            store.diary.check_skin(1, 4, 2)
            home.held(store, zones={"left-cheekbone": 60.0})
        for line in JOURNEY:
            home.run(f"{line} --debug", folder=tmp_path)
            home.run("remind --once")
            home.pass_(minutes=17)
        assert notified
        delete(everything=True, routines=True, yes=False, asking=Asking(io.StringIO("delete\n"), io.StringIO()))
    logged = "\n".join(f"{one.name} {one.getMessage()}" for one in caplog.records).casefold()
    assert "probe is heard" in logged
    assert [word for word in PERSONAL if word in logged] == []


@pytest.mark.parametrize("command", ["plan", "water", "reminders", "people", "export", "delete"])
def test_a_command_around_the_sessions_loads_neither_radio_nor_app_nor_what_only_some_need(command: str) -> None:
    code = f"import sys, companion.commands.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "companion" in loaded
    unwanted = {"aiomqtt", "asyncio", "bleak", "bumble", "cyclopts", "icalendar", "keyring", "numpy", "pyarrow", "rig"}
    assert loaded & (unwanted | {"rich", "textual", "tomlkit", "tzlocal"}) == set()
