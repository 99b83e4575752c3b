"""What the run did to files, and which transcripts no test has any more, at the end of pytest's report.

Works in the process of xdist that sums up as in its workers. Refuses to know tests' insides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rig.pytest_plugin.bench import shown_from
from rig.pytest_plugin.files import TRANSCRIPTS, stale, transcript_path

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


class Summary:
    """A plugin that collects it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._kept: dict[tuple[str, str], None] = {}
        self._stale: dict[str, None] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Look for transcripts that no test has, while no test is deselected yet."""
        if any("::" in argument for argument in config.args) or config.getoption("lf", default=False):
            return  # of some files, not all tests are here
        test_files = {item.path for item in items}
        folders = {test_file.parent / TRANSCRIPTS for test_file in test_files}
        if any(folder.is_dir() for folder in folders):
            used = frozenset(path for item in items for path in _used_by(item))
            found = stale(test_files, used)
            self._stale.update(dict.fromkeys(shown_from(config, path) for path in found))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the files of a test, also from a worker."""
        for kept, path in getattr(report, "rig_kept", ()):
            self._kept[kept, path] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send along, as a worker, what was found while collecting."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["rig_stale"] = list(self._stale)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002 - the hook's
        """Take what a worker has found; all of them have found the same."""
        output = getattr(node, "workeroutput", {})
        self._stale.update(dict.fromkeys(output.get("rig_stale", ())))

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say it."""
        if not self._kept and not self._stale:
            return
        terminalreporter.section("rig")
        for kept, path in sorted(self._kept):
            terminalreporter.write_line(f"{kept} {path}")
        for path in sorted(self._stale):
            terminalreporter.write_line(f"no test has {path}: delete it, or mark its test with rig_transcript")


def _used_by(item: pytest.Item) -> list[Path]:
    used = []
    if item.get_closest_marker("rig_transcript") is not None:
        used.append(transcript_path(item.path, str(item.nodeid).partition("::")[2] or item.name))
    capture = item.get_closest_marker("rig_capture")
    if capture is not None and capture.args:
        used.append(item.path.parent / str(capture.args[0]))
    return used
