"""What is set for the link to Home Assistant: which broker, how to get in, and under which names.

Pure values with their rules; every field can stand in the settings file, and none of them is the password. Knows no
network, and refuses to know anything of the machine: the device id is drawn at random once.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec

from companion.words import mqtt as words

PORT: Final = 1883
PORT_TLS: Final = 8883
"""The ports that IANA has given to MQTT, without and with TLS."""

Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[^\s/@]+\Z", description=words.HOST)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
# MQTT 3.1.1, 4.7: no wildcards; $ begins topics of the broker itself; empty levels are legal and look like mistakes.
Topic = Annotated[
    str,
    msgspec.Meta(max_length=100, pattern=r"^[^\s\x00-\x1f/#+$]+(/[^\s\x00-\x1f/#+$]+)*\Z", description=words.TOPIC),
]
# What Home Assistant takes as a part of a discovery topic.
DeviceId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+\Z", description=words.DEVICE_ID)
]


class MqttSettings(msgspec.Struct, frozen=True):
    """The settings of the link. ``port`` None is the usual one; ``device_id`` None until one is drawn.

    ``password_from`` says where the password is: nowhere, in the system's keyring, in the environment variable
    ``COMPANION_MQTT_PASSWORD``, or in ``password_file``. ``certificate_file`` and ``key_file`` (or both in the first)
    are for brokers that want to know their clients by certificate.

    Raises:
        ValueError: what is set does not go together; half a sentence for the person.
    """

    enabled: bool = False
    host: Host | None = None
    port: Port | None = None
    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    username: str | None = None
    password_from: Literal["none", "keyring", "environment", "file"] = "none"  # noqa: S105 - where it is, not what
    password_file: str | None = None
    discovery_prefix: Topic = "homeassistant"
    base_topic: Topic = "microcurrent-companion"
    device_id: DeviceId | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together. While it is off, it may be half filled in."""
        if not self.enabled:
            return
        if not self.host:
            raise ValueError(words.NO_HOST)
        if not self.username and self.has_password:
            raise ValueError(words.NO_USER)
        if self.password_from == "file" and not self.password_file:  # noqa: S105 - where it is, not what
            raise ValueError(words.NO_FILE)
        # A file for TLS without TLS is somebody who believes that the connection is encrypted.
        if not self.tls and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError(words.NO_TLS_FOR_FILES)
        if self.key_file and not self.certificate_file:
            raise ValueError(words.NO_CERTIFICATE)

    @property
    def has_password(self) -> bool:
        """Whether the broker is given a password."""
        return self.password_from != "none"  # noqa: S105 - as above

    @property
    def broker_port(self) -> int:
        """The port to connect to."""
        return self.port or (PORT_TLS if self.tls else PORT)

    @property
    def broker(self) -> str:
        """``host:port``, as the app calls the broker."""
        host = self.host or ""
        return f"[{host}]:{self.broker_port}" if ":" in host else f"{host}:{self.broker_port}"

    @property
    def warning(self) -> str:
        """One line on what is unwise, for the settings page and the doctor; empty when all is well."""
        if self.enabled and not self.tls and self.has_password and not _is_this_computer(self.host or ""):
            return words.IN_THE_CLEAR.format(host=self.host)
        return ""


def new_device_id() -> str:
    """Draw a device id: 64 random bits, and nothing of this machine."""
    return secrets.token_hex(8)


def with_device_id(settings: MqttSettings, keep: Callable[[str], object]) -> MqttSettings:
    """``settings`` with a device id. Where they have none, one is drawn and given to ``keep``, to be kept for good."""
    if settings.device_id is not None:
        return settings
    drawn = new_device_id()
    keep(drawn)
    return msgspec.structs.replace(settings, device_id=drawn)


def _is_this_computer(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
