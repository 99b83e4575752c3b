"""`rig serve` as a process of its own: on controllers behind sockets, without one, and as the system's own adapter."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import sys
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient, BleakScanner
from bumble import hci
from bumble.transport import open_transport
from bumble.transport.common import StreamPacketSource

from protocols import omp_codec as codec
from protocols.omp_codec import Opcode, Request, Response, Result, State, Status, Telemetry
from rig.radio.bleak_backend import HciRadio
from rig.radio.host import RadioHost, close_transport
from rig.radio.pairing import Ability, Pairing
from tests.rig.rig_process import interrupt, rig, running
from tests.rig.test_hci_transport import bumbles, dongles, free_port, ours

pytestmark = pytest.mark.usefixtures("interrupts")

ADDRESS = "C0:FF:EE:00:00:01"
SAID = re.compile(r" *(?P<time>[\d.]+) s  output +(?P<percent>[\d.]+) %  (?P<cause>.+)")


class Bench:
    """What the process says, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def says(self, what: str) -> str:
        """Read on until a line has ``what``, and return it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stdout.readline()).decode().rstrip():
                self.lines.append(line)
                if what in line:
                    return line
        assert self.process.stderr is not None
        raise AssertionError((what, self.lines, (await self.process.stderr.read()).decode()))

    async def ends(self) -> tuple[int | None, str]:
        async with asyncio.timeout(20):
            out, err = await self.process.communicate()
        self.lines += out.decode().splitlines()
        return self.process.returncode, err.decode()

    @property
    def output(self) -> list[tuple[float, float, str]]:
        """Every change of the output that it told: time, percent, cause."""
        found = filter(None, map(SAID.fullmatch, self.lines))
        return [(float(one["time"]), float(one["percent"]), one["cause"]) for one in found]


@contextlib.asynccontextmanager
async def served(*arguments: str) -> AsyncIterator[Bench]:
    async with running("serve", "omp", "--address", ADDRESS, *arguments) as process:
        yield Bench(process)


class Reader:
    """Somebody with a telephone who reads the code from the bench's terminal."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.code = ""

    async def compare(self, number: int) -> bool:
        line = await self.bench.says("its display shows ")
        self.code = line.partition("shows ")[2][:7]
        return self.code.replace(" ", "") == f"{number:06}"

    async def enter(self) -> int | None:
        raise AssertionError("nobody types")

    def show(self, number: int) -> None:
        raise AssertionError("nobody shows")

    def passkey(self) -> int:
        raise AssertionError("nobody shows")


@pytest.mark.slow
@pytest.mark.parametrize("controllers", [ours, bumbles], ids=["legacy advertising", "extended advertising"])
async def test_a_session_over_two_controllers_paired_by_the_code_that_the_bench_prints(controllers: type) -> None:
    async with dongles(2, controllers()) as (for_device, for_program), served("--transport", for_device) as bench:
        assert await bench.says("advertises") == f"'OMP' advertises as {ADDRESS}; Ctrl+C ends it"
        async with await HciRadio.open(for_program, address="C0:FF:EE:00:00:02") as radio, asyncio.timeout(30):
            reader = Reader(bench)
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, reader)
            found = await BleakScanner.find_device_by_name("OMP", backend=radio.scanner_backend)
            assert found is not None
            assert found.address == ADDRESS
            answers: asyncio.Queue[Response] = asyncio.Queue()
            states: list[Status] = []
            highest = 0
            flowing = asyncio.Event()

            def measured(_: object, data: bytearray) -> None:
                nonlocal highest
                highest = max(highest, Telemetry.decode(bytes(data)).delivered_ua)
                if highest >= 10:
                    flowing.set()

            async with BleakClient(found, backend=radio.client_backend) as client:
                await client.pair()
                assert re.fullmatch(r"\d{3} \d{3}", reader.code)

                async def ask(opcode: Opcode, *parameters: int) -> Result:
                    request = Request(opcode, parameters).encode()
                    await client.write_gatt_char(codec.CONTROL_POINT, request, response=True)
                    return (await answers.get()).result

                await client.start_notify(
                    codec.CONTROL_POINT, lambda _, data: answers.put_nowait(Response.decode(bytes(data)))
                )
                await client.start_notify(codec.STATUS, lambda _, data: states.append(Status.decode(bytes(data))))
                await client.start_notify(codec.TELEMETRY, measured)
                for opcode, *parameters in (
                    (Opcode.REQUEST_CONTROL, 7),
                    (Opcode.SET_TARGET, 20),
                    (Opcode.START, 60),
                    (Opcode.KEEP_ALIVE, 5000),
                ):
                    assert await ask(opcode, *parameters) is Result.SUCCESS
                await flowing.wait()
                assert await ask(Opcode.STOP) is Result.SUCCESS
                assert await bench.says("stopped")
                assert states[-1].state is State.READY
            await bench.says("disconnected")
        interrupt(bench.process)
        assert await bench.ends() == (0, "")
        assert "connected" in bench.lines
        assert max(percent for _, percent, _ in bench.output) > 0
        assert bench.output[-1][1:] == (0.0, "stopped")


