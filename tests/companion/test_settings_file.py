"""The settings file on disk: one change is one line, whoever wrote the rest; and nothing is ever half written."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from companion.config import Exit, data_folder
from companion.settings.file import SettingsError, SettingsFile, settings_file
from companion.settings.schema import Settings
from companion.settings.setting import Kind, settings_of

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of files are of POSIX")

LIVED_IN = """\
# My settings. Keep out!

[future]            # from a version to come
thing = [1,
  2.50]             # two and a half
nothing = nan

[appearance]   # how it looks
  theme = 'dark'   # evenings
  # the mirror over the basin
  face="mirror"

# --- sound ---

[sound]
cues = "bell"

[mqtt]
host = "broker.lan"
base_topic = "bath"
# the end
"""


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile[Settings]:
    return settings_file(tmp_path / "data")


@pytest.fixture
def lived_in(file: SettingsFile[Settings]) -> SettingsFile[Settings]:
    file.path.parent.mkdir(mode=0o700)
    file.path.write_text(LIVED_IN, encoding="utf-8", newline="")
    return file


def text_of(file: SettingsFile[Settings]) -> str:
    return file.path.read_bytes().decode()


def changes(before: str, after: str) -> list[str]:
    """The lines taken out and put in."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in found if line[0] in "+-" and line[:3] not in {"+++", "---"}]


def refused(file: SettingsFile[Settings], key: str, value: object, code: Exit = Exit.USAGE) -> str:
    before = file.path.read_bytes() if file.path.is_file() else None
    with pytest.raises(SettingsError) as error:
        file.change(key, value)
    assert error.value.exit_code == code
    assert "\n" not in str(error.value)
    assert (file.path.read_bytes() if file.path.is_file() else None) == before
    return str(error.value)


# --- changing ---------------------------------------------------------------------------------------------------------


def test_the_first_change_makes_a_file_that_says_what_it_is(file: SettingsFile[Settings]) -> None:
    assert file.read().settings == Settings()
    assert not file.path.parent.exists()
    file.change("serve.port", 8080)
    first, *rest = text_of(file).splitlines()
    assert first.startswith("# Settings of the companion")
    assert rest == ["", "[serve]", "port = 8080"]
    assert file.read().settings.serve.port == 8080


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("appearance.theme", "light", ["-  theme = 'dark'   # evenings", '+  theme = "light"   # evenings']),
        ("appearance.face", "facing", ['-  face="mirror"', '+  face="facing"']),
        ("mqtt.base_topic", "home/bath", ['-base_topic = "bath"', '+base_topic = "home/bath"']),
        ("sound.cues", None, ['-cues = "bell"']),
        ("appearance.theme", None, ["-  theme = 'dark'   # evenings"]),
        ("quiet.from", None, []),
        ("sound.cues", "bell", []),
    ],
    ids=str,
)
def test_one_change_is_one_line(lived_in: SettingsFile[Settings], key: str, value: object, changed: list[str]) -> None:
    lived_in.change(key, value)
    assert changes(LIVED_IN, text_of(lived_in)) == changed


def test_a_new_line_goes_below_the_others_of_its_section_and_above_what_leads_to_the_next(
    lived_in: SettingsFile[Settings],
) -> None:
    lived_in.change("appearance.motion", "none")
    lines = text_of(lived_in).splitlines()
    at = lines.index('  face="mirror"')
    assert lines[at + 1].strip() == 'motion = "none"'
    assert lines[at + 2 : at + 5] == ["", "# --- sound ---", ""]
    assert len(changes(LIVED_IN, text_of(lived_in))) == 1


def test_a_new_section_goes_to_the_end(lived_in: SettingsFile[Settings]) -> None:
    lived_in.change("quiet.to", "06:00")
    assert text_of(lived_in) == f'{LIVED_IN}\n[quiet]\nto = "06:00"\n'


def test_what_is_as_usual_already_needs_no_file(file: SettingsFile[Settings]) -> None:
    file.change("sound.cues", None)
    assert not file.path.parent.exists()


def test_a_change_that_changes_nothing_leaves_the_file_alone(lived_in: SettingsFile[Settings]) -> None:
    before = lived_in.path.stat()
    lived_in.change("sound.cues", "bell")
    assert lived_in.path.stat().st_ino == before.st_ino
    assert lived_in.path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('appearance.theme = "dark"\n', 'appearance.theme = "light"\n'),
        ('appearance = { theme = "dark", x = 1 } # c\n', 'appearance = { theme = "light", x = 1 } # c\n'),
        ('[appearance]\nface = "mirror"', '[appearance]\nface = "mirror"\ntheme = "light"\n'),
        ('[appearance]\r\ntheme = "dark" # c\r\nx = 1\r\n', '[appearance]\r\ntheme = "light" # c\r\nx = 1\r\n'),
        ("[sound]\r\nx = 1\r\n", '[sound]\r\nx = 1\r\n\r\n[appearance]\r\ntheme = "light"\r\n'),
        ('\ufeff[appearance]\ntheme = "dark"\n', '\ufeff[appearance]\ntheme = "light"\n'),
        ("# only a comment\n", '# only a comment\n\n[appearance]\ntheme = "light"\n'),
        ('[appearance]\n"theme" = "dark"\n', '[appearance]\n"theme" = "light"\n'),
        ("[appearance]\ntheme = 3\n", '[appearance]\ntheme = "light"\n'),
    ],
    ids=["dotted", "inline", "no last line end", "line ends of Windows", "a section with them", "byte order mark",
         "comment", "quoted", "wrong"],
)  # fmt: skip
def test_however_a_file_is_written_it_is_changed_in_its_own_way(
    file: SettingsFile[Settings], before: str, after: str
) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(before.encode())
    file.change("appearance.theme", "light")
    assert text_of(file) == after
    assert file.read().settings.appearance.theme == "light"


