"""``companion settings``: all of them with value, usual value and reason; one of them read, changed or as usual again.

Draws what the schema says; knows no setting by name.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from companion.config import Exit, data_folder
from companion.settings.file import SettingsError, SettingsFile, refusal, settings_file
from companion.settings.reading import Line
from companion.settings.schema import FILE_NAME, Settings
from companion.settings.setting import NotAllowedError, Setting
from companion.words import settings as words

_WIDTH = 80
_INDENT = " " * 4


def print_all(*, demo: bool) -> int:
    """Print every setting with its value, the usual one where that differs, its reason and what is allowed."""
    reading = _file(demo).read()
    blocks: list[str] = []
    section = ""
    for line in reading.lines:
        if line.setting.section != section:
            section = line.setting.section
            blocks += ["", words.SECTIONS[section]] if blocks else [words.SECTIONS[section]]
        blocks += _explained(line)
    if reading.problems:
        blocks += ["", words.SEE_CHECK.format(file=FILE_NAME)]
    _write(*blocks)
    return Exit.FINISHED


def print_one(key: str, *, demo: bool) -> int:
    """Print one setting's value alone, for scripts.

    Raises:
        SettingsError: there is no such setting.
    """
    file = _file(demo)
    setting = file.setting(key)
    _write(setting.shown(setting.value_in(file.read().settings)))
    return Exit.FINISHED


def put(key: str, value: str, *, demo: bool) -> int:
    """Keep a value, and print what holds now. An empty value is none, where there may be none.

    Raises:
        SettingsError: there is no such setting, it cannot be so, or the file cannot be written.
    """
    file = _file(demo)
    setting = file.setting(key)
    try:
        file.change(key, setting.parsed(value))
    except NotAllowedError as error:
        raise SettingsError(refusal(setting, value, str(error)), Exit.USAGE) from None
    return _now(file, setting)


def reset(key: str, *, demo: bool) -> int:
    """Take a setting out of the file, so that it is as usual, and print what holds now.

    Raises:
        SettingsError: there is no such setting, or the file cannot be written.
    """
    file = _file(demo)
    setting = file.setting(key)
    file.change(key, None)
    return _now(file, setting)


def print_path(*, demo: bool) -> int:
    """Print where the file is, or would be."""
    _write(str(_file(demo).path))
    return Exit.FINISHED


def check(*, demo: bool) -> int:
    """Print every mistake in the file, each with its line; ends with the code of a usage error where there is one."""
    file = _file(demo)
    reading = file.read()
    _write(*map(str, reading.problems), *reading.remarks)
    if reading.problems:
        return Exit.USAGE
    _write((words.FINE if file.path.exists() else words.NO_FILE).format(file=FILE_NAME))
    return Exit.FINISHED


def _file(demo: bool) -> SettingsFile[Settings]:
    return settings_file(data_folder(demo=demo))


def _now(file: SettingsFile[Settings], setting: Setting) -> int:
    """Print the value that holds, and what keeps another one from it."""
    reading = file.read()
    _write(words.VALUE.format(key=setting.key, value=setting.shown(setting.value_in(reading.settings))))
    if reading.problems:
        _write(words.SEE_CHECK.format(file=FILE_NAME))
    return Exit.FINISHED


def _explained(line: Line) -> Iterator[str]:
    setting = line.setting
    said = words.VALUE_USUAL if line.usual else words.VALUE_CHANGED
    yield "  " + said.format(key=setting.key, value=line.text, usual=setting.shown(setting.default))
    for told in (setting.reason, words.ALLOWED_HERE.format(allowed=setting.answers)):
        yield from textwrap.wrap(told, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
