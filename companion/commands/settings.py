"""``companion settings``: all of them with value, usual value and reason; one of them read, changed or as usual again.

Draws what the schema says; knows no setting by name.
"""

from __future__ import annotations

import getpass
import sys
import textwrap
from collections.abc import Callable, Iterator

from companion.config import Exit, data_folder
from companion.settings.file import SettingsError, SettingsFile, settings_file
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
    """Print one setting's value alone, for scripts; of a hidden one only whether it is set.

    Raises:
        SettingsError: there is no such setting.
    """
    file = _file(demo)
    setting = file.setting(key)
    _write(setting.shown(setting.value_in(file.read().settings)))
    return Exit.FINISHED


def put(key: str, value: str | None, *, demo: bool, ask: Callable[[str], str] = getpass.getpass) -> int:
    """Keep a value, and print what holds now. A hidden one is asked for, since a command line can be seen by others.

    Raises:
        SettingsError: there is no such setting, it cannot be so, or the file cannot be written.
    """
    file = _file(demo)
    setting = file.setting(key)
    try:
        file.change(key, setting.parsed(_given(setting, value, ask)))
    except NotAllowedError as error:
        said = words.BAD_UNSEEN if setting.hidden else words.BAD_VALUE
        raise SettingsError(said.format(key=key, allowed=error, value=value), Exit.USAGE) from None
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
    problems = file.read().problems
    if problems:
        _write(*map(str, problems))
        return Exit.USAGE
    _write((words.FINE if file.path.exists() else words.NO_FILE).format(file=FILE_NAME))
    return Exit.FINISHED


def _file(demo: bool) -> SettingsFile[Settings]:
    return settings_file(data_folder(demo=demo))


def _given(setting: Setting, value: str | None, ask: Callable[[str], str]) -> str:
    if not setting.hidden:
        if value is None:
            said = words.VALUE_MISSING.format(key=setting.key, allowed=setting.answers)
            raise SettingsError(said, Exit.USAGE)
        return value
    if value is not None:
        raise SettingsError(words.UNSEEN_ALONE.format(key=setting.key), Exit.USAGE)
    if not sys.stdin.isatty():
        raise SettingsError(words.NEEDS_TERMINAL.format(key=setting.key), Exit.USAGE)
    return ask(words.ASK_UNSEEN.format(key=setting.key))


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
