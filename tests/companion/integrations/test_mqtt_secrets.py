"""The broker's password: from one place at a time, never from a file that others can read, and in no message."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from companion.integrations.mqtt_secrets import MOST_BYTES, SecretError, keep_password, read_password, tls_context
from companion.integrations.mqtt_settings import MqttSettings
from tests.companion.integrations.certificates import Authority

SECRET = "s3cret of ada's"  # noqa: S105 - of nobody


def settings(**more: Any) -> MqttSettings:
    return MqttSettings(enabled=True, host="broker", username="ada", **more)


def from_file(path: Path) -> str | None:
    return read_password(settings(password_from="file", password_file=str(path)))  # noqa: S106 - where it is


def written(path: Path, content: bytes = SECRET.encode(), mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


class FakeKeyring(ModuleType):
    """The functions of keyring that are used, in memory."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, user: str) -> str | None:
        self._open()
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self._open()
        self.kept[service, user] = password

    def _open(self) -> None:
        if self.locked:
            raise RuntimeError(f"locked, and {SECRET} is in it")


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    fake = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", fake)
    return fake


def test_without_a_password_none_is_read() -> None:
    assert read_password(settings(), environ={"COMPANION_MQTT_PASSWORD": SECRET}) is None


# --- environment ------------------------------------------------------------------------------------------------------


def test_the_environment_gives_it_as_it_is() -> None:
    chosen = settings(password_from="environment")  # noqa: S106 - where it is
    assert read_password(chosen, environ={"COMPANION_MQTT_PASSWORD": f" {SECRET} "}) == f" {SECRET} "
    with pytest.raises(SecretError, match="COMPANION_MQTT_PASSWORD is not set"):
        read_password(chosen, environ={})
    with pytest.raises(SecretError, match="COMPANION_MQTT_PASSWORD is empty"):
        read_password(chosen, environ={"COMPANION_MQTT_PASSWORD": ""})


# --- file -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["none", "lf", "crlf"])
def test_a_file_gives_its_line_without_the_end_of_it(tmp_path: Path, end: bytes) -> None:
    assert from_file(written(tmp_path / "password", SECRET.encode() + end)) == SECRET


def test_only_one_end_of_line_is_the_files(tmp_path: Path) -> None:
    assert from_file(written(tmp_path / "password", b" two \n\n")) == " two \n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o777], ids=oct)
def test_a_file_that_others_can_get_at_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "password", mode=mode)
    with pytest.raises(SecretError, match=r"others can read .*password, so it is not used; .*`chmod 600 ") as refused:
        from_file(path)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("mode", [0o600, 0o400], ids=oct)
def test_a_file_of_ones_own_is_taken(tmp_path: Path, mode: int) -> None:
    assert from_file(written(tmp_path / "password", mode=mode)) == SECRET


def test_a_link_to_a_file_counts_as_the_file(tmp_path: Path) -> None:
    target = written(tmp_path / "target", mode=0o644)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(SecretError, match="others can read"):
        from_file(tmp_path / "link")


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "password")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    if path.stat().st_uid == 0:  # what belongs to root is root's own doing: then let it be of a third one
        os.chown(path, 4321, -1)
    with pytest.raises(SecretError, match="belongs to somebody else"):
        from_file(path)


def test_what_is_no_file_of_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="cannot be read"):
        from_file(tmp_path / "missing")
    with pytest.raises(SecretError):
        from_file(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretError, match="no ordinary file"):
        from_file(tmp_path / "pipe")
    with pytest.raises(SecretError, match="longer than"):
        from_file(written(tmp_path / "long", b"x" * (MOST_BYTES + 1)))
    with pytest.raises(SecretError, match="not UTF-8"):
        from_file(written(tmp_path / "binary", b"\xff\xfe"))
    with pytest.raises(SecretError, match="is empty"):
        from_file(written(tmp_path / "empty", b"\n"))


# --- keyring ----------------------------------------------------------------------------------------------------------


def test_the_keyring_gives_what_was_kept_for_this_user_at_this_broker(keyring: FakeKeyring) -> None:
    chosen = settings(password_from="keyring")  # noqa: S106 - where it is
    with pytest.raises(SecretError, match="no password for ada at broker:1883"):
        read_password(chosen)
    keep_password(chosen, SECRET)
    assert read_password(chosen) == SECRET
    with pytest.raises(SecretError, match="no password for ada at broker:8883"):
        read_password(settings(password_from="keyring", tls=True))  # noqa: S106 - where it is


def test_a_keyring_that_does_not_open_is_one_line_without_what_it_said(keyring: FakeKeyring) -> None:
    keyring.locked = True
    chosen = settings(password_from="keyring")  # noqa: S106 - where it is
    for use in (lambda: read_password(chosen), lambda: keep_password(chosen, SECRET)):
        with pytest.raises(SecretError, match=r"does not answer \(RuntimeError\)") as failed:
            use()
        assert SECRET not in str(failed.value)


def test_without_the_keyring_package_the_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"pip install 'microcurrent-companion\[keyring\]'"):
        read_password(settings(password_from="keyring"))  # noqa: S106 - where it is


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_tls_checks_certificate_and_name_always() -> None:
    assert tls_context(settings()) is None
    context = tls_context(settings(tls=True))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_with_an_authority_of_ones_own_no_other_counts(tmp_path: Path) -> None:
    context = tls_context(settings(tls=True, ca_file=str(Authority(tmp_path, "mine").file)))
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "text"])
@pytest.mark.parametrize("which", ["ca_file", "certificate_file"])
def test_a_file_that_tls_cannot_use_is_named_with_its_setting(
    tmp_path: Path, which: str, content: bytes | None
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretError, match=rf"file\.pem cannot be used for TLS \(.+\); check mqtt\.{which}"):
        tls_context(settings(tls=True, **{which: str(path)}))


def test_a_key_with_a_pass_phrase_is_refused_instead_of_asking_on_the_terminal(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "mine").server("client", "127.0.0.1")
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"phrase")
    key.write_bytes(plain.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(SecretError, match="it wants a pass phrase"):
        tls_context(settings(tls=True, certificate_file=str(certificate), key_file=str(key)))
