"""``companion settings``: all of them explained, one of them changed, every mistake in the file told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from companion import cli
from companion.commands import settings as command
from companion.config import CompanionError, Exit
from companion.settings.schema import FILE_NAME, Settings
from companion.settings.setting import settings_of
from companion.words import settings as words


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "data"
    monkeypatch.setenv("COMPANION_DATA", str(place))
    return place


def told(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_all_settings_are_listed_with_value_usual_value_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    command.put("quiet.from", "21:00", demo=False)
    told(capsys)
    assert command.print_all(demo=False) == Exit.FINISHED
    lines = told(capsys).splitlines()
    assert max(map(len, lines)) <= 80
    for setting in settings_of(Settings):
        usual = f"  {setting.key}  {setting.shown(setting.default)}  (usual)"
        assert ("  quiet.from  21:00  (usual: 22:00)" if setting.key == "quiet.from" else usual) in lines
        assert f"    {setting.reason}" in lines
        assert f"    May be {setting.answers}." in lines
    assert [line for line in lines if line in words.SECTIONS.values()] == list(words.SECTIONS.values())


def test_a_list_in_which_not_all_could_be_used_says_how_to_see_more(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "[sound]\ncues = 1\n")
    command.print_all(demo=False)
    assert told(capsys).endswith("Not all of settings.toml can be used: `companion settings check`\n")


def test_a_setting_is_read_changed_and_as_usual_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.print_one("appearance.theme", demo=False) == Exit.FINISHED
    assert told(capsys) == "auto\n"
    assert not folder.exists()
    assert command.put("appearance.theme", "DARK", demo=False) == Exit.FINISHED
    assert told(capsys) == "appearance.theme  dark\n"
    command.print_one("appearance.theme", demo=False)
    assert told(capsys) == "dark\n"
    assert command.reset("appearance.theme", demo=False) == Exit.FINISHED
    assert told(capsys) == "appearance.theme  auto\n"
    assert "theme" not in (folder / FILE_NAME).read_text(encoding="utf-8")


def test_an_empty_value_is_none_where_there_may_be_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.put("mqtt.host", "broker.lan", demo=False)
    command.put("mqtt.host", "", demo=False)
    assert told(capsys) == "mqtt.host  broker.lan\nmqtt.host  not set\n"


def test_a_change_that_another_mistake_keeps_from_holding_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, '[mqtt]\nhots = "x"\n')
    command.put("mqtt.host", "broker.lan", demo=False)
    assert told(capsys) == ("mqtt.host  not set\nNot all of settings.toml can be used: `companion settings check`\n")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("appearance.theme", "blue", "appearance.theme is auto, dark or light, not 'blue'"),
        ("notifications.only_when_away", "1", "notifications.only_when_away is yes or no, not '1'"),
        ("serve.port", "http", "serve.port is a whole number from 1 to 65535, and nothing else"),
        ("theme", "dark", "there is no setting 'theme'; did you mean \"appearance.theme\"?"),
    ],
    ids=["choice", "switch", "number", "unknown"],
)
def test_what_cannot_be_is_one_line_and_a_usage_error(folder: Path, key: str, value: str, said: str) -> None:
    with pytest.raises(CompanionError) as error:
        command.put(key, value, demo=False)
    assert str(error.value) == said
    assert error.value.exit_code == Exit.USAGE
    assert not folder.exists()


@pytest.mark.parametrize("ask", [command.print_one, command.reset])
def test_a_name_that_is_none_is_a_usage_error(ask: Callable[..., int]) -> None:
    with pytest.raises(CompanionError, match="did you mean") as error:
        ask("sound.cue", demo=False)
    assert error.value.exit_code == Exit.USAGE


def test_check_tells_every_mistake_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, '[sound]\ncues = 1\n\n[serve]\nport = 0\nhots = ""\n')
    assert command.check(demo=False) == Exit.USAGE
    lines = told(capsys).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "settings.toml, line 2, sound.cues",
        "settings.toml, line 5, serve.port",
        "settings.toml, line 6, serve.hots",
    ]


def test_check_says_that_all_is_well_or_not_there_or_unwise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(demo=False) == Exit.FINISHED
    assert told(capsys) == "settings.toml is not there yet: everything is as usual.\n"
    write(folder, "[sound]\n")
    assert command.check(demo=False) == Exit.FINISHED
    assert told(capsys) == "settings.toml: fine.\n"
    write(folder, '[mqtt]\nenabled = true\nhost = "b"\nusername = "me"\npassword_from = "environment"\n')
    assert command.check(demo=False) == Exit.FINISHED
    assert "unencrypted" in told(capsys)


def test_path_says_where_the_file_is_and_a_demo_has_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.print_path(demo=False)
    assert told(capsys) == f"{folder / FILE_NAME}\n"
    command.print_path(demo=True)
    assert told(capsys) == f"{folder / 'demo' / FILE_NAME}\n"
    command.put("sound.cues", "off", demo=True)
    command.print_one("sound.cues", demo=False)
    assert told(capsys) == "sound.cues  off\nbell\n"


def test_reading_settings_loads_neither_app_nor_link_nor_the_writer_of_files(folder: Path) -> None:
    write(folder, "[sound]\ncues = 'off'\n")
    code = (
        "import sys; from companion.commands.settings import print_one; print_one('sound.cues', demo=False); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value, loaded = done.stdout.splitlines()
    assert value == "off"
    heavy = {"aiomqtt", "asyncio", "bleak", "cyclopts", "numpy", "rich", "rig", "sqlite3", "textual", "tomlkit"}
    assert set(loaded.split()) & heavy == set()


def test_the_command_line_leads_to_all_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["settings", "set", "quiet.from", "21:00"]) == Exit.FINISHED
    assert cli.main(["settings", "set", "quiet.from", "20:00", "--demo"]) == Exit.FINISHED
    assert cli.main(["settings", "get", "quiet.from"]) == Exit.FINISHED
    assert cli.main(["settings", "reset", "quiet.from", "--demo"]) == Exit.FINISHED
    assert cli.main(["settings", "check"]) == Exit.FINISHED
    assert cli.main(["settings", "path"]) == Exit.FINISHED
    assert told(capsys).splitlines() == [
        "quiet.from  21:00",
        "quiet.from  20:00",
        "21:00",
        "quiet.from  22:00",
        "settings.toml: fine.",
        str(folder / FILE_NAME),
    ]
    assert cli.main(["settings"]) == Exit.FINISHED
    assert "(usual: 22:00)" in told(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "quiet.form", "21:00"], 'did you mean "quiet.from"?'),
        (["set", "quiet.from", "late"], "quiet.from is a time of the day such as \"22:00\", not 'late'"),
        (["set", "quiet.from"], "VALUE is missing"),
        (["get"], "KEY is missing"),
    ],
    ids=["unknown", "not allowed", "no value", "no key"],
)
def test_a_wrong_command_line_is_one_line_and_the_code_of_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["settings", *arguments]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