@pytest.mark.slow
async def test_ctrl_c_ends_the_link_and_the_output_with_it() -> None:
    async with dongles(2) as (for_device, for_program), served("--transport", for_device) as bench:
        await bench.says("advertises")
        async with await HciRadio.open(for_program) as radio, asyncio.timeout(30):
            gone = asyncio.Event()
            client = BleakClient(
                ADDRESS, disconnected_callback=lambda _: gone.set(), backend=radio.client_backend, timeout=10
            )
            await client.connect()
            await bench.says("connected")
            interrupt(bench.process)
            await gone.wait()
            assert await bench.ends() == (0, "")


@pytest.mark.slow
async def test_a_controller_that_is_pulled_out_ends_it_with_one_line() -> None:
    async with contextlib.AsyncExitStack() as stack:
        pulled = contextlib.AsyncExitStack()
        await stack.enter_async_context(pulled)
        (transport,) = await pulled.enter_async_context(dongles(1))
        bench = await stack.enter_async_context(served("--transport", transport))
        await bench.says("advertises")
        await pulled.aclose()
        gone = f"rig: {transport}: the controller has gone; plug it in again, and start `rig serve` again\n"
        assert await bench.ends() == (5, gone)


@pytest.mark.slow
async def test_a_controller_may_connect_by_itself_and_go_again() -> None:
    port = free_port()
    place = f"127.0.0.1:{port}"
    async with served("--transport", f"tcp-server:{place}") as bench:
        await bench.says(f"waits for a controller at {place}")
        transport = None
        async with asyncio.timeout(20):
            while transport is None:  # it listens a moment after it says so
                with contextlib.suppress(ConnectionRefusedError):
                    transport = await open_transport(f"tcp-client:{place}")
        dongle = ours()(0)
        transport.source.set_packet_sink(dongle)
        dongle.set_packet_sink(transport.sink)
        await bench.says("advertises")
        await close_transport(transport)
        code, said = await bench.ends()
        assert code == 5
        assert said.startswith(f"rig: tcp-server:{place}: the controller has gone; ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transport", "why"),
    [
        ("usb:99", "(there is no such Bluetooth controller on USB|libusb finds no USB here)"),
        ("usb:ffff:ffff", "(there is no such Bluetooth controller on USB|libusb finds no USB here)"),
        ("serial:/dev/nothing-here", "there is no /dev/nothing-here"),
        ("tcp-client:127.0.0.1:1", r"nobody listens at 127\.0\.0\.1:1"),
        ("vhci:/dev/nothing-here", "there is no /dev/nothing-here"),
    ],
)
async def test_a_dongle_that_is_not_there_is_one_line_and_5(transport: str, why: str) -> None:
    done = await rig("serve", "omp", "--transport", transport)
    assert (done.code, done.out) == (5, "")
    line = f"rig: {re.escape(transport)}: {why}; `rig doctor --transport {re.escape(transport)}` says what to do\n"
    assert re.fullmatch(line, done.err)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.slow
async def test_over_vhci_the_system_gets_the_controller_and_the_device_is_on_its_air() -> None:
    """A pseudo-terminal stands where the kernel's module is, and a host of Bumble's where the kernel is."""
    import tty  # noqa: PLC0415 - not on Windows

    ours_, theirs = os.openpty()
    for end in (ours_, theirs):
        tty.setraw(end)
    async with served("--transport", f"vhci:{os.ttyname(theirs)}") as bench:
        await bench.says("advertises")
        source = StreamPacketSource()
        asked = os.read(ours_, 2)
        assert asked == b"\xff\x00"  # HCI_VENDOR_PKT, HCI_PRIMARY: make me a controller
        os.write(ours_, b"\xff\x00\x00\x00")  # it is hci0
        while select.select([theirs], [], [], 0)[0]:  # noqa: ASYNC110 - the kernel hands over one packet at a time
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours_, lambda: source.data_received(os.read(ours_, 4096)))

        class Sink:
            def on_packet(self, packet: bytes) -> None:
                os.write(ours_, packet)

        host = RadioHost()
        host.set_packet_sink(Sink())
        host.set_packet_source(source)
        heard = asyncio.Event()
        host.on("advertising_report", lambda report: heard.set() if str(report.address)[:17] == ADDRESS else None)
        async with asyncio.timeout(20):
            await host.reset()
            await host.send_sync_command(
                hci.HCI_LE_Set_Scan_Parameters_Command(
                    le_scan_type=0, le_scan_interval=96, le_scan_window=96, own_address_type=0, scanning_filter_policy=0
                )
            )
            await host.send_sync_command(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
            await heard.wait()
        interrupt(bench.process)
        assert await bench.ends() == (0, "")
        loop.remove_reader(ours_)
    os.close(ours_)
    os.close(theirs)
