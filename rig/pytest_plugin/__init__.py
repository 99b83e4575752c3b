"""The pytest plugin: virtual devices, bleak clients on them, transcripts, replays and golden files as fixtures.

Loaded by pytest in every project that has this package installed, so it imports next to nothing and does nothing to a
test that asks for none of it. ``docs/testing-with-pytest.md`` is its manual.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rig.pytest_plugin.bench import existing_bench, forget_bench
from rig.pytest_plugin.fixtures import (
    _rig_device,
    golden,
    protocol_registry,
    replay,
    simulated_device,
    transcript,
)
from rig.pytest_plugin.golden_files import Golden
from rig.pytest_plugin.loops import virtual_loop_for
from rig.pytest_plugin.on_loop import fixtures_on_loop
from rig.pytest_plugin.replaying import Replay
from rig.pytest_plugin.summary import Summary

__all__ = ["Golden", "Replay", "_rig_device", "golden", "protocol_registry", "replay", "simulated_device", "transcript"]

_MARKERS = {
    "rig_device(name, seed=0)": 'the simulated device of the test, by its name in `rig devices`, such as "dr05"',
    "rig_capture(file, link=None, protocol=None, order='strict', tolerance_s=…)": (
        "the transcript or capture that the test replays, relative to the test file; its device is played from it"
    ),
    "rig_transcript(order='strict', tolerance_s=…)": (
        "the device of the test is played from the transcript of the test's id, which `--rig-record` makes"
    ),
    "rig_faults(plan)": (
        "a fault plan (TOML), relative to the test file, between the device of the test and its radio; the run is "
        "invalid if a planned fault never fires"
    ),
}
_FIXTURES_FOR = {
    "rig_device": "virtual_device, bleak_client",
    "rig_capture": "virtual_device, bleak_client, transcript or replay",
    "rig_transcript": "virtual_device, bleak_client, transcript or replay",
    "rig_faults": "virtual_device, bleak_client or replay",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options, both off: a run changes no file unless it is told to."""
    group = parser.getgroup("rig", "recorded and simulated Bluetooth LE devices (microcurrent rig)")
    group.addoption(
        "--rig-record",
        action="store_true",
        help="record the missing transcripts of tests that are marked with rig_transcript, from their simulated device",
    )
    group.addoption(
        "--rig-update",
        action="store_true",
        help="write golden files as they are now, and record the transcripts of rig_transcript anew",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers and the fixtures that run on a loop known."""
    for marker, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")
    config.pluginmanager.register(fixtures_on_loop(config), "microcurrent_rig_on_loop")
    config.pluginmanager.register(Summary(config), "microcurrent_rig_summary")


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, Any, Any]:
    """Give a test that asks for ``virtual_clock`` its loop."""
    with virtual_loop_for(metafunc):
        return (yield)


# ---- one test -------------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin anew: another plugin may run a test twice."""
    forget_bench(item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Judge what was replayed when the test's own code has ended: it fails, and not its tear-down."""
    try:
        result = yield
    except BaseException:
        bench = existing_bench(item)
        if bench is not None:
            for text in bench.end(passed=False):
                item.add_report_section("call", "rig", text)
        raise
    bench = existing_bench(item)
    wrong = bench.end(passed=True) if bench is not None else []
    unused = _marked_in_vain(item)
    if unused and not wrong:
        wrong = [unused]
    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)
    return result


def _marked_in_vain(item: pytest.Item) -> str:
    """Say that a test's own marker had nothing to work on; those of its module and class are for some of its tests."""
    bench = existing_bench(item)
    own = {marker.name for marker in item.own_markers}
    used = {
        "rig_device": bench is not None,
        "rig_capture": bench is not None and bench.recorded_used,
        "rig_transcript": bench is not None and bench.recorded_used,
        "rig_faults": bench is not None and bench.plan_used,
    }
    for name, was_used in used.items():
        if name in own and not was_used:
            return f"{name} had nothing to work on: ask for {_FIXTURES_FOR[name]} in the test"
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send along what was done to which file: the process that sums up may be another one."""
    report = yield
    bench = existing_bench(item)
    if bench is not None and report.when == "call" and bench.kept:
        report.__dict__["rig_kept"] = [list(kept) for kept in bench.kept]  # what a report has, xdist sends along
    return report
