"""A bleak program (``ask``) and a test of it that needs no Bluetooth. Run it with Python or with pytest."""

import asyncio

from bleak import BleakClient, BleakScanner

from rig.testing import ScriptedDevice, run, virtual_radio


async def ask(name: str, question: bytes) -> bytes:
    device = await BleakScanner.find_device_by_name(name)
    assert device is not None
    answer = asyncio.get_running_loop().create_future()
    async with BleakClient(device) as client:
        await client.start_notify("ffe1", lambda _, data: answer.set_result(bytes(data)))
        await client.write_gatt_char("ffe1", question, response=True)
        return await asyncio.wait_for(answer, timeout=60)


async def lamp_answers() -> None:
    lamp = ScriptedDevice("Lamp")
    lamp.characteristic("ffe1", "write notify", service="ffe0")
    lamp.on_write("ffe1", lambda data: lamp.notify("ffe1", data.upper(), after=30.0))
    async with virtual_radio(lamp):
        assert await ask("Lamp", b"on?") == b"ON?"


def test_the_lamp_answers() -> None:
    run(lamp_answers())  # thirty seconds of the lamp's time, in a blink


if __name__ == "__main__":
    test_the_lamp_answers()
