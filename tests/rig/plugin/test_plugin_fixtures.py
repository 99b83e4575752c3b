"""Fixtures of the pytest plugin: a device, a client on it, a radio, and a clock on which waiting takes no time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.rig.plugin.projects import Project, said

pytest_plugins = ["pytester"]

MESSAGES = {
    "nothing": ("", "this test has no device: mark it with @pytest.mark.rig_device"),
    "an unknown name": (
        '@pytest.mark.rig_device("toaster")',
        "there is no simulated device 'toaster'; there are: dr05",
    ),
    "no name": ("@pytest.mark.rig_device()", "rig_device takes the name of a device"),
    "a class": ("@pytest.mark.rig_device(dict, seed=1)", "rig_device takes the name of a device"),
    "an unknown option": ('@pytest.mark.rig_device("dr05", sed=3)', "rig_device takes the name of a device"),
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_a_client_talks_to_the_projects_own_device_in_virtual_time(pytester: pytest.Pytester, mode: str) -> None:
    project = Project(pytester, mode=mode)
    project.tests("""
@pytest.mark.asyncio
async def test_asks(bleak_client, virtual_device, virtual_clock):
    assert await ask(bleak_client, b"on?") == b"ON?"
    assert [seen.data for seen in virtual_device.writes] == [b"on?"]
    assert 30 < virtual_clock.time() < 31

@pytest.mark.asyncio
async def test_begins_anew(virtual_device, virtual_clock):
    assert virtual_device.writes == []
    assert virtual_clock.time() == 0 and virtual_clock is asyncio.get_running_loop()
""")
    project.run().assert_outcomes(passed=2)


def test_the_radio_is_bleaks_own_while_the_test_runs_and_no_longer(project: Project) -> None:
    project.tests("""
import bleak
before = bleak.get_platform_client_backend_type

async def test_scans(virtual_radio, virtual_device):
    device = await BleakScanner.find_device_by_name("Lamp")
    async with BleakClient(device) as client:
        assert await ask(client, b"a") == b"A"
        virtual_radio.peripherals[0].vanish()
        await asyncio.sleep(1)
        assert not client.is_connected

def test_afterwards():
    assert bleak.get_platform_client_backend_type is before
""")
    project.run().assert_outcomes(passed=2)


def test_a_marker_names_a_device_of_the_rigs_own(project: Project) -> None:
    project.tests("""
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo

@pytest.mark.rig_device("dr05", seed=3)
async def test_one(bleak_client, virtual_device):
    assert bleak_client.is_connected and isinstance(virtual_device, SimulatedDr05)

@pytest.mark.rig_device("foreo")
async def test_other(bleak_client, virtual_device):
    assert bleak_client.is_connected and isinstance(virtual_device, SimulatedForeo)
""")
    project.run().assert_outcomes(passed=2)


def test_what_is_no_device_is_refused(project: Project) -> None:
    project.tests("""
@pytest.fixture
def simulated_device():
    return "a lamp"

async def test_it(bleak_client):
    pass
""")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "a simulated device is needed (rig.devices.model.SimulatedDevice), not 'a lamp'" in said(result)


@pytest.mark.parametrize(("marker", "message"), MESSAGES.values(), ids=MESSAGES)
def test_a_test_without_a_device_is_told_how_to_get_one(project: Project, marker: str, message: str) -> None:
    project.write("conftest.py", "")
    project.tests(f"{marker}\nasync def test_it(bleak_client):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert message in said(result)
    assert "Traceback" not in said(result)


def test_the_device_may_come_from_an_async_fixture_or_be_what_makes_one(project: Project) -> None:
    project.tests("""
from rig.testing import ScriptedDevice

def torch():
    device = ScriptedDevice("Torch")
    device.characteristic("ffe1", "read", service="ffe0", value=b"lit")
    return device

@pytest.fixture
async def simulated_device():
    await asyncio.sleep(1)
    return torch

async def test_it(bleak_client):
    assert await bleak_client.read_gatt_char("ffe1") == b"lit"
""")
    project.run().assert_outcomes(passed=1)


def test_without_the_clock_a_test_runs_on_the_loop_it_always_had(project: Project) -> None:
    project.tests(
        """
import asyncio
import pytest
from rig.clock import VirtualTimeLoop

async def test_real(request):
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    assert request.node.name == "test_real"

async def test_virtual(virtual_clock, request):
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    assert request.node.name == "test_virtual"

@pytest.mark.parametrize("number", [1, 2])
async def test_both(virtual_clock, number, request):
    assert request.node.name == f"test_both[{number}]"

async def test_real_again():
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
""",
        head="",
    )
    project.run().assert_outcomes(passed=5)


def test_a_project_that_chooses_its_loops_keeps_them_where_no_virtual_one_is_asked_for(project: Project) -> None:
    project.write(
        "conftest.py",
        """
