"""``rig.testing`` lets anybody test a bleak program as it stands, and says what is wrong with a description."""

from __future__ import annotations

import asyncio
import runpy
import subprocess
import sys
from pathlib import Path

import bleak
import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError

from protocols.gatt import uuid
from rig.testing import AttError, ScriptedDevice, WriteSeen, run, virtual_radio
from tests.rig.radio_world import now

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "test_a_lamp.py"
PAGE = Path(__file__).parents[2] / "docs" / "testing-bleak-programs.md"


def test_the_example_runs_as_a_program_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PAGE.parents[1],
        env={"PYTHONPATH": str(PAGE.parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_fails_when_the_lamp_answers_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedDevice, "on_write", lambda *_: None)
    with pytest.raises(TimeoutError):
        runpy.run_path(str(EXAMPLE))["test_the_lamp_answers"]()


def test_the_page_shows_the_example_as_it_is() -> None:
    code = EXAMPLE.read_text(encoding="utf-8").split('"""', 2)[2].strip()
    assert code in PAGE.read_text(encoding="utf-8")


def test_a_program_that_names_no_backend_uses_the_radio_and_afterwards_no_more() -> None:
    before = (bleak.get_platform_scanner_backend_type, bleak.get_platform_client_backend_type)

    async def main() -> None:
        async with virtual_radio(ScriptedDevice("A", service_uuids=("1234",)), ScriptedDevice("B", service_uuids=())):
            found = await BleakScanner.discover(1)
            assert sorted(device.name or "" for device in found) == ["A", "B"]
            async with BleakClient(found[0].address) as client:
                assert client.backend_id == "virtual radio"

    run(main())
    assert (bleak.get_platform_scanner_backend_type, bleak.get_platform_client_backend_type) == before


def test_reads_writes_and_what_was_seen() -> None:
    async def main() -> None:
        device = ScriptedDevice("Thing", service_uuids=())
        device.characteristic("2a19", "read write", service="180f", value=b"\x64")
        level = iter((b"\x01", b"\x02"))
        device.characteristic("2a1a", "read", service="180f")
        device.on_read("2a1a", lambda: next(level))
        async with virtual_radio(device):
            found = await BleakScanner.find_device_by_name("Thing")
            assert found is not None
            async with BleakClient(found) as client:
                assert await client.read_gatt_char("2a19") == b"\x64"
                await client.write_gatt_char("2a19", b"\x32", response=True)
                assert await client.read_gatt_char("2a19") == b"\x32"
                assert [await client.read_gatt_char("2a1a") for _ in range(2)] == [b"\x01", b"\x02"]
                assert device.writes == [WriteSeen(now(), uuid("2a19"), b"\x32")]

    run(main())


def test_a_handler_refuses_with_an_att_error_and_the_value_stays() -> None:
    def refuse(_data: bytes) -> None:
        raise AttError(0x81)

    async def main() -> None:
        device = ScriptedDevice("Thing", service_uuids=())
        device.characteristic("2a19", "read write", service="180f", value=b"\x64")
        device.on_write("2a19", refuse)
        async with virtual_radio(device):
            found = await BleakScanner.find_device_by_name("Thing")
            assert found is not None
            async with BleakClient(found) as client:
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_char("2a19", b"\x00", response=True)
                assert refused.value.code == 0x81
                assert await client.read_gatt_char("2a19") == b"\x64"

    run(main())


def test_a_test_can_make_the_device_speak_and_hang_up_at_any_time() -> None:
    async def main() -> None:
        device = ScriptedDevice("Thing", service_uuids=())
        device.characteristic("2a19", "notify", service="180f")
        async with virtual_radio(device):
            found = await BleakScanner.find_device_by_name("Thing")
            assert found is not None
            heard: list[tuple[bytes, float]] = []
            async with BleakClient(found) as client:
                await client.start_notify("2a19", lambda _, data: heard.append((bytes(data), now())))
                begun = now()
                device.notify("2a19", b"later", after=2.0)
                device.notify("2a19", b"now")
                device.hang_up(after=3.0)
                await asyncio.sleep(2.5)
                assert heard == [(b"now", begun), (b"later", begun + 2.0)]
                assert client.is_connected
                await asyncio.sleep(1)
                assert not client.is_connected
                with pytest.raises(BleakError):
                    await client.read_gatt_char("2a19")

    run(main())


def test_what_a_read_handler_schedules_is_sent() -> None:
    async def main() -> None:
        device = ScriptedDevice("Thing", service_uuids=())
        device.characteristic("2a19", "read notify", service="180f")

        def on_read() -> bytes:
            device.notify("2a19", b"somebody read me", after=0.5)
            return b"x"

        device.on_read("2a19", on_read)
        async with virtual_radio(device):
            found = await BleakScanner.find_device_by_name("Thing")
            assert found is not None
            heard: list[bytes] = []
            async with BleakClient(found) as client:
                await client.start_notify("2a19", lambda _, data: heard.append(bytes(data)))
                await client.read_gatt_char("2a19")
                await asyncio.sleep(1)
                assert heard == [b"somebody read me"]

    run(main())


def test_mistakes_in_a_description_are_told() -> None:
    device = ScriptedDevice("Thing")
    with pytest.raises(ValueError, match="unknown property in 'read wriet': use read, write-without-response, write"):
        device.characteristic("2a19", "read wriet", service="180f")
    device.characteristic("2a19", "read", service="180f")
    with pytest.raises(ValueError, match="already"):
        device.characteristic("2A19", "read", service="180f")
    with pytest.raises(ValueError, match="Thing has no characteristic 2a1a"):
        device.notify("2a1a", b"")


def test_describing_a_device_loads_neither_bleak_nor_bumble() -> None:
    code = "import sys, rig.testing; print(sorted({'bleak', 'bumble'} & {m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=PAGE.parents[1]
    )
    assert done.stdout.strip() == "[]"