VALUES: dict[str, list[Any]] = {
    "appearance.theme": ["auto", "dark", "light", None],
    "notifications.only_when_away": [True, False, None],
    "quiet.from": ["00:00", "23:59", None],
    "mqtt.host": ["broker.lan", "::1", None],
    "mqtt.username": ['quote " and \\ and #', "ünï", None],
    "serve.port": [1, 65535, None],
}
wishes = st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), st.sampled_from(VALUES[key])))
lines = st.sampled_from(
    ["", "# comment", "[appearance]", "[quiet] # from", "[mqtt]", "[serve]", "[ 'else' ]", "[[more]]", "theme = 'dark'",
     'from = "21:00"', "port = 80 # c", "  x = 1", "y = [\n  1, # one\n]", 'host="a"', "z = { a = 1 }", "mqtt.x = 1",
     'text = """\n[serve]\nport = 1\n"""', "appearance.y = 2", "[mqtt.sub]"]
)  # fmt: skip


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@settings(max_examples=60)
@given(st.lists(lines, max_size=10).map("\n".join), st.lists(wishes, min_size=1, max_size=4))
def test_whatever_the_file_a_change_is_kept_and_everything_else_stays_or_nothing_happens(
    tmp_path_factory: pytest.TempPathFactory, text: str, wanted: list[tuple[str, Any]]
) -> None:
    assume(is_toml(text))
    file = settings_file(tmp_path_factory.mktemp("settings"))
    file.path.write_text(text, encoding="utf-8", newline="")
    for key, value in wanted:
        before = text_of(file)
        try:
            file.change(key, value)
        except SettingsError:
            assert text_of(file) == before
            continue
        section, _, name = key.partition(".")
        document = tomllib.loads(before)
        if value is None:
            document.get(section, {}).pop(name, None)
        else:
            document.setdefault(section, {})[name] = value
        got = tomllib.loads(text_of(file))
        assert {k: v for k, v in got.items() if v != {}} == {k: v for k, v in document.items() if v != {}}
        left = iter(text_of(file).splitlines())
        assert all(line in left for line in before.splitlines() if line.lstrip().startswith("#"))


def test_in_a_file_of_sections_every_setting_can_be_changed_and_made_as_usual_again(
    lived_in: SettingsFile[Settings],
) -> None:
    for setting in settings_of(Settings):
        before = text_of(lived_in)
        text = "05:55" if setting.section == "quiet" else "x5"
        value = setting.choices[-1] if setting.choices else 81 if setting.kind is Kind.NUMBER else text
        lived_in.change(setting.key, value)
        assert setting.value_in(lived_in.read().settings) == value, setting.key
        assert len([line for line in changes(before, text_of(lived_in)) if line != "+"]) <= 2, setting.key
        lived_in.change(setting.key, None)
        assert setting.value_in(lived_in.read().settings) == setting.default, setting.key


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_an_unknown_setting_is_refused_with_the_nearest_name(file: SettingsFile[Settings]) -> None:
    assert refused(file, "apearance.theme", "dark") == (
        "there is no setting 'apearance.theme'; did you mean \"appearance.theme\"?"
    )
    assert refused(file, "nothing.like.it", 1) == (
        "there is no setting 'nothing.like.it'; `companion settings` lists them"
    )


def test_a_value_that_is_not_allowed_is_refused_with_what_is(lived_in: SettingsFile[Settings]) -> None:
    said = refused(lived_in, "appearance.theme", "blue")
    assert said == 'appearance.theme is "auto", "dark" or "light", not \'blue\''


def test_a_refusal_does_not_say_again_what_may_be_a_password(lived_in: SettingsFile[Settings]) -> None:
    assert "hunter2" not in refused(lived_in, "mqtt.password_from", "hunter2")


def test_a_change_that_does_not_go_with_the_rest_of_its_section_is_refused(file: SettingsFile[Settings]) -> None:
    said = refused(file, "mqtt.enabled", value=True)
    assert said == "mqtt.enabled cannot be so: it cannot be on without the host of the broker"
    file.change("mqtt.host", "broker.lan")
    file.change("mqtt.enabled", value=True)
    assert file.read().settings.mqtt.enabled
    assert "cannot be on" in refused(file, "mqtt.host", None)


