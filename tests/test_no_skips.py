"""The strict run lets nothing be skipped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider", "-p", "no:asyncio")

SKIPPING = """
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason="no moon tonight")
def test_is_skipped_by_mark():
    raise AssertionError

def test_is_skipped_by_call():
    pytest.skip("no sun either")

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    raise AssertionError
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(test_some=SKIPPING)
    return pytester


def test_without_the_option_a_skip_is_a_skip(suite: pytest.Pytester) -> None:
    suite.runpytest_subprocess(*QUIET).assert_outcomes(passed=1, skipped=2, xfailed=1)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_with_the_option_a_skip_fails_and_an_expected_failure_does_not(
    suite: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    result = suite.runpytest_subprocess("--no-skips", *QUIET, *workers)
    result.assert_outcomes(passed=1, errors=1, failed=1, xfailed=1)  # a mark skips in the set-up of its test
    result.stdout.fnmatch_lines(["*no moon tonight (skipped, and --no-skips is given)*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_with_the_option_a_module_that_skips_itself_is_an_error(
    suite: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    suite.makepyfile(test_other='import pytest\npytest.importorskip("a_package_that_nobody_has")\n')
    result = suite.runpytest_subprocess("--no-skips", *QUIET, *workers)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*a_package_that_nobody_has*skipped, and --no-skips is given*"])
