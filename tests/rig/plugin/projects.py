"""Somebody else's project, in a folder of its own: a lamp, its app, and whatever tests are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

# Whatever a run in this process would import first would be gone after it, and be imported again by the next.
import rig.capture.reading
import rig.capture.writer
import rig.devices.dr05
import rig.devices.foreo
import rig.pytest_plugin.radio
import rig.radio.fault_plan
import rig.radio.link
import rig.replay.central
import rig.replay.decoder
import rig.replay.from_capture
import rig.report.text
import rig.testing  # noqa: F401

INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider -W error
asyncio_mode = {mode}
asyncio_default_fixture_loop_scope = function
{more}
"""

CONFTEST = """
import pytest
from rig.testing import ScriptedDevice

@pytest.fixture
def simulated_device():
    lamp = ScriptedDevice("Lamp")
    lamp.characteristic("ffe1", "read write notify", service="ffe0")
    lamp.on_write("ffe1", lambda data: lamp.notify("ffe1", data.upper(), after=30.0))
    return lamp
"""

APP = """
import asyncio

async def ask(client, question):
    answer = asyncio.get_running_loop().create_future()
    await client.start_notify("ffe1", lambda _, data: answer.done() or answer.set_result(bytes(data)))
    await client.write_gatt_char("ffe1", question, response=True)
    return await asyncio.wait_for(answer, 60)
"""

HEAD = """
import asyncio
import pytest
from bleak import BleakClient, BleakScanner
from app import ask

pytestmark = pytest.mark.usefixtures("virtual_clock")
lamp_talk = pytest.mark.rig_capture("lamp.jsonl")
"""

TRANSCRIPT = """\
{"transcript": 1, "title": "Lamp", "name": "Lamp", "advertised_services": ["ffe0"], "mtu": 247}
{"service": "ffe0", "characteristics": [{"uuid": "ffe1", "properties": "read write notify"}]}
{"at": 0.000000, "by": "app", "does": "connect"}
{"at": 0.000000, "by": "app", "does": "subscribe", "to": "ffe0/ffe1", "answered": 0.000000}
{"at": 0.000000, "by": "app", "does": "write", "to": "ffe0/ffe1", "value": "6f6e3f", "answered": 0.000000}
{"at": 30.000000, "by": "device", "does": "notification", "to": "ffe0/ffe1", "value": "4f4e3f"}
{"at": 30.000000, "by": "app", "does": "read", "to": "ffe0/ffe1", "value": "4f4e3f", "answered": 0.000000}
"""
"""The app asks ``on?``, is told ``ON?`` 30 s later, and reads it once more."""

AS_RECORDED = """
    assert await ask(bleak_client, b"on?") == b"ON?"
    assert await bleak_client.read_gatt_char("ffe1") == b"ON?"
"""


class Project:
    """One project."""

    def __init__(self, pytester: pytest.Pytester, *, mode: str = "auto", more: str = "") -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        pytester.makeini(INI.format(mode=mode, more=more))
        pytester.makeconftest(CONFTEST)
        self.write("app.py", APP)
        self.write("lamp.jsonl", TRANSCRIPT)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        return path

    def tests(self, text: str, name: str = "test_lamp", head: str = HEAD) -> None:
        """Make a test file, with the app and the marks that nearly all want."""
        self.write(f"{name}.py", head + text)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest there, in this process."""
        return self.pytester.runpytest_inprocess("-ra", *arguments)

    def run_alone(self, *arguments: str) -> pytest.RunResult:
        """Run pytest there, in a process of its own."""
        return self.pytester.runpytest_subprocess("-ra", *arguments)

    def files(self) -> list[str]:
        """What the plugin has made."""
        found = [*self.path.glob("transcripts/**/*.*"), *self.path.glob("golden/**/*.*")]
        return sorted(path.relative_to(self.path).as_posix() for path in found)


def said(result: pytest.RunResult) -> str:
    """What pytest printed, its line breaks inside sentences undone."""
    return " ".join(result.stdout.str().split())
