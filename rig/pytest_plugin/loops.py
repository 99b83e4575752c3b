"""Puts a test on a loop in virtual time, by the hook that pytest-asyncio has for it since 1.4.

Only while the parameters of a test that asks for ``virtual_clock`` are made is the hook there: one that is always there
would have to choose the loop of every other test too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

FIXTURE = "virtual_clock"


class _VirtualLoops:
    """A plugin with the one hook."""

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_asyncio_loop_factories(self) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        """The only loop that such a test gets."""
        from rig.clock import VirtualTimeLoop  # noqa: PLC0415 - only where it is wanted

        return {"virtual": VirtualTimeLoop}


_virtual_loops = _VirtualLoops()


def loop_scope_of(item: pytest.Item, config: pytest.Config) -> str:
    """Return how long the loop of a test lives: pytest-asyncio's ``loop_scope``."""
    marker = item.get_closest_marker("asyncio")
    chosen = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope") if marker is not None else None
    return str(chosen or config.getini("asyncio_default_test_loop_scope"))


def why_not_virtual(item: pytest.Item, config: pytest.Config) -> str:
    """Return why pytest-asyncio cannot run this test in virtual time, in one sentence; empty where it can."""
    if not hasattr(config.hook, "pytest_asyncio_loop_factories"):
        return "virtual_clock needs pytest-asyncio 1.4 or newer: update it"
    marker = item.get_closest_marker("asyncio")
    if marker is not None and marker.kwargs.get("loop_factories"):
        return "virtual_clock brings the loop itself: take loop_factories out of the asyncio marker"
    scope = loop_scope_of(item, config)
    if scope != "function":
        return f"virtual_clock gives each test a loop of its own: it cannot be on the {scope}'s, take loop_scope out"
    return ""


@contextmanager
def virtual_loop_for(metafunc: pytest.Metafunc) -> Iterator[None]:
    """While inside, pytest-asyncio parametrizes the test with a virtual loop if it asks for one."""
    config = metafunc.config
    if (
        FIXTURE not in metafunc.fixturenames
        or not config.pluginmanager.hasplugin("asyncio")
        or why_not_virtual(metafunc.definition, config)
    ):
        yield
        return
    config.pluginmanager.register(_virtual_loops)
    try:
        yield
    finally:
        config.pluginmanager.unregister(_virtual_loops)
