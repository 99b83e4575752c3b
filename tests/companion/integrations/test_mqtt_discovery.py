"""What Home Assistant is told, held against its own documented rules, and against what may not be told."""

from __future__ import annotations

import dataclasses
import json
import re
import types
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.integrations.mqtt_discovery import (
    WHERE_REPORTED,
    Facts,
    SessionState,
    Topics,
    discovery,
    reminder,
    reported,
    states,
)
from companion.integrations.mqtt_settings import MqttSettings
from companion.session.model import Phase
from tests.companion.staging import full_face, view_of

TOPICS = Topics(MqttSettings(enabled=True, host="broker", device_id="5eed"))

# --- the rules, from the documentation of Home Assistant --------------------------------------------------------------

# https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery ("Device discovery payload", "Supported abbreviations"
# left aside: none are used here) and #configuration-variables of each platform's own page.
SHARED = {"availability_topic", "payload_available", "payload_not_available"}
COMMON = {"platform", "unique_id", "name", "icon", "entity_category"}
KEYS = {
    # https://www.home-assistant.io/integrations/sensor.mqtt/
    "sensor": COMMON
    | {"state_topic", "device_class", "unit_of_measurement", "state_class", "suggested_display_precision", "options"},
    # https://www.home-assistant.io/integrations/button.mqtt/
    "button": COMMON | {"command_topic", "payload_press", "retain", "qos"},
    # https://www.home-assistant.io/integrations/event.mqtt/
    "event": COMMON | {"state_topic", "event_types"},
}
REQUIRED = {"sensor": {"state_topic"}, "button": {"command_topic"}, "event": {"state_topic", "event_types"}}
# https://www.home-assistant.io/integrations/sensor/#device-class
UNITS = {
    "battery": {"%"},
    "current": {"A", "mA"},
    "duration": {"d", "h", "min", "s", "ms", "μs"},
    "volume": {"L", "mL", "gal", "fl. oz.", "m³", "ft³", "CCF", "MCF"},
    "enum": {None},
    "timestamp": {None},
}
# https://developers.home-assistant.io/docs/core/entity/sensor/#available-device-classes
STATE_CLASSES = {
    "battery": {"measurement", None},
    "current": {"measurement", None},
    "duration": {"measurement", "total", "total_increasing", None},
    "volume": {"total", "total_increasing", None},
    "enum": {None},
    "timestamp": {None},
}


def complaints(payload: bytes) -> list[str]:
    """What Home Assistant would not take of a device discovery message; empty when it takes all of it."""
    told = json.loads(payload)
    found = [f"no {key}" for key in ("device", "origin", "components") if key not in told]
    if found:
        return found
    found += [f"unknown {key}" for key in set(told) - {"device", "origin", "components"} - SHARED]
    if not told["device"].get("identifiers") and not told["device"].get("connections"):
        found.append("a device without identifiers and connections")
    if set(told["device"]) - {"identifiers", "connections", "name", "sw_version", "manufacturer", "model"}:
        found.append("unknown in device")
    if not told["origin"].get("name") or set(told["origin"]) - {"name", "sw_version", "support_url"}:
        found.append("origin needs a name, and has no more than name, sw_version and support_url")
    ids = [part.get("unique_id") for part in told["components"].values()]
    if len(set(ids)) != len(ids) or None in ids:
        found.append("each component needs a unique_id of its own")
    for key, part in told["components"].items():
        found += [f"{key}: {problem}" for problem in complaints_of(part)]
    return found


def complaints_of(part: dict[str, Any]) -> list[str]:
    platform = part.get("platform")
    if platform not in KEYS:
        return [f"no platform {platform}"]
    found = [f"unknown {key}" for key in set(part) - KEYS[platform]]
    found += [f"no {key}" for key in REQUIRED[platform] - set(part)]
    found += [
        f"{key} is no topic to publish to"
        for key in part
        if key.endswith("_topic") and not re.fullmatch(r"[^+#\x00]{1,65535}", part[key])
    ]
    if "icon" in part and not part["icon"].startswith("mdi:"):
        found.append("an icon begins with mdi:")
    if part.get("entity_category") not in {None, "diagnostic"}:
        found.append("entity_category is diagnostic, where it is not left out")
    if platform == "sensor":
        kind, unit = part.get("device_class"), part.get("unit_of_measurement")
        if unit not in UNITS.get(kind or "", {unit}):
            found.append(f"unit {unit} is not valid together with device class {kind}")
        if part.get("state_class") not in STATE_CLASSES[kind or ""]:
            found.append("state class")
        if ("options" in part) != (kind == "enum") or part.get("options") == []:
            found.append("options belong to enum, and enum to options")
    return found


def parts(known: frozenset[str] = WHERE_REPORTED) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(discovery(TOPICS, "1.0", known))["components"]
    return found


@pytest.mark.parametrize("known", [frozenset(), frozenset({"battery"}), WHERE_REPORTED], ids=len)
def test_home_assistant_takes_all_of_it(known: frozenset[str]) -> None:
    assert complaints(discovery(TOPICS, "1.0", known)) == []


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("output", {"unit_of_measurement": "µA"}),
        ("session", {"options": []}),
        ("water_today", {"state_class": "measurement"}),
        ("stop", {"state_topic": "x"}),
        ("stop", {"command_topic": "#"}),
        ("battery", {"unique_id": "5eed_output"}),
        ("water_reminder", {"platform": "speaker"}),
    ],
)
def test_the_check_itself_sees_what_home_assistant_refuses(key: str, change: dict[str, Any]) -> None:
    told = json.loads(discovery(TOPICS, "1.0", WHERE_REPORTED))
    told["components"][key] |= change
    assert len(complaints(json.dumps(told).encode())) >= 1


