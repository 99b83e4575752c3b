"""``rig replay`` with real hardware: the recorded app to a real device, and the recorded device on a real controller.

Knows what the person is told meanwhile, and what Ctrl+C does. Refuses to know which options led here.
"""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from rig.commands.faults import NoAdapterError, RigError, UsageError
from rig.replay.outcome import Outcome

if TYPE_CHECKING:
    from rig.record import Radio
    from rig.replay.exchanges import Transcript
    from rig.replay.job import Job

T = TypeVar("T")


class Seen(NamedTuple):
    """What came of a replay, to its end or to where it was interrupted."""

    outcome: Outcome
    interrupted: bool = False


def until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work``, which Ctrl+C cancels, as often as it is pressed.

    asyncio's own handler would take the second for a wish to leave at once, while a device is being stopped.

    Raises:
        KeyboardInterrupt: it was cancelled before there was anything to tell.
    """

    async def main() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)

        def interrupt(_number: int, _frame: object) -> None:
            loop.call_soon_threadsafe(task.cancel)

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            return await task
        finally:
            signal.signal(signal.SIGINT, before)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def to_device(transcript: Transcript, address: str, job: Job, *, radio: Radio | None = None) -> Seen:
    """Play the recorded app to the real device at ``address``. The person's consent was given.

    Args:
        transcript: the recording.
        address: as bleak has it on this system.
        job: how to play it.
        radio: where to look and connect; None: with the system's Bluetooth.

    Raises:
        RigError: Bluetooth cannot be used, or no guard is installed that would hold the link.
    """
    from bleak.exc import BleakBluetoothNotAvailableError, BleakError  # noqa: PLC0415 - for real devices alone

    from rig.guards import NoGuardError, NothingToHold, installed  # noqa: PLC0415 - as above
    from rig.replay.central import Rules, replay_on_device  # noqa: PLC0415 - as above

    rules = Rules(order=job.order, tolerance_s=job.tolerance_s, patience_s=job.patience_s, gaps=job.gaps)
    so_far: list[Outcome] = []
    try:
        # The links of a radio in this process end with it; those of the system's Bluetooth may not (H4).
        guard = installed() if radio is None else NothingToHold
    except NoGuardError as error:
        raise RigError(f"no guard, no output: {error}") from error
    print(f"looking for {address}; Ctrl+C stops the device, and says what was seen", flush=True)
    try:
        outcome = await replay_on_device(
            transcript,
            address,
            rules,
            consent=True,
            scanner_backend=radio.scanner_backend if radio is not None else None,
            client_backend=radio.client_backend if radio is not None else None,
            guard=guard,
            interrupted=so_far.append,
        )
    except asyncio.CancelledError:
        if not so_far:
            raise
        return Seen(so_far[0], interrupted=True)
    except BleakBluetoothNotAvailableError as error:
        raise RigError(f"Bluetooth is not available: {error.args[0]}; switch it on, or plug an adapter in") from error
    except (BleakError, OSError) as error:
        # Where there is no D-Bus socket, bleak lets the bare OSError of its connect through.
        no_bus = isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.EACCES}
        why = "the system's message bus (D-Bus) cannot be reached" if no_bus else str(error) or type(error).__name__
        raise RigError(
            f"Bluetooth cannot be used: {why}; check that its service runs and that you may use it"
        ) from error
    return Seen(outcome)


async def on_air(
    transcript: Transcript,
    transport: str,
    address: str | None,
    job: Job,
    *,
    tell: Callable[[str], None] = lambda line: print(line, flush=True),
) -> Seen:
    """Play the recorded device on the controller behind ``transport``, to whatever app connects.

    Args:
        transcript: the recording.
        transport: as Bumble names it.
        address: the random static address to use; None: a random one.
        job: how to play it.
        tell: told what the person waits for.

    Raises:
        UsageError: there is no such transport.
        NoAdapterError: it cannot be opened, no controller answers on it, or it has gone.
    """
    from rig.radio.transports import TransportNameError, named, why  # noqa: PLC0415 - for controllers alone
    from rig.replay.peripheral import TranscriptDevice, serve_as_peripheral  # noqa: PLC0415 - as above

    try:
        named(transport)
    except TransportNameError as error:
        raise UsageError(f"--transport: {error}; see `rig replay --help`") from error
    device = TranscriptDevice(transcript, order=job.order, speed=job.speed, gaps=job.gaps, tolerance_s=job.tolerance_s)
    told: list[str] = []
    if device.display is not None:
        device.display.on_show = lambda number: tell(f"pairing: the code is {number:06d}; compare it with the app's")

    def advertising(at: str) -> None:
        told.append(at)
        name = transcript.name or "the recorded device, which has no name,"
        quoted = repr(name) if transcript.name else name
        tell(f"{quoted} advertises as {at}: connect the app to it; Ctrl+C ends it, and says what was seen")

    try:
        outcome = await serve_as_peripheral(
            device, transport, address=address, patience_s=job.patience_s, advertising=advertising
        )
    except asyncio.CancelledError:
        if not told:
            raise
        return Seen(device.outcome(asyncio.get_running_loop().time()), interrupted=True)
    except Exception as error:
        if told and not isinstance(error, ConnectionError):
            raise
        # each kind of transport raises what its own library raises (libusb, pyserial, gRPC …)
        raise NoAdapterError(
            f"{transport}: {why(transport, error)}; `rig doctor --transport {transport}` says what to do"
        ) from error
    return Seen(outcome)
