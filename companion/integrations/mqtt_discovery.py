"""What Home Assistant is told: the facts that may leave the app, and the messages that carry them.

Everything that is ever published is made here, from :class:`Facts` alone: numbers, moments and one of a few states.
There is no room in it for an answer of the screening, a note, a name or a picture. Pure; knows no network. The rules:
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and the pages of sensor, button and event there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from companion.integrations.mqtt_commands import PRESS
from companion.words import mqtt as words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from companion.integrations.mqtt_settings import MqttSettings
    from companion.session.model import View

ONLINE: Final = b"online"
OFFLINE: Final = b"offline"
UNKNOWN: Final = b"None"
"""What Home Assistant takes for "not known" (homeassistant/components/mqtt/const.py, PAYLOAD_NONE)."""

REMINDER: Final = "reminder"
"""The one type of the event of a water reminder."""

_BIRTH: Final = "homeassistant/status"


class SessionState(StrEnum):
    """Where the session is, as Home Assistant shows it."""

    NONE = "no session"
    WAITING = "connecting"
    READY = "ready"
    GUIDING = "guiding"
    TREATING = "treating"
    MOVING = "moving"
    PAUSED = "paused"
    STOPPING = "stopping"
    LINK_LOST = "link lost"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that may be told. None is "not known" or, for what a device says, "not reported".

    Moments are aware. ``minutes_this_week`` are whole minutes, water is in mL, ``battery_percent`` is of the device,
    ``output_ma`` is what the device measured, in mA. Without ``day`` nothing is said of the day, neither that it is not
    known: another program tells it, perhaps another person's.
    """

    next_session: datetime | None = None
    last_session: datetime | None = None
    minutes_this_week: int | None = None
    water_today_ml: int | None = None
    water_goal_ml: int | None = None
    battery_percent: int | None = None
    session: SessionState = SessionState.NONE
    output_ma: float | None = None
    day: bool = True

    def during(self, view: View | None) -> Facts:
        """These facts, with those of the session that is shown as ``view`` (None: there is none)."""
        if view is None:
            return replace(self, session=SessionState.NONE, battery_percent=None, output_ma=None)
        delivered = None if view.delivered_ua is None else view.delivered_ua / 1000
        return replace(
            self,
            session=SessionState[view.phase.name],
            battery_percent=view.battery_percent,
            output_ma=delivered,
        )


class Topics:
    """Every topic that the link has to do with. ``device_id`` must have been drawn."""

    def __init__(self, settings: MqttSettings) -> None:
        if settings.device_id is None:
            raise ValueError("the settings have no device id yet (see with_device_id)")
        self.device_id = settings.device_id
        self._root = f"{settings.base_topic}/{self.device_id}"
        self.discovery = f"{settings.discovery_prefix}/device/{self.device_id}/config"
        self.availability = f"{self._root}/availability"
        self.stop = f"{self._root}/stop"
        self.reminder = f"{self._root}/water_reminder"
        # Nobody publishes there, and nobody reads there: the link asks for its end to hear the broker answer.
        self.question = f"{self._root}/question"
        # The prefix can be changed in Home Assistant without the topic of its birth message, and together with it.
        self.births = frozenset({_BIRTH, f"{settings.discovery_prefix}/status"})

    @property
    def read(self) -> tuple[str, ...]:
        """What the link subscribes to; there is no wildcard among it."""
        return (self.stop, self.availability, *sorted(self.births))

    @property
    def kept(self) -> tuple[str, ...]:
        """Under which topics a broker keeps what it was told, for a person to look there."""
        return (f"{self._root}/#", self.discovery)

    def state(self, key: str) -> str:
        """The topic of one fact."""
        return f"{self._root}/{key}"


