"""The settings of the link: what may stand there, what does not go together, and no address of this machine."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from companion.integrations.mqtt_conversation import FIRST_DELAY_S, LONGEST_DELAY_S, delays
from companion.integrations.mqtt_settings import MqttSettings, new_device_id, with_device_id
from companion.settings.setting import settings_of


class Household(msgspec.Struct, frozen=True):
    """A settings file with this one section."""

    mqtt: MqttSettings = MqttSettings()


def read(**values: Any) -> MqttSettings:
    """As a settings file would be."""
    return msgspec.convert(values, MqttSettings)


def test_it_is_off_and_says_nothing_until_asked_for() -> None:
    assert MqttSettings().enabled is False
    assert MqttSettings().warning == ""


def test_every_setting_can_be_set_on_the_settings_screen_and_none_of_them_is_the_password() -> None:
    names = {one.name for one in settings_of(Household)}
    assert {"enabled", "host", "tls", "password_from", "password_file"} <= names
    assert "password" not in names


@pytest.mark.parametrize(
    ("values", "port", "broker"),
    [
        ({"host": "ha.local"}, 1883, "ha.local:1883"),
        ({"host": "ha.local", "tls": True}, 8883, "ha.local:8883"),
        ({"host": "ha.local", "tls": True, "port": 1884}, 1884, "ha.local:1884"),
        ({"host": "fd00::1"}, 1883, "[fd00::1]:1883"),
    ],
    ids=["usual", "tls", "own", "ipv6"],
)
def test_the_port_is_the_usual_one_where_none_is_set(values: dict[str, Any], port: int, broker: str) -> None:
    assert (read(**values).broker_port, read(**values).broker) == (port, broker)


@pytest.mark.parametrize(
    "values",
    [
        {"host": "mqtt://ha.local"}, {"host": "a b"}, {"host": ""}, {"host": "me@ha.local"}, {"port": 0},
        {"port": 70000}, {"base_topic": "a/#"}, {"base_topic": "+"}, {"base_topic": "/a"}, {"base_topic": "a/"},
        {"base_topic": "a//b"},        {"base_topic": "$SYS"}, {"base_topic": ""},
        {"base_topic": "a\x00b"}, {"discovery_prefix": "home assistant"},
        {"device_id": ""}, {"device_id": "a/b"}, {"device_id": "é"}, {"device_id": "a\n"}, {"password_from": "here"},
        {"tls": "yes"}, {"enabled": 1},
    ],
    ids=lambda values: "-".join(f"{key}={value!a}" for key, value in values.items()),
)  # fmt: skip
def test_what_cannot_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(**values)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "without the host of the broker"),
        ({"password_from": "keyring", "host": "h"}, "without a username"),
        ({"password_from": "file", "host": "h", "username": "ada"}, "password_file is needed"),
        ({"host": "h", "ca_file": "ca.pem"}, "of no use without tls"),
        ({"host": "h", "certificate_file": "me.pem"}, "of no use without tls"),
        ({"host": "h", "tls": True, "key_file": "me.key"}, "of no use without certificate_file"),
    ],
    ids=["host", "user", "file", "ca", "certificate", "key"],
)
def test_what_does_not_go_together_is_refused_once_it_is_on(values: dict[str, Any], problem: str) -> None:
    read(**values)
    with pytest.raises(msgspec.ValidationError, match=problem):
        read(enabled=True, **values)


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        ({"host": "192.168.1.2", "password_from": "keyring"}, True),
        ({"host": "192.168.1.2", "password_from": "keyring", "tls": True}, False),
        ({"host": "192.168.1.2"}, False),
        ({"host": "localhost", "password_from": "keyring"}, False),
        ({"host": "::1", "password_from": "keyring"}, False),
        ({"host": "localhost.example", "password_from": "keyring"}, True),
    ],
    ids=["open", "tls", "no-password", "here", "here-ipv6", "elsewhere"],
)
def test_a_password_in_the_clear_over_the_network_is_warned_of(values: dict[str, Any], *, warned: bool) -> None:
    assert bool(read(enabled=True, username="ada", **values).warning) is warned


def test_a_device_id_is_drawn_once_and_kept() -> None:
    kept: list[str] = []
    drawn = with_device_id(MqttSettings(), kept.append)
    assert [drawn.device_id] == kept
    assert with_device_id(drawn, kept.append) is drawn
    assert len(kept) == 1
    assert read(device_id=kept[0]) == drawn


def test_device_ids_are_random_and_not_of_this_machine() -> None:
    drawn = {new_device_id() for _ in range(100)}
    assert len(drawn) == 100
    assert {len(one) for one in drawn} == {16}


def test_the_settings_load_neither_the_client_nor_a_keyring() -> None:
    code = "import companion.integrations.mqtt_settings, companion.integrations.mqtt_secrets, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"aiomqtt", "paho", "keyring", "asyncio"} & set(done.stdout.split()) == set()


def test_attempts_are_further_and_further_apart_up_to_a_minute_and_never_in_step() -> None:
    wait = delays(seed=5)
    for failures in range(2000):
        full = min(FIRST_DELAY_S * 2 ** min(failures, 99), LONGEST_DELAY_S)
        assert full / 2 <= wait(failures) <= full
    assert delays(seed=5)(9) == delays(seed=5)(9) != delays(seed=6)(9)
