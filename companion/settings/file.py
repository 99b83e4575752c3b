"""The settings file on disk: read whole, changed one line at a time, written whole.

What a person wrote stays as it is: comments, order, and what is not understood here. A file that is not TOML is never
written to. Knows no setting by name, and no screen.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from companion.config import CompanionError, Exit
from companion.settings.reading import Reading, read_text, toml_problem, unusable
from companion.settings.schema import FILE_NAME, GUARDED, Settings
from companion.settings.setting import NotAllowedError, Setting, nearest, settings_of
from companion.words import settings as words

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

S = TypeVar("S", bound=msgspec.Struct)

MOST_KIB: Final = 64
_BOM: Final = "\ufeff"  # what some editors on Windows begin a UTF-8 file with; TOML knows none


class SettingsError(CompanionError):
    """The settings cannot be changed; nothing was."""


class SettingsFile(Generic[S]):
    """The settings of one data folder. Nothing is kept in memory: what another program wrote is seen at once."""

    def __init__(self, path: Path, schema: type[S]) -> None:
        self.path = path
        self._schema = schema

    def read(self) -> Reading[S]:
        """What holds now. A file that is missing, wrong or unreadable gives the usual values, and says so."""
        try:
            text = self._text()
        except FileNotFoundError:
            return Reading(self._schema())
        except _UnusableError as error:
            return unusable(self._schema, error.problem, error.advice)
        return read_text(text.removeprefix(_BOM), self._schema)

    def setting(self, key: str) -> Setting:
        """The setting of that key.

        Raises:
            SettingsError: there is none; the message names the nearest.
        """
        known = {one.key: one for one in settings_of(self._schema)}
        if key not in known:
            near = nearest(key, known)
            advice = words.LIST_THEM if near is None else words.DID_YOU_MEAN.format(name=near)
            raise SettingsError(words.NO_SUCH.format(key=key, advice=advice), Exit.USAGE)
        return known[key]

    def change(self, key: str, value: object) -> None:
        """Keep ``value`` (as it would stand in the file) for ``key``; None takes the line out, so that it is as usual.

        Raises:
            SettingsError: there is no such setting, it cannot have that value, or the file cannot be written.
        """
        setting = self.setting(key)
        if value is not None:
            try:
                setting.checked(value)
            except NotAllowedError as error:
                raise SettingsError(refusal(setting, value, str(error)), Exit.USAGE) from None
        try:
            before = self._text()
        except FileNotFoundError:
            if value is None:
                return
            before = ""
        except _UnusableError as error:
            raise SettingsError(f"{FILE_NAME}: {words.KEPT_AS_IS.format(problem=error.problem)}") from error
        bom = _BOM if before.startswith(_BOM) else ""
        after = bom + _edited(before.removeprefix(bom), setting, value)
        if after != before:
            self._check_section(before, after, setting)
            self._write(after)

    def _text(self) -> str:
        """The file's text, line ends as they are.

        Raises:
            FileNotFoundError: there is none.
            _UnusableError: it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MOST_KIB * 1024 + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _UnusableError(words.UNREADABLE.format(problem=error.strerror), words.CHECK_RIGHTS) from error
        if len(data) > MOST_KIB * 1024:
            raise _UnusableError(words.TOO_LONG.format(most=MOST_KIB), words.SHORTEN)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _UnusableError(words.NOT_UTF8.format(at=error.start), words.SAVE_AS_UTF8) from error

    def _check_section(self, before: str, after: str, setting: Setting) -> None:
        """Refuse what does not go together, unless it did not before either: that may be on its way to being mended."""
        was, becomes = (
            {one.key: one.problem for one in read_text(text.removeprefix(_BOM), self._schema).problems}
            for text in (before, after)
        )
        if setting.section in becomes and setting.section not in was:
            said = words.SECTION_REFUSES.format(key=setting.key, problem=becomes[setting.section])
            raise SettingsError(said, Exit.USAGE)

    def _write(self, text: str) -> None:
        """Put ``text`` in the file's place, all of it or nothing, for its owner alone (0600)."""
        import tempfile  # noqa: PLC0415 - as in _edited

        path = Path(os.path.realpath(self.path))  # a link into somebody's own collection of settings stays one
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.parent.chmod(0o700)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
            _sync_folder(path.parent)
        except OSError as error:
            message = words.NOT_WRITTEN.format(file=FILE_NAME, problem=error.strerror, folder=path.parent)
            raise SettingsError(message) from error


