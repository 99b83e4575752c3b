"""Event loops whose clock is not the wall's: virtual time that jumps to the next deadline, and time sped up N times.

Whatever asks ``loop.time()`` runs the same way on all of them. Refuses to know sockets, subprocesses and other threads
in virtual time: what comes from outside arrives at no virtual moment, so it cannot happen the same way twice.
"""

# ruff: noqa: SLF001 - an event loop works on its handles, whose state asyncio keeps in underscored attributes

from __future__ import annotations

import asyncio
import contextvars
import heapq
import inspect
import math
import re
import selectors
import signal
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_copy_context = contextvars.copy_context  # the name is looked up for every handle

_ASYNCIO_FOLDER = str(Path(asyncio.__file__).parent)

# Rounds of the loop at one virtual instant before it is called a spin. A burst of a whole GATT discovery over an
# in-process Bumble link takes some hundreds; a million take about a second of wall time.
_MAX_ROUNDS_AT_ONE_INSTANT = 1_000_000

# As in asyncio.base_events: cancelled timers are swept out once they are many and more than half.
_MIN_TIMERS_TO_SWEEP = 100


class VirtualTimeError(RuntimeError):
    """Something was asked of virtual time that only the real world can give (a socket, a subprocess, a thread)."""


class VirtualDeadlockError(VirtualTimeError):
    """Nothing is ready and nothing is scheduled, so virtual time can never go on, yet the loop is not done.

    ``waiting`` has one line per task that waits: its name and the place (``file:line in coroutine``).
    ``time_s`` is the virtual time at which everything came to a halt.
    """

    def __init__(self, time_s: float, waiting: tuple[str, ...], refused_calls: tuple[str, ...] = ()) -> None:
        self.time_s = time_s
        self.waiting = waiting
        count = len(waiting)
        tasks = "no task is left" if not count else "1 task waits" if count == 1 else f"{count} tasks wait"
        lines = [f"virtual time stands still at {time_s:.6f} s: nothing is scheduled and nothing is ready, but {tasks}"]
        lines += [f"  {line}" for line in waiting]
        lines += [f"  refused before: {line}" for line in refused_calls]
        super().__init__("\n".join(lines))


# The next two are asyncio's own handles, filled in one step where asyncio takes three calls and a question for each:
# making handles is most of a loop's work. Both are for a loop without debug mode; `_Timer.in_debug` is for one with it.