_SENSORS: Final[Mapping[str, Mapping[str, Any]]] = {
    "next_session": {"name": words.NEXT_SESSION, "device_class": "timestamp"},
    "last_session": {"name": words.LAST_SESSION, "device_class": "timestamp"},
    "minutes_this_week": {
        "name": words.MINUTES_THIS_WEEK,
        "device_class": "duration",
        "unit_of_measurement": "min",
        "suggested_display_precision": 0,
    },
    "water_today": {
        "name": words.WATER_TODAY,
        "device_class": "volume",
        "unit_of_measurement": "mL",
        "suggested_display_precision": 0,
    },
    "water_goal": {
        "name": words.WATER_GOAL,
        "device_class": "volume",
        "unit_of_measurement": "mL",
        "suggested_display_precision": 0,
    },
    "session": {"name": words.SESSION, "device_class": "enum", "options": [state.value for state in SessionState]},
    "battery": {
        "name": words.BATTERY,
        "device_class": "battery",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "entity_category": "diagnostic",
    },
    # Home Assistant takes A and mA for a current, and drops a component that says µA (sensor, DEVICE_CLASS_UNITS).
    "output": {
        "name": words.OUTPUT,
        "device_class": "current",
        "unit_of_measurement": "mA",
        "suggested_display_precision": 3,
        "state_class": "measurement",
    },
}

WHERE_REPORTED: Final = frozenset({"battery", "output"})
"""Sensors that come into being with the first report of a device. What is left out is left as it is, says discovery."""


def discovery(topics: Topics, version: str, reported: frozenset[str]) -> bytes:
    """The one message from which Home Assistant makes the device with all that belongs to it.

    ``version`` is the app's; ``reported`` are those of :data:`WHERE_REPORTED` that a device has reported.
    """
    components: dict[str, dict[str, Any]] = {
        key: {
            "platform": "sensor",
            "unique_id": f"{topics.device_id}_{key}",
            "state_topic": topics.state(key),
            **sensor,
        }
        for key, sensor in _SENSORS.items()
        if key not in WHERE_REPORTED or key in reported
    }
    components["water_reminder"] = {
        "platform": "event",
        "unique_id": f"{topics.device_id}_water_reminder",
        "name": words.WATER_REMINDER,
        "state_topic": topics.reminder,
        "event_types": [REMINDER],
        "icon": "mdi:cup-water",
    }
    components["stop"] = {
        "platform": "button",
        "unique_id": f"{topics.device_id}_stop",
        "name": words.STOP,
        "command_topic": topics.stop,
        "payload_press": PRESS,
        "retain": False,
        "qos": 0,
        "icon": "mdi:stop-circle",
    }
    return msgspec.json.encode(
        {
            "device": {"identifiers": [topics.device_id], "name": words.DEVICE, "sw_version": version},
            "origin": {"name": words.DEVICE, "sw_version": version},
            "components": components,
            "availability_topic": topics.availability,
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
        }
    )


_OF_THE_SESSION: Final = frozenset({"session", "battery", "output"})


def states(topics: Topics, facts: Facts) -> dict[str, bytes]:
    """Topic and payload of every state, for retained messages.

    Raises:
        ValueError: a moment has no UTC offset.
    """
    payloads = {
        "next_session": _moment(facts.next_session),
        "last_session": _moment(facts.last_session),
        "minutes_this_week": _whole(facts.minutes_this_week),
        "water_today": _whole(facts.water_today_ml),
        "water_goal": _whole(facts.water_goal_ml),
        "session": facts.session.value.encode(),
        "battery": _whole(facts.battery_percent),
        "output": UNKNOWN if facts.output_ma is None else f"{facts.output_ma:.3f}".encode(),
    }
    return {topics.state(key): payload for key, payload in payloads.items() if facts.day or key in _OF_THE_SESSION}


def reported(facts: Facts) -> frozenset[str]:
    """Which of :data:`WHERE_REPORTED` these facts have."""
    known = {"battery": facts.battery_percent, "output": facts.output_ma}
    return frozenset(key for key, value in known.items() if value is not None)


def reminder(ml: int) -> bytes:
    """The event of a water reminder, with a text that a speaker can say."""
    return msgspec.json.encode({"event_type": REMINDER, "ml": ml, "text": words.REMINDER.format(ml=ml)})


def _moment(moment: datetime | None) -> bytes:
    if moment is None:
        return UNKNOWN
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset")
    # In UTC: which zone the person is in is nobody's business, and Home Assistant shows its own.
    return moment.astimezone(UTC).isoformat(timespec="seconds").encode()


def _whole(number: int | None) -> bytes:
    return UNKNOWN if number is None else str(number).encode()
