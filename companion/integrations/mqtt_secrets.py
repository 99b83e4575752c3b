"""The broker's password, and what TLS needs: read when a connection is made, and kept nowhere else.

A password never stands in the settings file, in a message or in a log; a file that others can read is refused.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from companion.config import CompanionError
from companion.words import mqtt as words

if TYPE_CHECKING:
    from types import ModuleType

    from companion.integrations.mqtt_settings import MqttSettings

PASSWORD_VARIABLE: Final = "COMPANION_MQTT_PASSWORD"  # noqa: S105 - the name of a variable
MOST_BYTES: Final = 4096
_SERVICE: Final = "microcurrent-companion mqtt"


class SecretError(CompanionError):
    """The password or a certificate cannot be had; one line for the person, without the secret."""


def read_password(settings: MqttSettings, *, environ: Mapping[str, str] = os.environ) -> str | None:
    """The password for the broker, or None where there is none. May wait for the system's keyring to be unlocked.

    Raises:
        SecretError: it is not where the settings say.
    """
    match settings.password_from:
        case "none":
            return None
        case "keyring":
            password, where = _from_keyring(settings), words.KEYRING
        case "environment":
            where = PASSWORD_VARIABLE
            if where not in environ:
                raise SecretError(words.NO_VARIABLE.format(name=where))
            password = environ[where]
        case "file":
            where = str(Path(settings.password_file or "").expanduser())
            password = _from_file(Path(where))
    if not password:
        raise SecretError(words.EMPTY.format(where=where))
    return password


def keep_password(settings: MqttSettings, password: str) -> None:
    """Keep the password for this user at this broker in the system's keyring.

    Raises:
        SecretError: there is no keyring, or it does not take it.
    """
    keyring = _keyring()
    try:
        keyring.set_password(_SERVICE, _account(settings), password)
    except Exception as error:  # noqa: BLE001 - each backend raises its own; what went wrong must not be the app's end
        raise _keyring_error(error) from None


def forget_password(settings: MqttSettings) -> bool:
    """Take the password for this user at this broker out of the system's keyring; False where there is none.

    Raises:
        SecretError: the keyring does not answer, or does not let it go.
    """
    try:
        keyring = _keyring()
    except SecretError:
        return False  # without the package nothing was ever kept there
    try:
        if keyring.get_password(_SERVICE, _account(settings)) is None:
            return False
        keyring.delete_password(_SERVICE, _account(settings))
    except Exception as error:  # noqa: BLE001 - as above
        raise _keyring_error(error) from None
    return True


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """What TLS is to check: the broker's name and certificate, always. None without TLS.

    Raises:
        SecretError: a file that is set cannot be used.
    """
    if not settings.tls:
        return None
    ca = _path(settings.ca_file)
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _bad_file(settings.ca_file, "ca_file", error) from None
    context.sslsocket_class = _TidySocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate = _path(settings.certificate_file)
    if certificate is not None:
        try:
            # A key that wants a pass phrase would have it asked for on the terminal, in the middle of the screen.
            context.load_cert_chain(certificate, _path(settings.key_file), password=_no_pass_phrase)
        except (OSError, ValueError) as error:
            raise _bad_file(settings.certificate_file, "certificate_file", error) from None
    return context


class _TidySocket(ssl.SSLSocket):
    """Closed when the handshake fails; paho (2.2.0) forgets it then, and leaves it to the garbage collection."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _from_keyring(settings: MqttSettings) -> str:
    keyring = _keyring()
    try:
        password = keyring.get_password(_SERVICE, _account(settings))
    except Exception as error:  # noqa: BLE001 - as above
        raise _keyring_error(error) from None
    if password is None:
        raise SecretError(words.NOT_IN_KEYRING.format(user=settings.username, broker=settings.broker))
    return str(password)


def _keyring() -> ModuleType:
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415 - an extra, loaded on use
    except ImportError:
        raise SecretError(words.NO_KEYRING) from None
    return keyring  # type: ignore[no-any-return, unused-ignore]


def _keyring_error(error: Exception) -> SecretError:
    # Its kind alone: what a backend says of itself may hold anything.
    return SecretError(words.KEYRING_FAILED.format(detail=type(error).__name__))


def _account(settings: MqttSettings) -> str:
    return f"{settings.username}@{settings.broker}"


def _from_file(path: Path) -> str:
    try:
        # Not waiting for a writer, where it is a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            _check_rights(path, os.fstat(file.fileno()))
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        detail = error.strerror or str(error)
        raise SecretError(words.FILE_UNREADABLE.format(path=path, detail=detail, setting="password_file")) from None
    if len(data) > MOST_BYTES:
        raise SecretError(words.FILE_TOO_LONG.format(path=path, most=MOST_BYTES))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretError(words.FILE_NOT_TEXT.format(path=path)) from None
    # One end of line belongs to the file; everything else may be the password's.
    return text.removesuffix("\n").removesuffix("\r")


def _check_rights(path: Path, found: os.stat_result) -> None:
    """Refuse what others may read or have made. Windows keeps rights elsewhere: there the folder of the account does.

    Raises:
        SecretError: it is not the person's alone.
    """
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(words.FILE_NOT_PLAIN.format(path=path))
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid not in {os.geteuid(), 0}:
        raise SecretError(words.FILE_OF_OTHERS.format(path=path))
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SecretError(words.FILE_OPEN_TO_OTHERS.format(path=path))


def _path(setting: str | None) -> str | None:
    return str(Path(setting).expanduser()) if setting else None


def _no_pass_phrase() -> str:
    raise ValueError("it wants a pass phrase")


def _bad_file(path: str | None, setting: str, error: Exception) -> SecretError:
    detail = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return SecretError(words.BAD_TLS_FILE.format(path=path, detail=detail, setting=setting))