class _Handle(asyncio.Handle):
    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = _copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    __slots__ = ()
    _scheduled: bool  # asyncio sets it, typeshed leaves it out

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = _copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = False

    @classmethod
    def in_debug(
        cls,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> _Timer:
        """Make one that remembers where it was made."""
        timer = cls.__new__(cls)
        asyncio.TimerHandle.__init__(timer, when, callback, args, loop, context)
        return timer


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop that never waits: when nothing is ready, its clock jumps to the next deadline.

    * :meth:`time` starts at 0.0 and is, in a timer's callback, exactly the time that the timer was set for. Timers due
      at the same instant run in the order in which they were set (asyncio's own heap does not promise that).
    * ``run_in_executor`` and ``asyncio.to_thread`` run the function at once, in this thread, and take no virtual time.
      The function must not block on the loop (``run_coroutine_threadsafe(…).result()``): nobody else would run it.
    * Sockets, pipes, subprocesses, name look-ups and ``add_reader`` raise :class:`VirtualTimeError`.
    * ``call_soon_threadsafe`` works from the loop's own thread (signal handlers use it); from another thread it raises
      :class:`VirtualTimeError` there, because the virtual moment of its arrival would be the operating system's choice.
    * Signal handlers work; a signal is seen at whatever virtual moment the loop has come to.

    There is no selector, no self-pipe and no system call in it, so making one costs microseconds.

    Raises (from ``run_forever`` and ``run_until_complete``):
        VirtualDeadlockError: nothing can ever happen again, and nobody asked the loop to stop.
        VirtualTimeError: callbacks kept each other busy for a million rounds without any time passing.
    """

    # Attributes of asyncio.BaseEventLoop in 3.11 to 3.14 that this class works with.
    _ready: deque[Any]  # handles, whose attributes typeshed leaves out
    _stopping: bool
    _debug: bool
    _closed: bool
    _thread_id: int | None
    _timer_cancelled_count: int
    _current_handle: asyncio.Handle | None
    _executor_shutdown_called: bool
    _check_closed: Callable[[], None]
    _check_thread: Callable[[], None]
    _check_callback: Callable[[object, str], None]

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._sequence = 0
        self._rounds = 0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._signal_handlers: dict[int, Any] = {}
        self._refused_calls: list[str] = []

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now

    # --- timers and rounds --------------------------------------------------------------------------------------------

    # The next three do what asyncio's own do, with one call where those make three: they are most of a loop's work.

    def call_soon(  # type: ignore[override]  # typeshed spells the callback's arguments with a TypeVarTuple
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Call ``callback`` in the next round, at the same virtual time."""
        if self._closed or self._debug:
            return super().call_soon(callback, *args, context=context)
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # as for call_soon
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Call ``callback`` after ``delay`` virtual seconds."""
        when = self._now + delay
        if when != when or self._closed or self._debug:  # noqa: PLR0124 - as in call_at, which tells what is wrong
            return self.call_at(when, callback, *args, context=context)
        timer = _Timer(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, timer))
        timer._scheduled = True
        return timer

    def call_at(  # type: ignore[override]  # as for call_soon
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Call ``callback`` at virtual time ``when`` (seconds), or in the next round when that has passed.

        Raises:
            ValueError: ``when`` is not a number.
        """
        if when != when:  # noqa: PLR0124 - the fastest test for NaN, which would break the heap's order
            raise ValueError(f"a time to call {callback!r} at is needed, not {when!r}")
        if self._closed or self._debug:
            self._check_closed()
            self._check_thread()
            self._check_callback(callback, "call_at")
        make = _Timer.in_debug if self._debug else _Timer
        timer = make(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, timer))
        timer._scheduled = True
        return timer

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        if not handle._scheduled:
            return
        self._timer_cancelled_count += 1
        timers = self._timers
        if len(timers) > _MIN_TIMERS_TO_SWEEP and self._timer_cancelled_count * 2 > len(timers):
            # In place: a round may be holding the list. The handle itself is marked cancelled by now.
            timers[:] = [timer for timer in timers if not timer[2]._cancelled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0

    def _run_once(self) -> None:
        ready = self._ready
        timers = self._timers
        if not ready and not self._stopping:
            while timers and timers[0][2]._cancelled:
                heapq.heappop(timers)[2]._scheduled = False
                self._timer_cancelled_count -= 1
            if not timers or timers[0][0] == math.inf:
                raise VirtualDeadlockError(self._now, self._waiting_tasks(), tuple(self._refused_calls))
            when = timers[0][0]
            if when > self._now:
                self._now = when
                self._rounds = 0
        now = self._now
        while timers and timers[0][0] <= now:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                ready.append(timer)
        self._rounds += 1
        if self._rounds > _MAX_ROUNDS_AT_ONE_INSTANT:
            self._rounds = 0
            raise VirtualTimeError(
                f"virtual time stands still at {now:.6f} s after {_MAX_ROUNDS_AT_ONE_INSTANT:,} rounds: something "
                f"polls with sleep(0); next in line is {ready[0] if ready else None!r}"
            )
        # As in asyncio: what these callbacks add waits for the next round.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self._debug:
                self._current_handle = handle
                try:
                    handle._run()
                finally:
                    self._current_handle = None
                continue
            # What `handle._run()` does, without the call.
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio: no callback's fault ends the loop
                said = f"Exception in callback {handle!r}"
                self.call_exception_handler({"message": said, "exception": error, "handle": handle})

    def close(self) -> None:
        """Close the loop and put the signal handlers back that it replaced."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        for number in list(self._signal_handlers):
            self.remove_signal_handler(number)
        self._timers.clear()
        super().close()

    # --- other threads, executors, signals ----------------------------------------------------------------------------

    def call_soon_threadsafe(  # type: ignore[override]  # as for call_soon
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Call ``callback`` in the next round.

        Raises:
            VirtualTimeError: called from another thread than the one that runs the loop.
        """
        if self._thread_id is not None and self._thread_id != threading.get_ident():
            caller = f"call_soon_threadsafe({callback!r}) from thread {threading.current_thread().name}"
            self._refused_calls.append(caller)
            raise VirtualTimeError(f"{caller}: another thread has no place in virtual time; run on a real-time loop")
        return self.call_soon(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """Nothing to wake: this loop never sleeps."""

    def _process_events(self, event_list: object) -> None:
        """No events: this loop has no selector."""

    def run_in_executor(  # type: ignore[override]  # as for call_soon
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run ``func`` here and now, in a copy of the caller's context; its outcome is in the future given back."""
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        if executor is None and self._executor_shutdown_called:
            raise RuntimeError("Executor shutdown has been called")
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(contextvars.copy_context().run(func, *args))
        except (KeyboardInterrupt, SystemExit):
            raise
        except StopIteration as stop:
            # A future cannot carry it (it would end the generator that awaits); 3.12 and later turn it the same way.
            error = RuntimeError("the function run in the executor raised StopIteration")
            error.__cause__ = stop
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - whatever it raised belongs to the one who awaits the future
            future.set_exception(error)
        return future

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        """Call ``callback`` in the next round after signal ``sig``; from the main thread only, as in asyncio.

        The handler runs between two bytecodes of the main thread, which is the loop's: no wake-up descriptor is needed.
        """
        self._check_closed()
        if inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        try:
            before = signal.signal(sig, lambda _number, _frame: self.call_soon(callback, *args))
        except ValueError as error:
            raise RuntimeError(str(error)) from error
        self._signal_handlers.setdefault(sig, before)

    def remove_signal_handler(self, sig: int) -> bool:
        """Put back what handled ``sig`` before; False when this loop had not replaced it."""
        if sig not in self._signal_handlers:
            return False
        before = self._signal_handlers.pop(sig)
        signal.signal(sig, signal.SIG_DFL if before is None else before)
        return True

    # --- what waits ---------------------------------------------------------------------------------------------------

    def _waiting_tasks(self) -> tuple[str, ...]:
        """One line per task that is not done, in order of their names (Task-2 before Task-10)."""

        def natural(task: asyncio.Task[Any]) -> list[tuple[bool, int, str]]:
            parts = re.split(r"(\d+)", task.get_name())
            return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]

        return tuple(_describe(task) for task in sorted(asyncio.all_tasks(self), key=natural))


def _describe(task: asyncio.Task[Any]) -> str:
    """Say where a suspended task waits: the innermost frame outside asyncio, and what of asyncio it sits in."""
    place = ""
    inside = ""
    awaited: Any = task.get_coro()
    outermost = getattr(awaited, "__qualname__", repr(awaited))
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        frame = frame or getattr(awaited, "ag_frame", None)
        if frame is None:
            break
        where = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        if frame.f_code.co_filename.startswith(_ASYNCIO_FOLDER):
            inside = inside or f", inside {frame.f_code.co_qualname}"
        else:
            place, inside = where, ""
        awaited = (
            getattr(awaited, "cr_await", None)
            or getattr(awaited, "gi_yieldfrom", None)
            or getattr(awaited, "ag_await", None)
        )
    return f"{task.get_name()} ({outermost}) waits at {place or 'its first step'}{inside}"


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(_loop: VirtualTimeLoop, *_args: object, **_kwargs: object) -> Any:
        raise VirtualTimeError(
            f"loop.{name}() needs the outside world, which has no place in virtual time; use a real-time loop "
            "(speed 1) or an in-process stand-in"
        )

    refuse.__name__ = name
    refuse.__qualname__ = f"VirtualTimeLoop.{name}"
    refuse.__doc__ = "Refused: raises VirtualTimeError."
    return refuse


for _name in (
    *("add_reader", "add_writer", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall"),
    *("sock_sendto", "sock_connect", "sock_accept", "sock_sendfile", "sendfile", "start_tls", "create_connection"),
    *("create_server", "create_datagram_endpoint", "create_unix_connection", "create_unix_server"),
    *("connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell"),
    *("getaddrinfo", "getnameinfo"),
):
    setattr(VirtualTimeLoop, _name, _refusal(_name))


def _nothing_to_remove(_loop: VirtualTimeLoop, _fd: object) -> bool:
    """Nothing was ever registered."""
    return False


for _name in ("remove_reader", "remove_writer"):
    setattr(VirtualTimeLoop, _name, _nothing_to_remove)


# --- scaled time ------------------------------------------------------------------------------------------------------


class _HastySelector(selectors.SelectSelector):
    """Waits for a fraction of the time asked for.

    ``select`` and not ``epoll``: the latter's timeout is rounded up to whole milliseconds, which at 60 times the speed
    would be 60 ms of loop time.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._factor)


class ScaledLoop(asyncio.SelectorEventLoop):
    """A real event loop, sockets and threads included, on which time passes ``factor`` times as fast.

    :meth:`time` starts at 0.0. ``factor`` is positive and finite; below 1 it is slow motion.

    Raises:
        ValueError: ``factor`` is not positive and finite.
    """

    _closed: bool

    def __init__(self, factor: float) -> None:
        if not 0 < factor < math.inf:
            self._closed = True  # so that asyncio's __del__ finds nothing left open
            raise ValueError(f"a positive, finite speed is needed, not {factor!r}")
        self._factor = factor
        self._origin = 0.0  # time() is wanted once while asyncio sets itself up
        super().__init__(_HastySelector(factor))
        self._origin = super().time()
        self._clock_resolution: float = self._clock_resolution * factor
        self.slow_callback_duration *= factor

    @property
    def factor(self) -> float:
        """How many of its seconds go by in one of the wall's."""
        return self._factor

    def time(self) -> float:
        """Return scaled seconds since the loop was made."""
        return (super().time() - self._origin) * self._factor


def loop_factory(speed: float) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes a loop of that speed: 1.0 is the wall clock, N is N times as fast, ``math.inf`` virtual time.

    Fit for ``asyncio.Runner(loop_factory=…)``.

    Raises:
        ValueError: ``speed`` is not positive.
    """
    if not speed > 0:
        raise ValueError(f"a positive speed is needed, not {speed!r}")
    if speed == math.inf:
        return VirtualTimeLoop
    if speed == 1.0:
        return asyncio.new_event_loop
    return lambda: ScaledLoop(speed)


def run(coroutine: Coroutine[Any, Any, T], *, speed: float = math.inf) -> T:
    """Run ``coroutine`` to its end on a fresh loop of that speed, and leave nothing behind, as ``asyncio.run`` does.

    Tasks left over are cancelled and awaited, asynchronous generators shut down, the loop closed. The first
    interrupt (Ctrl-C) cancels the coroutine and comes out as ``KeyboardInterrupt`` once it has cleaned up.

    Raises:
        ValueError: ``speed`` is not positive.
        VirtualDeadlockError: in virtual time, everything waits for something that nothing will bring about.
    """
    try:
        factory = loop_factory(speed)
    except ValueError:
        coroutine.close()
        raise
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)