def test_a_section_that_is_at_odds_with_itself_can_be_mended_one_line_at_a_time(file: SettingsFile[Settings]) -> None:
    file.path.parent.mkdir()
    file.path.write_text('[mqtt]\nenabled = true\npassword_from = "file"\n', encoding="utf-8")
    file.change("mqtt.host", "broker.lan")
    file.change("mqtt.username", "me")
    file.change("mqtt.password_file", "~/secret")
    assert file.read().problems == ()
    assert file.read().settings.mqtt.enabled


def test_a_file_that_is_not_toml_is_never_written_to(file: SettingsFile[Settings]) -> None:
    file.path.parent.mkdir()
    file.path.write_text("[appearance]\ntheme = dark\n", encoding="utf-8")
    said = refused(file, "appearance.theme", "light", Exit.FAULT)
    assert said == "settings.toml, line 2: this is not TOML: Invalid value; nothing was changed"
    refused(file, "appearance.theme", None, Exit.FAULT)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[appearance]\n\xff\n", "byte 13 is not UTF-8"),
        (b"# " + b"x" * 64 * 1024, "it is longer than 64 KiB"),
    ],
    ids=["not text", "too long"],
)
def test_what_cannot_be_read_as_text_leaves_everything_as_usual_and_is_never_written_to(
    file: SettingsFile[Settings], content: bytes, problem: str
) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    reading = file.read()
    assert reading.settings == Settings()
    assert reading.warning.startswith(f"settings.toml: {problem}; ")
    assert problem in refused(file, "appearance.theme", "light", Exit.FAULT)


def test_a_folder_in_the_place_of_the_file_is_told_and_changes_nothing(file: SettingsFile[Settings]) -> None:
    file.path.mkdir(parents=True)
    assert file.read().settings == Settings()
    assert file.read().warning.startswith("settings.toml: it cannot be read (")
    refused(file, "appearance.theme", "light", Exit.FAULT)


@pytest.mark.parametrize(
    "written",
    [
        LIVED_IN.replace("'dark'", "'light'").replace("[future]", "[past]"),
        LIVED_IN.replace("'dark'", "'light'").replace("2.50", "2.5"),
        LIVED_IN,
        LIVED_IN.upper(),
        "[",
    ],
    ids=["another section", "another number", "not the change", "everything", "not TOML"],
)
def test_a_change_that_would_touch_anything_else_is_not_made(
    lived_in: SettingsFile[Settings], written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the writing library makes of a file: what it wrote is read back before it is kept."""
    monkeypatch.setattr(tomlkit, "dumps", lambda _document: written)
    assert "change that line by hand" in refused(lived_in, "appearance.theme", "light", Exit.FAULT)


# --- on the disk ------------------------------------------------------------------------------------------------------


@POSIX
def test_the_file_is_for_its_owner_alone_whatever_it_was_before(lived_in: SettingsFile[Settings]) -> None:
    lived_in.path.chmod(0o644)
    lived_in.change("appearance.theme", "light")
    assert lived_in.path.stat().st_mode & 0o777 == 0o600


@POSIX
def test_a_new_file_and_its_folder_are_for_their_owner_alone(file: SettingsFile[Settings]) -> None:
    file.change("appearance.theme", "light")
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


@POSIX
def test_a_link_into_a_collection_of_settings_stays_a_link(lived_in: SettingsFile[Settings], tmp_path: Path) -> None:
    kept = tmp_path / "collection" / "companion.toml"
    kept.parent.mkdir()
    lived_in.path.rename(kept)
    lived_in.path.symlink_to(kept)
    lived_in.change("appearance.theme", "light")
    assert lived_in.path.is_symlink()
    assert '"light"' in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    lived_in: SettingsFile[Settings], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, fails)
    said = refused(lived_in, "appearance.theme", "light", Exit.FAULT)
    assert "settings.toml cannot be written (No space left on device)" in said
    assert [one.name for one in lived_in.path.parent.iterdir()] == ["settings.toml"]


def test_what_is_put_in_place_has_reached_the_disk_before(
    lived_in: SettingsFile[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def on_disk(handle: int) -> None:
        order.append("fsync")
        fsync(handle)

    def in_place(path: Path, target: Path) -> Path:
        order.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", on_disk)
    monkeypatch.setattr(Path, "replace", in_place)
    lived_in.change("appearance.theme", "light")
    assert order[:2] == ["fsync", "replace"]


def test_what_another_program_wrote_meanwhile_is_seen_and_kept(lived_in: SettingsFile[Settings]) -> None:
    other = settings_file(lived_in.path.parent)
    other.change("sound.cues", "off")
    lived_in.change("appearance.theme", "light")
    assert lived_in.read().settings.sound.cues == "off"


def test_a_demo_has_settings_of_its_own(tmp_path: Path) -> None:
    environ = {"COMPANION_DATA": str(tmp_path)}
    yours, demo = (settings_file(data_folder(demo=demo, environ=environ)) for demo in (False, True))
    demo.change("appearance.theme", "light")
    assert yours.read().settings == Settings()
    assert demo.read().settings.appearance.theme == "light"
