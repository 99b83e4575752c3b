"""The fixtures that need no event loop: the device, the transcript, golden files, the replay.

What a user's project is meant to override stands here alone: ``simulated_device`` and ``protocol_registry``.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from rig.pytest_plugin.bench import Bench, bench_of
from rig.pytest_plugin.golden_files import Golden
from rig.pytest_plugin.replaying import Replay

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.devices.model import SimulatedDevice
    from rig.replay.exchanges import Transcript


def _bench(request: pytest.FixtureRequest) -> Bench:
    bench = bench_of(request.node)
    if bench.registry is None:
        bench.registry = request.getfixturevalue("protocol_registry")
    return bench


@pytest.fixture
def protocol_registry() -> Registry | None:
    """The protocols there are; override it to hand in your own (None: the built-in and the installed ones)."""
    return None


@pytest.fixture
def simulated_device() -> SimulatedDevice:
    """Your device, not on a radio yet: override it with a fixture that returns one, or what makes one."""
    pytest.fail(
        'this test has no device: mark it with @pytest.mark.rig_device("dr05"), or write a fixture simulated_device '
        "that returns a SimulatedDevice (rig.testing.ScriptedDevice is one)",
        pytrace=False,
    )


@pytest.fixture
def _rig_device(request: pytest.FixtureRequest) -> SimulatedDevice | None:
    """The simulated device of the test, None where a transcript plays its part.

    A fixture without a loop, so that an async ``simulated_device`` of a user's is awaited by pytest-asyncio.
    """
    bench = _bench(request)
    return None if bench.replays else _device_of(request, bench)


def _device_of(request: pytest.FixtureRequest, bench: Bench) -> SimulatedDevice:
    from rig.devices.catalogue import create  # noqa: PLC0415 - a test without a device needs none
    from rig.devices.model import SimulatedDevice  # noqa: PLC0415

    marker = bench.item.get_closest_marker("rig_device")
    made: object
    if marker is None:
        made = request.getfixturevalue("simulated_device")
    elif len(marker.args) != 1 or not isinstance(marker.args[0], str) or set(marker.kwargs) - {"seed"}:
        # A class or a function cannot be given to a marker: pytest takes it for what is to be marked.
        bench.fail('rig_device takes the name of a device, as `rig devices` lists them: rig_device("dr05", seed=1)')
    else:
        try:
            made = create(marker.args[0], marker.kwargs.get("seed", 0))
        except ValueError as error:
            bench.fail(f"rig_device: {error}")
    if callable(made) and not isinstance(made, SimulatedDevice):
        made = made()
    if not isinstance(made, SimulatedDevice):
        bench.fail(f"a simulated device is needed (rig.devices.model.SimulatedDevice), not {made!r}")
    return made


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> Transcript:
    """The transcript that belongs to the test: of its marker ``rig_capture``, else of its id."""
    return _bench(request).transcript()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares text, lines or bytes with a file beside the test: ``golden(value)``; ``--rig-update`` writes it."""
    return Golden(bench_of(request.node))


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Replay:
    """Plays the test's transcript: ``as_decoder()``, ``await as_peripheral()``, ``await as_central(device)``."""
    bench = _bench(request)
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        bench.radio = request.getfixturevalue("virtual_radio")
    return Replay(bench)
