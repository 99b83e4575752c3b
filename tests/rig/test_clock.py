"""Time on the virtual loop jumps, on the scaled one it hurries, and what has no place in either says so."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import math
import os
import random
import selectors
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rig.clock import (
    ScaledLoop,
    VirtualDeadlockError,
    VirtualTimeError,
    VirtualTimeLoop,
    loop_factory,
    run,
)


def _now() -> float:
    return asyncio.get_running_loop().time()


# --- virtual time -----------------------------------------------------------------------------------------------------


def test_virtual_time_starts_at_zero_and_a_day_takes_no_time() -> None:
    async def main() -> tuple[float, float]:
        before = _now()
        await asyncio.sleep(86_400)
        return before, _now()

    wall = time.perf_counter()
    assert run(main()) == (0.0, 86_400.0)
    assert time.perf_counter() - wall < 5


def test_a_timer_runs_at_exactly_the_time_it_was_set_for() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        seen: list[float] = []
        for when in (0.3, 0.1, 0.1 + 0.2, 7.7):
            loop.call_at(when, lambda: seen.append(loop.time()))
        await asyncio.sleep(10)
        return seen

    assert run(main()) == [0.1, 0.3, 0.1 + 0.2, 7.7]


def test_timers_of_one_instant_run_in_the_order_in_which_they_were_set() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        order: list[int] = []
        for number in range(50):
            loop.call_at(1.0, order.append, number)
        await asyncio.sleep(2)
        return order

    assert run(main()) == list(range(50))


def test_a_timer_in_the_past_runs_in_the_next_round_and_time_never_goes_back() -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        called = asyncio.Event()
        asyncio.get_running_loop().call_at(1.0, called.set)
        await called.wait()
        return _now()

    assert run(main()) == 5.0


@pytest.mark.parametrize("seed", range(5))
def test_any_mix_of_timers_and_cancellations_runs_what_is_left_in_order(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        loop = asyncio.get_running_loop()
        seen: list[tuple[float, int]] = []
        handles: dict[int, tuple[float, asyncio.TimerHandle]] = {}
        for number in range(600):
            when = rng.choice([rng.uniform(0, 10), float(rng.randint(0, 10))])
            handles[number] = (when, loop.call_at(when, lambda n=number: seen.append((loop.time(), n))))
        for number in rng.sample(range(600), 450):
            handles.pop(number)[1].cancel()
        await asyncio.sleep(11)
        expected = sorted((when, number) for number, (when, _) in handles.items())
        assert seen == expected, f"seed {seed}"

    run(main())


def test_a_thousand_timeouts_that_never_fire_leave_nothing_in_the_heap() -> None:
    async def main() -> int:
        for _ in range(1000):
            async with asyncio.timeout(3600):
                await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return len(loop._timers)

    assert run(main()) < 250


def test_a_timeout_fires_in_virtual_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return _now()

    assert run(main()) == 30.0


def test_not_a_number_is_no_time() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="a time to call"):
            asyncio.get_running_loop().call_at(math.nan, print)
        with pytest.raises(ValueError, match="a time to call"):
            asyncio.get_running_loop().call_later(math.nan, print)

    run(main())


def test_debug_mode_changes_nothing_but_the_checks() -> None:
    async def main() -> float:
        await asyncio.sleep(1)
        with pytest.raises(TypeError):
            asyncio.get_running_loop().call_at(2.0, main)
        return _now()

    with asyncio.Runner(debug=True, loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == 1.0


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("way", ["call_soon", "call_later", "call_at"])
def test_what_a_callback_raises_is_told_to_the_loops_handler_and_the_loop_goes_on(way: str, debug: bool) -> None:
    told: list[dict[str, object]] = []
    fault = ValueError("a callback's own")
    came: list[str] = []

    def fail(what: str) -> None:
        came.append(what)
        raise fault

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(debug)
        loop.set_exception_handler(lambda _, context: told.append(context))
        when = () if way == "call_soon" else (1.0,)
        handle = getattr(loop, way)(*when, fail, "once")
        await asyncio.sleep(2.0)
        assert told[0]["handle"] is handle
        came.append("after")

    run(main())
    assert came == ["once", "after"]
    assert [context["exception"] for context in told] == [fault]
    assert "fail" in str(told[0]["message"])
    assert str(told[0]["message"]).startswith("Exception in callback")
    assert ("source_traceback" in told[0]) is debug


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_loop(kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    async def main() -> None:
        asyncio.get_running_loop().call_later(1.0, leave)
        await asyncio.sleep(2.0)

    with pytest.raises(kind):
        run(main())


def test_a_callback_runs_in_the_context_that_it_was_set_in_or_given() -> None:
    number = contextvars.ContextVar("number", default=0)
    seen: list[tuple[str, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        given = contextvars.copy_context()
        given.run(number.set, 2)
        number.set(1)
        for way, when in (("call_soon", ()), ("call_later", (1.0,)), ("call_at", (2.0,))):
            getattr(loop, way)(*when, lambda way=way: seen.append((way, number.get())))
            getattr(loop, way)(*when, lambda way=way: seen.append((way, number.get())), context=given)
        number.set(3)
        await asyncio.sleep(5.0)

    run(main())
    assert seen == [(way, value) for way in ("call_soon", "call_later", "call_at") for value in (1, 2)]


def test_asyncio_keeps_of_its_handles_what_the_loop_fills_in_and_nothing_more() -> None:
    """Should a Python version add something, `_Handle` and `_Timer` have to set it, too."""
    filled = {"_callback", "_args", "_cancelled", "_loop", "_source_traceback", "_repr", "_context"}
    assert set(asyncio.Handle.__slots__) - {"__weakref__"} == filled
    assert set(asyncio.TimerHandle.__slots__) == {"_when", "_scheduled"}


def test_two_runs_with_tasks_queues_and_locks_are_the_same_to_the_last_digit() -> None:
    async def main() -> list[tuple[float, str, int]]:
        rng = random.Random(11)
        queue: asyncio.Queue[int] = asyncio.Queue(3)
        lock = asyncio.Lock()
        log: list[tuple[float, str, int]] = []

        async def worker(name: str) -> None:
            while True:
                item = await queue.get()
                async with lock:
                    await asyncio.sleep(rng.random())
                log.append((_now(), name, item))

        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(worker(name)) for name in "abc"]
            for item in range(100):
                await queue.put(item)
                await asyncio.sleep(rng.random() / 3)
            await asyncio.sleep(60)
            for task in workers:
                task.cancel()
        return log

    first = run(main())
    assert len(first) == 100
    assert run(main()) == first


# --- deadlock ---------------------------------------------------------------------------------------------------------


def test_a_deadlock_is_an_error_that_names_every_task_that_waits_and_where() -> None:
    async def pump(queue: asyncio.Queue[int]) -> None:
        await queue.get()

    async def outer(queue: asyncio.Queue[int]) -> None:
        await pump(queue)

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        task = asyncio.create_task(outer(queue), name="the pump")
        await asyncio.sleep(12.5)
        await asyncio.Event().wait()
        await task

    with pytest.raises(VirtualDeadlockError) as caught:
        run(main())
    error = caught.value
    assert error.time_s == 12.5
    lines = str(error).splitlines()
    assert lines[0].startswith("virtual time stands still at 12.500000 s: nothing is scheduled and nothing is ready")
    assert "2 tasks wait" in lines[0]
    here = main.__code__.co_firstlineno
    assert lines[1].endswith(f"waits at {__file__}:{here + 4} in {main.__qualname__}, inside Event.wait"), lines[1]
    assert lines[2] == (
        f"  the pump ({outer.__qualname__}) waits at {__file__}:{pump.__code__.co_firstlineno + 1} "
        f"in {pump.__qualname__}, inside Queue.get"
    )
    assert error.waiting == tuple(line.strip() for line in lines[1:])


def test_a_task_that_never_began_is_named_in_a_deadlock_too() -> None:
    loop = VirtualTimeLoop()
    future = loop.create_future()
    with pytest.raises(VirtualDeadlockError, match="no task is left"):
        loop.run_until_complete(future)
    loop.close()


def test_waiting_for_ever_with_a_timer_at_infinity_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.sleep(math.inf)

    with pytest.raises(VirtualDeadlockError, match="1 task waits"):
        run(main())


def test_the_deadlock_leaves_no_task_and_no_open_loop_behind() -> None:
    cleaned: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append("waits")

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.gather(waits(), waits())

    with pytest.raises(VirtualDeadlockError):
        run(main())
    assert cleaned == ["waits", "waits"]
    assert loops[0].is_closed()


def test_polling_with_sleep_zero_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.clock._MAX_ROUNDS_AT_ONE_INSTANT", 1000)

    async def main() -> None:
        while _now() < 1:  # noqa: ASYNC110 - the very mistake
            await asyncio.sleep(0)

    with pytest.raises(VirtualTimeError, match=r"1,000 rounds: something polls with sleep\(0\)"):
        run(main())


# --- executors, threads, signals, sockets -----------------------------------------------------------------------------


def test_a_function_in_an_executor_runs_at_once_in_this_thread_and_keeps_its_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def work(number: int) -> tuple[int, str, int]:
        seen = variable.get()
        variable.set("changed inside")
        return number, seen, threading.get_ident()

    async def main() -> None:
        variable.set("outside")
        loop = asyncio.get_running_loop()
        here = threading.get_ident()
        assert await asyncio.to_thread(work, 1) == (1, "outside", here)
        assert await loop.run_in_executor(None, work, 2) == (2, "outside", here)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert await loop.run_in_executor(pool, work, 3) == (3, "outside", here)
        assert variable.get() == "outside"
        assert _now() == 0.0

    run(main())


@pytest.mark.parametrize("raised", [ValueError("no"), asyncio.CancelledError(), StopIteration(3)])
def test_what_a_function_in_an_executor_raises_comes_out_of_its_future(raised: BaseException) -> None:
    def work() -> None:
        raise raised

    async def main() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, work)
        with pytest.raises(RuntimeError if isinstance(raised, StopIteration) else type(raised)):
            await future

    run(main())


def test_an_executor_that_was_shut_down_takes_nothing_more() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.shutdown_default_executor()
        with pytest.raises(RuntimeError, match="shutdown"):
            await loop.run_in_executor(None, int)

    run(main())


def test_a_call_from_another_thread_is_refused_there_and_named_in_the_deadlock_that_follows() -> None:
    refusals: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def from_outside() -> None:
            try:
                loop.call_soon_threadsafe(arrived.set)
            except VirtualTimeError as error:
                refusals.append(error)

        thread = threading.Thread(target=from_outside, name="outsider")
        thread.start()
        thread.join()
        await arrived.wait()

    with pytest.raises(VirtualDeadlockError, match=r"refused before: call_soon_threadsafe\(.*thread outsider"):
        run(main())
    assert "no place in virtual time" in str(refusals[0])


def test_a_threadsafe_call_from_the_loops_own_thread_works() -> None:
    async def main() -> None:
        called = asyncio.Event()
        asyncio.get_running_loop().call_soon_threadsafe(called.set)
        await called.wait()

    run(main())


def test_signal_handlers_work_and_are_put_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    seen: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "first")
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "second")
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(1)
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert not loop.remove_signal_handler(signal.SIGUSR1)
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "left behind")

    run(main())
    assert seen == ["second"]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_coroutine_function_is_no_signal_handler() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="coroutines"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, main)

    run(main())


@pytest.mark.usefixtures("interrupts")
def test_the_interrupt_key_cancels_the_main_coroutine_and_comes_out_as_keyboard_interrupt() -> None:
    log: list[str] = []

    async def main() -> None:
        try:
            asyncio.get_running_loop().call_later(1, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            log.append("cleaning up")
            await asyncio.sleep(1)
            log.append("cleaned up")
            raise

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert log == ["cleaning up", "cleaned up"]


_SOCKET = object()  # stands for an open socket


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("add_reader", (_SOCKET, print)),
        ("add_writer", (_SOCKET, print)),
        ("sock_recv", (_SOCKET, 1)),
        ("sock_sendall", (_SOCKET, b"x")),
        ("sock_connect", (_SOCKET, ("127.0.0.1", 1))),
        ("sock_accept", (_SOCKET,)),
        ("create_connection", (asyncio.Protocol, "127.0.0.1", 1)),
        ("create_server", (asyncio.Protocol, "127.0.0.1", 0)),
        ("create_datagram_endpoint", (asyncio.DatagramProtocol, ("127.0.0.1", 0))),
        ("create_unix_connection", (asyncio.Protocol, "/nowhere")),
        ("connect_read_pipe", (asyncio.Protocol, _SOCKET)),
        ("subprocess_exec", (asyncio.SubprocessProtocol, "true")),
        ("getaddrinfo", ("localhost", 1)),
    ],
)
def test_reaching_for_the_outside_world_fails_with_a_clear_error(method: str, arguments: tuple[object, ...]) -> None:
    async def reach(sock: socket.socket) -> None:
        given = [sock if argument is _SOCKET else argument for argument in arguments]
        await getattr(asyncio.get_running_loop(), method)(*given)

    with socket.socket() as sock, pytest.raises(VirtualTimeError, match=rf"loop\.{method}\(\) needs the outside world"):
        run(reach(sock))


def test_streams_and_subprocesses_fail_with_a_clear_error_too() -> None:
    async def connect() -> None:
        await asyncio.open_connection("127.0.0.1", 1)

    async def spawn() -> None:
        await asyncio.create_subprocess_shell("true")

    for reach in (connect, spawn):
        with pytest.raises(VirtualTimeError, match="needs the outside world"):
            run(reach())


def test_there_is_never_a_reader_or_writer_to_remove() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert loop.remove_reader(0) is False
        assert loop.remove_writer(0) is False

    run(main())


def test_a_virtual_loop_opens_no_file_descriptor() -> None:
    def lowest_free() -> int:
        with Path(os.devnull).open() as file:
            return file.fileno()

    before = lowest_free()
    loop = VirtualTimeLoop()
    assert lowest_free() == before
    loop.close()


# --- run and the factories --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1.0, 1000.0, math.inf])
def test_run_gives_the_result_and_leaves_nothing_behind_at_any_speed(speed: float) -> None:
    log: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            log.append("generator closed")

    async def left_over() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            log.append("task cancelled")

    async def main() -> tuple[str, asyncio.AbstractEventLoop]:
        task = asyncio.create_task(left_over())
        generator = numbers()
        await anext(generator)
        await asyncio.sleep(0)
        log.append("main done")
        held.extend([task, generator])
        return "result", asyncio.get_running_loop()

    held: list[object] = []
    result, loop = run(main(), speed=speed)
    assert result == "result"
    assert log == ["main done", "task cancelled", "generator closed"]
    assert loop.is_closed()


def test_an_error_in_the_coroutine_comes_out_as_it_is() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run(main())


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_is_none_is_refused_and_the_coroutine_closed(speed: float) -> None:
    async def main() -> None:
        """Never runs; left open it would warn, and a warning fails the test."""

    with pytest.raises(ValueError, match="positive speed"):
        run(main(), speed=speed)


def test_the_factory_makes_the_loop_for_the_speed() -> None:
    for speed, kind in ((math.inf, VirtualTimeLoop), (60.0, ScaledLoop)):
        loop = loop_factory(speed)()
        assert type(loop) is kind
        loop.close()
    real = loop_factory(1.0)()
    assert not isinstance(real, VirtualTimeLoop | ScaledLoop)
    real.close()


# --- scaled time ------------------------------------------------------------------------------------------------------


def test_scaled_time_starts_at_zero_and_runs_so_many_times_as_fast() -> None:
    async def main() -> tuple[float, float]:
        before = _now()
        await asyncio.sleep(60)
        return before, _now()

    wall = time.perf_counter()
    before, after = run(main(), speed=600.0)
    wall = time.perf_counter() - wall
    assert 0 <= before < 30
    assert after - before >= 60
    assert 0.1 <= wall < 5


def test_the_scaled_loop_asks_its_selector_for_the_fraction_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    original = selectors.SelectSelector.select

    def select(self: selectors.SelectSelector, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            asked.append(timeout)
        return original(self, 0)

    monkeypatch.setattr(selectors.SelectSelector, "select", select)
    loop = ScaledLoop(100.0)
    loop.call_later(10, loop.stop)
    loop.run_forever()
    loop.close()
    assert 0.05 < asked[0] <= 0.1


def test_sockets_and_threads_work_on_a_scaled_loop() -> None:
    async def main() -> bytes:
        assert await asyncio.to_thread(threading.get_ident) != threading.get_ident()
        left, right = socket.socketpair()
        with left, right:
            left.settimeout(0)
            right.settimeout(0)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(left, b"hello")
            return await loop.sock_recv(right, 16)

    assert run(main(), speed=50.0) == b"hello"


@pytest.mark.parametrize("factor", [0.0, -2.0, math.inf, math.nan])
def test_a_scale_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="positive, finite speed"):
        ScaledLoop(factor)