def settings_file(folder: Path) -> SettingsFile[Settings]:
    """The settings in a data folder (:func:`companion.config.data_folder`); a demo has its own."""
    return SettingsFile(folder / FILE_NAME, Settings)


class _UnusableError(Exception):
    """The file as a whole cannot be used: why, and what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


def refusal(setting: Setting, value: object, allowed: str) -> str:
    """Why ``setting`` cannot be ``value``; a value that may be a password in the wrong place is not said again."""
    if setting.section in GUARDED:
        return words.BAD_UNSAID.format(key=setting.key, allowed=allowed)
    return words.BAD_VALUE.format(key=setting.key, allowed=allowed, value=value)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk too, where the system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- editing ----------------------------------------------------------------------------------------------------------


def _edited(text: str, setting: Setting, value: object) -> str:
    """``text`` with one setting changed, or taken out where ``value`` is None, and nothing else.

    Raises:
        SettingsError: it is not TOML, or says this setting in a way that cannot be changed alone.
    """
    import tomlkit  # noqa: PLC0415 - 25 ms that only a change needs
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 - as above

    try:
        before = tomllib.loads(text, parse_float=str)
    except tomllib.TOMLDecodeError as error:
        problem, line = toml_problem(str(error), text)
        where = f"{FILE_NAME}, {words.LINE.format(line=line)}"
        said = words.KEPT_AS_IS.format(problem=words.NOT_TOML.format(problem=problem))
        raise SettingsError(f"{where}: {said}") from error
    try:
        document = tomlkit.parse(text if text.endswith("\n") or not text else f"{text}\n")
        if not text:
            document.add(tomlkit.comment(words.NEW_FILE))
        _put(document, setting, value)
        after = tomlkit.dumps(document)
        if "\r\n" in text:
            after = re.sub(r"(?<!\r)\n", "\r\n", after)
        alone = _rest(before, setting) == _rest(tomllib.loads(after, parse_float=str), setting)
        kept = tomllib.loads(after).get(setting.section, {}).get(setting.name) == value
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError, AttributeError):
        alone = kept = False
    if not (alone and kept):
        raise SettingsError(words.NOT_CHANGED.format(file=FILE_NAME, key=setting.key))
    return after


def _put(document: TOMLDocument, setting: Setting, value: object) -> None:
    import tomlkit  # noqa: PLC0415 - loaded by now
    from tomlkit.items import Table  # noqa: PLC0415 - as above

    section: Any = document.get(setting.section)
    if value is None:
        if section is not None and setting.name in section:
            section.remove(setting.name)
    elif section is None:
        table = tomlkit.table()
        table.add(setting.name, value)
        document.add(setting.section, table)
    elif setting.name not in section and isinstance(section, Table):
        _append(section, setting.name, value)
    else:
        section[setting.name] = value


def _append(table: Table, name: str, value: object) -> None:
    """Put a new line behind the last one of the table, not behind the comments that belong to the next table."""
    body = table.value.body
    end = len(body)
    while end and body[end - 1][0] is None:
        end -= 1
    trailing = body[end:]
    del body[end:]
    table.add(name, value)
    body.extend(trailing)


def _rest(document: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """All of a document but one setting, and its section where nothing else is in it."""
    section = document.get(setting.section)
    if not isinstance(section, dict):
        return document
    kept = {name: value for name, value in section.items() if name != setting.name}
    others = {name: value for name, value in document.items() if name != setting.section}
    return {**others, setting.section: kept} if kept else others
