"""What holds for every test: reproducible examples, and no skip that goes unnoticed where `--no-skips` is given."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, whatever the machine's speed: wall-clock deadlines and health checks would make a loaded
# machine fail tests that are right. `--hypothesis-profile=explore` looks for new ones and prints how to repeat them.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", derandomize=False, parent=settings.get_profile("ci"), print_blob=True)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test or module that is skipped fails")
    parser.addoption("--accept-screens", action="store_true", help="keep every screen of the app as it is drawn now")

    parser.addoption(
        "--sample",
        type=int,
        default=1,
        metavar="N",
        help="of a test with more than N sets of parameters every Nth set; every test runs",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--sample` leaves out: what is the same code with other numbers runs on the usual Python."""
    step: int = config.getoption("sample")
    if step <= 1:
        return
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        of_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for same in of_test.values() for item in (same[::step] if len(same) > step else same)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_report_header(config: pytest.Config) -> str:
    skips = "fail" if config.getoption("no_skips") else "pass"
    return (
        f"skipped tests {skips}; hypothesis examples follow from each test (--hypothesis-profile=explore for new ones)"
    )


def _fail_when_skipped(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    # In the process that made the report, hence the same with any number of workers. An expected failure is also
    # "skipped" in pytest's words, but ran: it stays what it is.
    if config.getoption("no_skips") and report.skipped and not hasattr(report, "wasxfail"):
        where, line, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        report.outcome = "failed"
        report.longrepr = f"{where}:{line}: {reason} (skipped, and --no-skips is given)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_when_skipped(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_when_skipped(collector.config, report)
    return report


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let SIGINT do what it does on a terminal, here and in processes started from here.

    A shell starts what it puts into the background with it ignored, and that is inherited.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
