"""What a settings file comes to: every setting declared whole, every mistake named by line, and never a crash."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.care.reminders import QUIET
from companion.settings.reading import Reading, lines_of, read_text
from companion.settings.schema import GUARDED, Quiet, Settings
from companion.settings.setting import Kind, NotAllowedError, Setting, nearest, settings_of
from companion.words import settings as words

ALL = {one.key: one for one in settings_of(Settings)}
SHORTEST_ROW = 70  # columns that a terminal of 80 leaves for a reason


def read(text: str) -> Reading[Settings]:
    return read_text(text, Settings)


def only(text: str) -> str:
    """The one complaint about a file."""
    (problem,) = read(text).problems
    return str(problem)


# --- the schema -------------------------------------------------------------------------------------------------------


def test_every_setting_has_a_reason_that_fits_and_no_reason_is_left_over() -> None:
    assert set(words.REASONS) == set(ALL)
    assert {one.section for one in ALL.values()} == set(words.SECTIONS)
    assert [key for key, reason in words.REASONS.items() if len(reason) > SHORTEST_ROW] == []


@pytest.mark.parametrize("key", ALL)
def test_every_usual_value_is_allowed_and_can_be_said_and_read_back(key: str) -> None:
    setting = ALL[key]
    if setting.default is None:
        assert setting.optional
        assert setting.parsed("") is None
        return
    assert setting.checked(setting.default) == setting.default
    assert setting.parsed(setting.shown(setting.default)) == setting.default


def test_what_is_usual_keeps_to_this_computer() -> None:
    usual = Settings()
    assert usual.mqtt.enabled is False
    assert usual.serve.host == "127.0.0.1"


def test_the_usual_choice_comes_first() -> None:
    chosen = [one for one in ALL.values() if one.kind is Kind.CHOICE]
    assert {one.key for one in chosen} >= {"appearance.face", "mqtt.password_from"}
    assert [one.key for one in chosen if one.choices[0] != one.default] == []


def test_no_password_has_a_place_in_the_file() -> None:
    assert "mqtt.password" not in ALL


def test_the_usual_quiet_hours_are_those_of_the_reminders() -> None:
    assert Settings().quiet.hours == QUIET


def test_the_same_time_twice_means_no_quiet_hours() -> None:
    assert Quiet("22:00", "22:00").hours is None


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("appearance.theme", " Dark ", "dark"),
        ("notifications.only_when_away", "No", False),
        ("notifications.only_when_away", "on", True),
        ("serve.port", "8080", 8080),
        ("quiet.from", "00:00", "00:00"),
        ("mqtt.host", " broker.lan ", "broker.lan"),
        ("mqtt.host", "", None),
    ],
    ids=str,
)
def test_what_a_person_says_becomes_the_value_in_the_file(key: str, text: str, value: object) -> None:
    assert ALL[key].parsed(text) == value


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("appearance.theme", "blue", "auto, dark or light"),
        ("appearance.theme", "", "auto, dark or light"),
        ("notifications.only_when_away", "maybe", "yes or no"),
        ("serve.port", "0", "a whole number from 1 to 65535"),
        ("serve.port", "65536", "a whole number from 1 to 65535"),
        ("serve.port", "80.5", "a whole number from 1 to 65535"),
        ("serve.port", "nan", "a whole number from 1 to 65535"),
        ("quiet.to", "24:00", 'a time of the day such as "22:00"'),
        ("quiet.to", "7:30", 'a time of the day such as "22:00"'),
        ("quiet.to", "22:00:00", 'a time of the day such as "22:00"'),
        ("serve.host", "http://here", "a name or address of a computer"),
        ("serve.host", "", "a name or address of a computer"),
        ("mqtt.port", "99999", "a whole number from 1 to 65535"),
    ],
    ids=str,
)
def test_what_a_setting_cannot_be_is_refused_with_what_it_can_be(key: str, text: str, allowed: str) -> None:
    with pytest.raises(NotAllowedError) as refused:
        ALL[key].parsed(text)
    assert str(refused.value) == allowed


class Kinds(msgspec.Struct, frozen=True):
    free: str = ""
    short: Annotated[str, msgspec.Meta(max_length=5)] = ""
    named: Annotated[str, msgspec.Meta(min_length=1, max_length=5)] = "a"
    least: Annotated[int, msgspec.Meta(ge=2)] = 2
    most: Annotated[float, msgspec.Meta(le=2.5)] = 1.0
    any_number: float = 1.0


class AllKinds(msgspec.Struct, frozen=True):
    kinds: Kinds = Kinds()


def test_a_range_or_a_length_is_told_in_words() -> None:
    assert {one.name: (one.kind, one.allowed) for one in settings_of(AllKinds)} == {
        "free": (Kind.TEXT, "a text"),
        "short": (Kind.TEXT, "a text of at most 5 characters"),
        "named": (Kind.TEXT, "a text of 1 to 5 characters"),
        "least": (Kind.NUMBER, "a whole number from 2 on"),
        "most": (Kind.NUMBER, "a number up to 2.5"),
        "any_number": (Kind.NUMBER, "a number"),
    }


class Lists(msgspec.Struct, frozen=True):
    some: list[int] = msgspec.field(default_factory=list)


class Mixed(msgspec.Struct, frozen=True):
    some: int | str = 1


class Needed(msgspec.Struct, frozen=True):
    some: int


@pytest.mark.parametrize("struct", [Lists, Mixed, Needed])
def test_a_schema_with_something_that_cannot_be_set_is_refused_when_it_is_looked_at(struct: Any) -> None:
    default = {} if struct is Needed else {"default": struct()}
    schema = msgspec.defstruct("Schema", [("part", struct, msgspec.field(**default))])
    with pytest.raises(TypeError, match="part"):
        settings_of(schema)


def test_the_nearest_name_may_be_missing_its_section_or_a_letter() -> None:
    assert nearest("theme", ALL) == "appearance.theme"
    assert nearest("aparence.thme", ALL) == "appearance.theme"
    assert nearest("reminders.only_when_awy", ALL) == "notifications.only_when_away"
    assert nearest("entirely.else", ALL) is None


# --- reading ----------------------------------------------------------------------------------------------------------


def test_an_empty_file_is_everything_as_usual() -> None:
    reading = read("")
    assert reading.settings == Settings()
    assert reading.problems == ()
    assert reading.warning == ""
    assert all(line.usual and not line.written for line in reading.lines)


def test_what_is_written_holds_and_the_rest_is_as_usual() -> None:
    reading = read('[appearance]\ntheme = "dark"\n[quiet]\nfrom = "21:15"\n')
    assert reading.problems == ()
    assert reading.settings.appearance.theme == "dark"
    assert reading.settings.appearance.face == "mirror"
    assert reading.settings.quiet == Quiet("21:15", "07:30")
    assert [line.setting.key for line in reading.lines if line.written] == ["appearance.theme", "quiet.from"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '# mine\n[appearance]\ntheme = "drak"\n',
            (
                'settings.toml, line 3, appearance.theme: "drak" is not allowed; '
                'allowed is "auto", "dark" or "light"; did you mean "dark"?'
            ),
        ),
        (
            '[appearance]\nthem = "dark"\n',
            'settings.toml, line 2, appearance.them: there is no such setting; did you mean "appearance.theme"?',
        ),
        (
            'theme = "dark"\n',
            'settings.toml, line 1, theme: there is no such setting; did you mean "appearance.theme"?',
        ),
        (
            "\n[apperance]\n",
            'settings.toml, line 2, apperance: there is no such setting; did you mean "appearance"?',
        ),
        (
            "[sound]\nxyzzy = 1\n",
            "settings.toml, line 2, sound.xyzzy: there is no such setting; known are sound.cues",
        ),
        (
            "[notifications]\nonly_when_away = 1\n",
            "settings.toml, line 2, notifications.only_when_away: 1 is not allowed; allowed is true or false",
        ),
        (
            "sound = true\n",
            "settings.toml, line 1, sound: this is a section; write it as [sound] with its settings below",
        ),
        (
            "[quiet]\nfrom = 22:00:00\n",
            (
                "settings.toml, line 2, quiet.from: 22:00:00 is not allowed; "
                'allowed is a time of the day such as "22:00"'
            ),
        ),
        (
            "[sound]\ncues = [\n 1,\n]\n",
            'settings.toml, line 2, sound.cues: […] is not allowed; allowed is "bell", "off" or "sound"',
        ),
        (
            "[sound]\ncues = {}\n",
            'settings.toml, line 2, sound.cues: {…} is not allowed; allowed is "bell", "off" or "sound"',
        ),
        (
            f'[sound]\ncues = "{"x" * 90}"\n',
            f'settings.toml, line 2, sound.cues: "{"x" * 38}… is not allowed; allowed is "bell", "off" or "sound"',
        ),
        (
            "[sound]\ncues = \n",
            (
                "settings.toml, line 2: this is not TOML: Invalid value; "
                "mend that line; until then everything is as usual"
            ),
        ),
        (
            '[sound]\ncues = "bell',
            (
                "settings.toml, line 2: this is not TOML: Unterminated string; "
                "mend that line; until then everything is as usual"
            ),
        ),
    ],
    ids=lambda value: value.splitlines()[-1][:30] if value.endswith("\n") else "",
)  # fmt: skip
def test_a_mistake_is_told_in_one_line_and_the_usual_value_holds(text: str, complaint: str) -> None:
    assert only(text) == complaint
    assert read(text).settings == Settings()


def test_a_mistake_costs_that_one_setting_and_no_other() -> None:
    reading = read('[appearance]\ntheme = 3\nface = "facing"\n[sound]\ncues = "off"\n')
    assert reading.settings.appearance.theme == "auto"
    assert reading.settings.appearance.face == "facing"
    assert reading.settings.sound.cues == "off"
    wrong = {line.setting.key: line.problem for line in reading.lines if line.problem}
    assert wrong == {"appearance.theme": '3 is not allowed; allowed is "auto", "dark" or "light"'}


def test_mistakes_are_told_in_the_order_of_the_file() -> None:
    reading = read('[quiet]\nto = 1\nfrom = 2\n[appearance]\nfaec = "mirror"\ntheme = 4\n[else]\n')
    assert [one.line for one in reading.problems] == [2, 3, 5, 6, 7]
    assert [one.line for one in read("sound.a = 1\nquiet.b = 2\nsound.c = 3\n").problems] == [1, 2, 3]
    assert reading.warning.startswith(str(reading.problems[0]))
    assert reading.warning.endswith("(and 4 more: `companion settings check`)")


LINK = '[mqtt]\nenabled = true\nhost = "broker.lan"\n'


def test_a_link_to_home_assistant_that_is_set_right_is_on() -> None:
    reading = read(LINK)
    assert reading.problems == ()
    assert reading.settings.mqtt.enabled
    assert reading.settings.mqtt.host == "broker.lan"


@pytest.mark.parametrize("mistake", ["tls = 1", "tsl = true", 'port = "8883"', "password_from = 3"])
def test_with_one_mistake_in_it_the_link_to_home_assistant_stays_off(mistake: str) -> None:
    reading = read(f"{LINK}{mistake}\n")
    assert reading.settings.mqtt == Settings().mqtt
    assert "so all of [mqtt] is as usual" in str(reading.problems[0])


def test_settings_that_do_not_go_together_leave_the_link_off_and_say_why() -> None:
    complaint = only("[appearance]\n[mqtt]\nenabled = true\n")
    assert complaint.startswith("settings.toml, line 2, mqtt: it cannot be on without the host of the broker, so all")


@pytest.mark.parametrize("mistake", ['hots = "localhost"', 'port = "80"'])
def test_with_one_mistake_in_it_the_app_is_served_to_this_computer_alone(mistake: str) -> None:
    assert read(f'[serve]\nhost = "0.0.0.0"\n{mistake}\n').settings.serve == Settings().serve


@pytest.mark.parametrize(
    "line", ['password = "hunter2"', 'password_from = "hunter2"', 'port = "hunter2"', 'host = "hunter2 "'], ids=str
)
def test_a_password_in_the_wrong_place_is_not_said_again(line: str) -> None:
    reading = read(f"[mqtt]\n{line}\n")
    assert reading.problems
    assert "hunter2" not in reading.warning + repr(reading.problems) + repr([one.problem for one in reading.lines])


def test_what_is_allowed_and_unwise_is_remarked_on() -> None:
    reading = read(f'{LINK}username = "me"\npassword_from = "environment"\n')
    assert reading.problems == ()
    assert reading.warning == f"mqtt: {reading.settings.mqtt.warning}"
    assert "unencrypted" in reading.warning


def test_every_guarded_section_is_there() -> None:
    assert set(Settings.__struct_fields__) >= GUARDED


# --- lines ------------------------------------------------------------------------------------------------------------


def test_the_line_of_a_key_is_found_however_it_is_written() -> None:
    text = '''# a comment with [brackets]
top.dotted = 1
inline = { x = 1, y = { z = 2 } }
text = """
[not.a.table]
x = 1
"""
list = [
  1, # one
]

[ "quoted" ]
'key' = 1
[a.b]
c = 1
[[many]]
x = 1
[[many]]
y = 1
'''
    assert {key: line for key, line in lines_of(text).items() if not key.startswith("many")} == {
        "top": 2, "top.dotted": 2, "inline": 3, "inline.x": 3, "inline.y": 3, "inline.y.z": 3, "text": 4, "list": 8,
        "quoted": 12, "quoted.key": 13, "a": 14, "a.b": 14, "a.b.c": 15,
    }  # fmt: skip
    assert lines_of(text)["many"] == 16
    assert lines_of(text)["many.y"] == 19


NAMES = [*sorted({part for key in ALL for part in key.split(".")}), "x", "y.z"]
VALUES = ("1", "-1", "true", '"dark"', '"off"', '"22:00"', '"\\u0000"', "[]", "{}", "nan", "1e400", "2026-01-01", "''")
statements = st.one_of(
    st.sampled_from(NAMES).map("[{}]".format),
    st.sampled_from(NAMES).map("[[{}]]".format),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)).map(" = ".join),
    st.sampled_from(["# [comment]", "", "\r", "="]),
)


@given(st.lists(statements, max_size=12).map("\n".join))
def test_whatever_is_written_there_are_settings_and_each_complaint_has_its_line(text: str) -> None:
    reading = read(text)
    assert isinstance(reading.settings, Settings)
    for problem in reading.problems:
        assert problem.line is not None
        assert 1 <= problem.line <= text.count("\n") + 1
        assert "\n" not in str(problem)
    assert reading.settings.mqtt.enabled is False or "host" in text
    for line in reading.lines:
        assert line.value is None or line.setting.checked(line.value) == line.value


@given(st.sampled_from(sorted(ALL)), st.text("0159:.-_/adefnorsuy #é\u2028\n", max_size=20))
def test_what_a_setting_takes_from_a_person_it_takes_from_a_file(key: str, text: str) -> None:
    setting: Setting = ALL[key]
    try:
        value = setting.parsed(text)
    except NotAllowedError:
        return
    assert value is None or setting.checked(value) == value