import asyncio
from rig.clock import ScaledLoop

def pytest_asyncio_loop_factories(config, item):
    return {"fast": lambda: ScaledLoop(1000)}
""",
    )
    project.tests(
        """
import asyncio

async def test_own():
    assert asyncio.get_running_loop().factor == 1000

async def test_virtual(virtual_clock):
    assert asyncio.get_running_loop() is virtual_clock
    assert virtual_clock.time() == 0

async def test_own_again():
    assert asyncio.get_running_loop().factor == 1000
""",
        head="",
    )
    project.run().assert_outcomes(passed=3)


def test_a_test_that_is_not_async_may_be_in_a_module_that_uses_the_clock_and_cannot_ask_for_it(
    project: Project,
) -> None:
    project.tests("""
def test_of_the_module():
    pass

def test_asks(virtual_clock):
    pass
""")
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    assert "virtual_clock is for async tests: make this one async" in said(result)


def test_a_loop_that_several_tests_share_cannot_be_virtual(project: Project) -> None:
    project.tests("""
@pytest.mark.asyncio(loop_scope="module")
async def test_shares():
    pass
""")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "virtual_clock gives each test a loop of its own: it cannot be on the module's" in said(result)


def test_chosen_factories_and_the_clock_do_not_go_together(project: Project) -> None:
    project.write(
        "conftest.py",
        "import asyncio\ndef pytest_asyncio_loop_factories():\n    return {'a': asyncio.new_event_loop}\n",
    )
    project.tests("""
@pytest.mark.asyncio(loop_factories=["a"])
async def test_chooses():
    pass
""")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert "take loop_factories out of the asyncio marker" in said(result)


def test_a_radio_on_another_loop_than_its_test_is_refused_with_what_to_do(project: Project) -> None:
    project.tests(
        """
import pytest

@pytest.mark.asyncio(loop_scope="session")
async def test_it(virtual_radio):
    pass
""",
        head="",
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    assert 'set asyncio_default_test_loop_scope = "session"' in said(result)


def test_the_radio_follows_the_loop_scope_of_the_project(pytester: pytest.Pytester) -> None:
    project = Project(pytester, more="asyncio_default_test_loop_scope = session")
    project.tests(
        """
import asyncio
loops = set()

async def test_one(bleak_client):
    loops.add(asyncio.get_running_loop())
    assert bleak_client.is_connected

async def test_two(bleak_client):
    loops.add(asyncio.get_running_loop())
    assert bleak_client.is_connected and len(loops) == 1
""",
        head="",
    )
    project.run().assert_outcomes(passed=2)


@pytest.mark.parametrize("fixture", ["virtual_clock", "virtual_radio", "virtual_device", "bleak_client"])
def test_without_pytest_asyncio_the_fixtures_say_what_is_missing(pytester: pytest.Pytester, fixture: str) -> None:
    pytester.makepyfile(f"def test_it({fixture}):\n    pass\n\ndef test_plain(golden):\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    assert f"{fixture} needs an event loop: install pytest-asyncio" in said(result)


def test_a_projects_own_fixtures_of_the_same_names_win(project: Project) -> None:
    project.tests(
        """
import pytest

@pytest.fixture
def golden():
    return 1

@pytest.fixture
def replay():
    return 2

@pytest.fixture
def bleak_client():
    return 3

def test_it(golden, replay, bleak_client):
    assert (golden, replay, bleak_client) == (1, 2, 3)
""",
        head="",
    )
    project.run().assert_outcomes(passed=1)


def test_a_test_that_asks_for_nothing_loads_nothing_and_the_project_gets_no_new_files(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
import sys

def test_it(request):
    heavy = {"bleak", "bumble", "numpy", "msgspec", "rig.clock", "rig.radio.link", "rig.replay.peripheral"}
    assert heavy & set(sys.modules) == set()
    assert "rig.pytest_plugin" in sys.modules
    assert request.fixturenames == ["request"] or "event_loop_policy" in request.fixturenames
""")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--strict-markers")
    result.assert_outcomes(passed=1)
    assert "rig =" not in result.stdout.str()
    assert not (pytester.path / "transcripts").exists()
    assert not (pytester.path / "golden").exists()


def test_the_plugin_imports_next_to_nothing() -> None:
    code = (
        "import sys, pytest, pytest_asyncio, difflib; before = set(sys.modules); import rig.pytest_plugin; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('rig')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_help_and_markers_say_what_there_is(project: Project) -> None:
    shown = said(project.run("--help"))
    assert "--rig-record record the missing transcripts of tests that are marked with rig_transcript" in shown
    assert "--rig-update write golden files as they are now, and record the transcripts of rig_transcript anew" in shown
    markers = said(project.run("--markers"))
    for name in ("rig_device(", "rig_capture(", "rig_transcript(", "rig_faults("):
        assert f"@pytest.mark.{name}" in markers