def test_the_topic_of_discovery_is_one_that_home_assistant_looks_at() -> None:
    # https://www.home-assistant.io/integrations/mqtt/#discovery-topic
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", TOPICS.discovery)
    other = Topics(MqttSettings(device_id="a", discovery_prefix="ha/disco", base_topic="home/face"))
    assert other.discovery == "ha/disco/device/a/config"
    assert other.births == {"homeassistant/status", "ha/disco/status"}
    assert other.stop == "home/face/a/stop"


def test_there_are_the_entities_that_were_promised_and_a_single_control() -> None:
    found = {key: part["platform"] for key, part in parts().items()}
    sensors = (
        "next_session", "last_session", "minutes_this_week", "water_today", "water_goal", "session", "battery", "output"
    )  # fmt: skip
    assert found == {**dict.fromkeys(sensors, "sensor"), "water_reminder": "event", "stop": "button"}
    assert [key for key, part in parts().items() if "command_topic" in part] == ["stop"]
    assert parts()["stop"]["retain"] is False
    assert parts()["output"]["suggested_display_precision"] == 3


def test_every_sensor_reads_a_topic_that_is_published_and_every_state_has_a_sensor() -> None:
    read = {part["state_topic"] for part in parts().values() if part["platform"] == "sensor"}
    assert read == set(states(TOPICS, Facts()))


moments = st.none() | st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=13))]),
)
facts = st.builds(
    Facts,
    next_session=moments,
    last_session=moments,
    minutes_this_week=st.none() | st.integers(0, 10_000),
    water_today_ml=st.none() | st.integers(0, 20_000),
    water_goal_ml=st.none() | st.integers(500, 3500),
    battery_percent=st.none() | st.integers(0, 100),
    session=st.sampled_from(SessionState),
    output_ma=st.none() | st.floats(0, 0.5),
)


@given(facts)
def test_every_state_is_one_that_its_sensor_takes(one: Facts) -> None:
    payloads = states(TOPICS, one)
    for part in parts().values():
        if part["platform"] != "sensor":
            continue
        text = payloads[part["state_topic"]].decode()
        match part["device_class"]:
            case "timestamp":
                assert text == "None" or datetime.fromisoformat(text).utcoffset() == timedelta(0)
            case "enum":
                assert text in part["options"]
            case _:
                assert text == "None" or float(text) >= 0


def test_what_is_not_known_and_what_a_device_does_not_report_is_said_to_be_unknown() -> None:
    payloads = states(TOPICS, Facts())
    assert payloads.pop(TOPICS.state("session")) == b"no session"
    assert set(payloads.values()) == {b"None"}
    assert reported(Facts()) == frozenset()
    assert reported(Facts(battery_percent=0, output_ma=0.0)) == {"battery", "output"}


def test_a_moment_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        states(TOPICS, Facts(next_session=datetime(2026, 3, 4)))  # noqa: DTZ001 - that is the point


def test_the_facts_have_no_room_for_words_of_anybody() -> None:
    """Nothing of the screening, the skin, notes, photos or names fits into numbers, moments and named states."""

    def leaves(hint: Any) -> set[Any]:
        if get_origin(hint) in {Union, types.UnionType}:
            return {leaf for one in get_args(hint) for leaf in leaves(one)}
        return {hint}

    found = {leaf for hint in get_type_hints(Facts).values() for leaf in leaves(hint)}
    assert found == {datetime, int, float, bool, type(None), SessionState}
    assert issubclass(SessionState, StrEnum)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Facts().session = SessionState.READY  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(Facts(), "note", "private")


def test_the_facts_of_a_session_come_from_its_view_and_go_with_it() -> None:
    view = view_of(full_face(), "left-cheekbone", battery_percent=62, delivered_ua=123.4)
    during = Facts(water_today_ml=400).during(view)
    assert during == Facts(
        water_today_ml=400, session=SessionState.TREATING, battery_percent=62, output_ma=pytest.approx(0.1234)
    )
    assert states(TOPICS, during)[TOPICS.state("output")] == b"0.123"
    assert during.during(None) == Facts(water_today_ml=400)
    unreported = Facts().during(replace(view, battery_percent=None, delivered_ua=None))
    assert reported(unreported) == frozenset()


def test_every_phase_of_a_session_has_a_name_in_home_assistant() -> None:
    view = view_of(full_face(), "left-cheekbone")
    told = [Facts().during(replace(view, phase=phase)).session for phase in Phase]
    assert len(set(told)) == len(Phase) == len(SessionState) - 1
    assert SessionState.NONE not in told


def test_a_reminder_is_an_event_of_the_announced_type() -> None:
    told = json.loads(reminder(200))
    assert told["event_type"] in parts()["water_reminder"]["event_types"]
    assert told["text"] == "200 millilitres of water, if you like."


def test_there_are_no_topics_without_a_device_id() -> None:
    with pytest.raises(ValueError, match="no device id"):
        Topics(MqttSettings())
