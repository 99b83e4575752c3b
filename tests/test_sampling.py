"""`--sample`: every test runs, of many sets of parameters every Nth."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(11))
def test_many(number): pass

@pytest.mark.parametrize("number", range(5))
def test_few(number): pass

def test_one(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> pytest.Pytester:
    pytester.makeconftest((request.config.rootpath / "tests/conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(TESTS)
    return pytester


def test_every_test_runs_and_of_many_parameters_every_nth(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--sample", "5", "-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3 + 5 + 1, deselected=8)
    for number in (0, 5, 10):
        result.stdout.fnmatch_lines([f"*test_many[[]{number}[]] PASSED*"])


def test_everything_runs_unless_asked(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=17)
