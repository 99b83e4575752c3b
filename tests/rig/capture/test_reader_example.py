"""The capture reader of the documentation, as the registry uses one of another package."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from rig.capture import registry
from rig.capture.records import CaptureError
from rig.cli import main

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "hex_lines_reader.py"
NOTIFICATION = "0240200800040004001b120001"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("hex_lines_reader", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entry = EntryPoint("hexlines", "hex_lines_reader", registry.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: module)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: EntryPoints([entry]))
    registry._plug_ins.cache_clear()
    yield module
    registry._plug_ins.cache_clear()


def test_the_commands_read_what_the_example_reads(
    reader: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "capture.txt"
    path.write_text(f"# hex lines\n1.5 < {NOTIFICATION}\n-0.000000001 < {NOTIFICATION}\n")
    assert main(["decode", str(path)]) == 0
    assert [line.split("\t")[:5] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["1", "1.500000000", "1", "unknown", "handle_value_notification"],
        ["2", "-0.000000001", "1", "unknown", "handle_value_notification"],
    ]
    assert main(["info", str(path)]) == 0
    assert "container     hexlines\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1.5 < zz\n", "not a line"),
        ("nonsense\n", "not a line"),
        ("1e999999999 < 00\n", "not a line"),
        ("0" * 70_000, "more than 65536"),
    ],
)
def test_the_example_tells_damage_by_its_place(reader: ModuleType, tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "capture.txt"
    good = f"# hex lines\n1.5 < {NOTIFICATION}\n"
    path.write_text(good + line)
    opened = registry.open_reader(path)
    with opened.source:
        records = opened.records()
        assert next(records).data.hex() == NOTIFICATION
        with pytest.raises(CaptureError, match=problem) as raised:
            next(records)
    assert raised.value.offset == len(good)
