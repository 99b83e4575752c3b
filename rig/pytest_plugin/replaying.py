"""The fixture ``replay``: the test's transcript as decoder, as the device for its app, or as the app for its device.

Each role fails the test with the differences and the conversation. Refuses to know where transcripts are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rig.pytest_plugin.bench import AS_THE_LOOP, Bench
from rig.pytest_plugin.judging import failure_text, with_unfired

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice
    from rig.replay.central import Rules
    from rig.replay.exchanges import Exchange, Transcript
    from rig.replay.outcome import Outcome
    from rig.replay.peripheral import Order, TranscriptDevice


class Replay:
    """Plays the transcript of one test: that of its marker ``rig_capture``, else that of its id."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @property
    def transcript(self) -> Transcript:
        """What is played."""
        return self._bench.transcript()

    def as_decoder(self, *, golden: str | Path | None = None, tolerance_s: float = 0.02) -> Outcome:
        """Feed the transcript to its protocol, and compare what comes of it with a golden file.

        Args:
            golden: the file, relative to the test file; written with ``--rig-update``. None: the protocol itself is
                the judge: it understands what the device said, and would have written what the app wrote.
            tolerance_s: by how much times may differ from the golden file's.

        Raises:
            pytest.fail.Exception: they differ, or nothing could be judged.
        """
        __tracebackhide__ = True
        from rig.replay.decoder import replay_as_decoder  # noqa: PLC0415 - only who decodes needs it
        from rig.replay.golden import GoldenError  # noqa: PLC0415

        bench = self._bench
        path = bench.beside(golden) if golden is not None else None
        before = path.read_bytes() if path is not None and path.exists() else None
        update = path is not None and bool(bench.item.config.getoption("rig_update"))
        if path is not None and before is None and not update:
            shown = bench.shown(path)
            bench.fail(f"{shown}: there is no golden file yet; make it with `pytest --rig-update {bench.command}`")
        if update and path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            outcome = replay_as_decoder(
                bench.transcript(),
                golden=path,
                update=update,
                tolerance_ns=round(tolerance_s * 1e9),
                registry=bench.registry,
            )
        except GoldenError as error:
            bench.fail(str(error).replace("--update", "--rig-update"))
        if update and path is not None and path.read_bytes() != before:
            bench.note("written", path)
        return self._judged(outcome)

    def decoded_by(self, decode: Callable[[Exchange], Iterable[object]]) -> list[str]:
        """Return the conversation line by line with what your own code makes of it, for ``golden``.

        For a protocol that the rig does not know; :meth:`as_decoder` is for one that it does.

        Args:
            decode: is told every exchange, in order, and returns what it means, one thing an event; each by ``str``.
        """
        from rig.replay.conversation import in_words, seconds_text  # noqa: PLC0415

        lines = []
        for exchange in self.transcript.exchanges:
            means = "; ".join(map(str, decode(exchange)))
            lines.append(f"{seconds_text(exchange.at_ns)}  {in_words(exchange)}" + (f"  # {means}" if means else ""))
        return lines

    async def as_peripheral(
        self, *, order: Order | None = None, tolerance_s: float | None = AS_THE_LOOP
    ) -> TranscriptDevice:
        """Put the transcript on the virtual radio as the device; the test goes on as the app, and is judged at its end.

        The fixture ``virtual_device`` does the same for a test that is marked with ``rig_capture``.

        Args:
            order: what may be out of order: ``strict`` (as recorded) or ``by-characteristic``; None: as marked.
            tolerance_s: how much longer than recorded the app may take to what it does; None: as long as it likes.
                Left out: 50 ms in virtual time, and as long as it likes on the wall clock.
        """
        from rig.pytest_plugin.radio import put_on_radio, replayed  # noqa: PLC0415 - it brings bleak and Bumble

        bench = self._bench
        if bench.radio is None:
            bench.fail("replay.as_peripheral needs a radio: make the test async, or ask for virtual_radio in it")
        device = replayed(bench, order=order, tolerance_s=tolerance_s)
        await put_on_radio(bench, device)
        return device

    async def as_central(
        self, device: SimulatedDevice, rules: Rules | None = None, *, seed: int = 0, latency_s: float = 0.0
    ) -> Outcome:
        """Play the recorded app to a device of the test, on a radio of its own, and compare the answers.

        A device that a known protocol drives is guarded: what the protocol forbids is not written, and fails.

        Args:
            device: the test's own device, not on a radio yet.
            rules: how to play and by what to judge, see :class:`rig.replay.central.Rules`.
            seed: addresses follow from it.
            latency_s: how long every packet takes on the air.

        Raises:
            pytest.fail.Exception: the device answers otherwise, or a planned fault never fired.
        """
        __tracebackhide__ = True
        from rig.replay.central import AS_IT_WAS, replay_as_central  # noqa: PLC0415 - it brings bleak

        bench = self._bench
        faulty = bench.faulty(device)
        outcome = await replay_as_central(
            bench.transcript(),
            device if faulty is None else faulty,
            AS_IT_WAS if rules is None else rules,
            registry=bench.registry,
            seed=seed,
            latency_s=latency_s,
        )
        at_ns = round(asyncio.get_running_loop().time() * 1e9)
        return self._judged(with_unfired(outcome, faulty, at_ns))

    def _judged(self, outcome: Outcome) -> Outcome:
        __tracebackhide__ = True
        wrong = failure_text(outcome, self._bench.transcript_shown)
        if wrong:
            self._bench.fail(wrong)
        return outcome
