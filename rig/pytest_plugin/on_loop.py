"""The fixtures that live on the test's event loop, which pytest-asyncio runs; without it, fixtures that say so.

They are made when pytest is configured, because on which loop a fixture runs has to be said where it is made: on the
same one as the tests. Imports bleak and Bumble when a test asks for them, not before.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from rig.pytest_plugin.bench import bench_of
from rig.pytest_plugin.loops import loop_scope_of, why_not_virtual

if TYPE_CHECKING:
    from bleak import BleakClient

    from rig.devices.model import SimulatedDevice
    from rig.radio.link import VirtualRadio

NAMES = ("virtual_clock", "virtual_radio", "virtual_device", "bleak_client")


async def virtual_clock(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoop:
    """The test runs in virtual time: waiting takes none. The loop itself, whose time() is in seconds from 0."""
    from rig.clock import VirtualTimeLoop  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return loop
    if request.node.get_closest_marker("asyncio") is not None:
        pytest.fail(why_not_virtual(request.node, request.config), pytrace=False)
    if "virtual_clock" in inspect.signature(request.function).parameters:
        pytest.fail("virtual_clock is for async tests: make this one async", pytrace=False)
    return loop  # of a test that is not async, in a module or class that uses the fixture


async def virtual_radio(request: pytest.FixtureRequest) -> AsyncIterator[VirtualRadio]:
    """A VirtualRadio on the test's loop, which is bleak's radio meanwhile."""
    from rig.radio.link import VirtualRadio  # noqa: PLC0415 - it brings bleak and Bumble
    from rig.testing import use_radio  # noqa: PLC0415

    _same_loop(request)
    bench = bench_of(request.node)
    bench.loop = asyncio.get_running_loop()
    async with VirtualRadio() as radio:
        bench.radio = radio
        with use_radio(radio):
            yield radio


def _same_loop(request: pytest.FixtureRequest) -> None:
    tests, fixtures = loop_scope_of(request.node, request.config), _default_scope(request.config)
    if request.node.get_closest_marker("asyncio") is not None and tests != fixtures:
        pytest.fail(
            f"this test is on the {tests}'s loop and its radio would be on the {fixtures}'s: take loop_scope out, or "
            f'set asyncio_default_test_loop_scope = "{tests}"',
            pytrace=False,
        )


async def virtual_device(
    request: pytest.FixtureRequest,
    virtual_radio: VirtualRadio,
    _rig_device: SimulatedDevice | None,
) -> AsyncIterator[SimulatedDevice]:
    """The test's device on its radio: marked with ``rig_device``, the fixture ``simulated_device``, or a transcript."""
    from rig.pytest_plugin.radio import put_on_radio, record, replayed  # noqa: PLC0415 - it brings bleak and Bumble

    bench = bench_of(request.node)
    bench.radio = virtual_radio  # a user's own fixture of that name, too
    bench.loop = asyncio.get_running_loop()
    device = replayed(bench) if _rig_device is None else _rig_device
    with ExitStack() as at_end:
        if bench.is_recording:
            at_end.callback(record(bench).close)
            bench.recorded_used = True
        await put_on_radio(bench, device)
        yield device


async def bleak_client(
    request: pytest.FixtureRequest, virtual_radio: VirtualRadio, virtual_device: SimulatedDevice
) -> AsyncIterator[BleakClient]:
    """A BleakClient that is connected to the test's device."""
    from bleak import BleakClient, BleakScanner  # noqa: PLC0415

    peripheral = bench_of(request.node).peripheral or virtual_radio.peripherals[-1]
    found = await BleakScanner.find_device_by_address(peripheral.address)
    if found is None:
        pytest.fail(
            f"the device {virtual_device.advertisement.name} is not heard: it does not advertise", pytrace=False
        )
    client = BleakClient(found)
    await client.connect()
    yield client
    if client.is_connected:
        await client.disconnect()


def _default_scope(config: pytest.Config) -> str:
    return str(config.getini("asyncio_default_test_loop_scope"))


def fixtures_on_loop(config: pytest.Config) -> ModuleType:
    """Return a plugin with the fixtures, on the loop that tests are on."""
    module = ModuleType(f"{__name__}.fixtures")
    if config.pluginmanager.hasplugin("asyncio"):
        import pytest_asyncio  # noqa: PLC0415 - it is there, and loaded already

        in_scope = pytest_asyncio.fixture(loop_scope=_default_scope(config))  # type: ignore[call-overload]
        for function in (virtual_clock, virtual_radio, virtual_device, bleak_client):
            setattr(module, function.__name__, in_scope(_copy(function)))
    else:
        for name in NAMES:
            setattr(module, name, pytest.fixture(name=name)(_needs_a_loop))
    return module


def _copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a function: pytest-asyncio writes the scope on it, and there may be several sessions in one process."""
    original = cast("FunctionType", function)
    copy = FunctionType(original.__code__, original.__globals__, original.__name__)
    copy.__doc__ = original.__doc__
    copy.__annotations__ = original.__annotations__
    return copy


def _needs_a_loop(request: pytest.FixtureRequest) -> NoReturn:
    """Stand in where nothing runs async tests."""
    pytest.fail(f"{request.fixturename} needs an event loop: install pytest-asyncio", pytrace=False)
