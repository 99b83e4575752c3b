"""The pure parts of scripts/bluez-vm: what it prints, what it asks for, and how it holds a capture against a journal.

The machine itself is booted by ``scripts/bluez-vm``, which is a test of its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from companion.cli import main
from companion.config import Exit
from rig.capture.records import CaptureError
from rig.capture.writer import Direction
from rig.capture.writers import open_writer

ROOT = Path(__file__).parent.parent


def _load(name: str) -> ModuleType:
    """Load a module of the lane; its folder is no package, because it is run as a program."""
    spec = importlib.util.spec_from_file_location(f"bluez_vm_{name}", ROOT / "scripts/bluez_vm" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


ledger = _load("ledger")
exchanges = _load("exchanges")
machine = _load("machine")
image = _load("image")
keeping = _load("keeping")
person = _load("person")
Step = ledger.Step


# --- steps ------------------------------------------------------------------------------------------------------------


def test_steps_survive_a_machine_that_dies_in_the_middle_of_a_line(tmp_path: Path) -> None:
    kept = ledger.Ledger(tmp_path / "steps.jsonl")
    assert kept.steps() == []
    kept.note(Step("boot", held=True, seconds=15.2))
    kept.note(Step("scan", held=False, detail="no device — none"))
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"name": "conn')
    assert kept.steps() == [Step("boot", held=True, seconds=15.2), Step("scan", held=False, detail="no device — none")]


def test_the_table_shows_what_held_with_its_time_and_milliseconds_where_they_matter() -> None:
    steps = [
        Step("boot", held=True, seconds=15.24, detail="6.1"),
        Step("write and answer", held=True, seconds=0.0481),
        Step("stop", held=False, detail="output went on"),
    ]
    assert ledger.table(steps).splitlines() == [
        "held    boot                 15.2 s  6.1",
        "held    write and answer    0.048 s",
        "FAILED  stop                         output went on",
    ]


def test_the_json_says_whether_all_held_and_carries_the_facts() -> None:
    told = json.loads(ledger.as_json([Step("boot", held=True, seconds=1.0)], kernel="6.1"))
    assert told == {
        "held": True,
        "kernel": "6.1",
        "steps": [{"name": "boot", "held": True, "seconds": 1.0, "detail": ""}],
    }


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [([], False), ([Step("a", held=True)], True), ([Step("a", held=True), Step("b", held=False)], False)],
    ids=["nothing shown", "all held", "one did not"],
)
def test_a_run_holds_only_where_every_step_did_and_there_was_one(steps: list[Any], verdict: bool) -> None:
    assert ledger.held(steps) is verdict


def test_a_step_that_was_never_reached_has_not_held() -> None:
    steps = [Step("boot", held=True)]
    assert ledger.missing(steps, ["boot", "scan"]) == [Step("scan", held=False, detail="never reached")]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.9, 5.0), (1.0, 5.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert ledger.percentile([5.0, 1.0, 3.0, 2.0, 4.0], share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        ledger.percentile([], 0.5)


# --- journal and capture ----------------------------------------------------------------------------------------------


def entry(command: str, state: str, *, percent: int = 0, mode: int = 1) -> tuple[str, dict[str, Any]]:
    return "intensity", {"command": command, "state": state, "percent": percent, "mode": mode}


def line(by: str, name: str, at: float = 10.0, **data: int) -> dict[str, Any]:
    kind = "command" if by == "host" else "acknowledged"
    return {"by": by, "kind": kind, "name": name, "time": at, "data": data}


FINISHED = ("finished", {"reason": "completed"})
STOPPING = ("stopping", {"reason": "stopped by you"})
STOPPED = ("stopped", {"confirmed_by": "the device", "after_ms": 20.0})
LINK_LOST = ("link_lost", {"reason": "gone"})
OUTPUT = [
    ("step", {"index": 0}),
    entry("level", "asked", percent=2),
    entry("level", "acknowledged", percent=2),
    entry("start", "asked", percent=2),
    entry("start", "acknowledged", percent=2),
]
JOURNAL = [*OUTPUT, entry("stop", "asked"), entry("stop", "acknowledged"), FINISHED]
HANDSHAKE = [line("host", "query_version"), line("host", "total_stop"), line("device", "total_stop")]
ON = [
    line("host", "set_intensity", percent=2),
    line("device", "set_intensity", percent=2),
    line("host", "start_output"),
    line("device", "start_output"),
]
OFF = [line("host", "stop_output"), line("device", "stop_output")]
CAPTURE = [*HANDSHAKE, *ON, *OFF, line("host", "total_stop")]


def differs(journal: list[tuple[str, dict[str, Any]]], capture: list[dict[str, Any]]) -> str | None:
    told: str | None = exchanges.difference(exchanges.of_journal(journal), exchanges.of_capture(capture, 0, 100))
    return told


def test_a_capture_with_all_that_the_journal_tells_does_not_differ_from_it() -> None:
    assert differs(JOURNAL, CAPTURE) is None


@pytest.mark.parametrize("index", [3, 4, 5, 6, 7, 8])
def test_whatever_of_output_the_capture_lacks_is_a_difference(index: int) -> None:
    assert differs(JOURNAL, CAPTURE[:index] + CAPTURE[index + 1 :]) is not None


def test_a_level_of_which_the_journal_does_not_know_is_a_difference() -> None:
    unknown = line("host", "set_intensity", percent=9)
    assert "set_intensity 9" in str(differs(JOURNAL, [*HANDSHAKE, *ON, unknown, *OFF]))
    assert "set_intensity 9" in str(differs(JOURNAL, [*CAPTURE, unknown]))


def test_another_level_than_the_journal_s_is_a_difference() -> None:
    other = line("host", "set_intensity", percent=3)
    assert "set_intensity 2" in str(differs(JOURNAL, [*HANDSHAKE, other, *ON[1:], *OFF]))


def test_a_stop_overtakes_the_answer_to_a_level_which_is_then_not_kept() -> None:
    journal = [*OUTPUT, entry("level", "asked", percent=3), STOPPING, STOPPED, FINISHED]
    asked, answered = line("host", "set_intensity", percent=3), line("device", "set_intensity", percent=3)
    stop, stopped = line("host", "total_stop"), line("device", "total_stop")
    for said in ([asked, stop, stop, answered, stopped], [asked, answered, stop, stopped], [asked, stop, stopped]):
        assert differs(journal, [*HANDSHAKE, *ON, *said]) is None
    assert "total_stop" in str(differs(journal, [*HANDSHAKE, *ON, asked, answered]))
    assert "set_intensity 3" in str(differs(journal, [*HANDSHAKE, *ON, stop, stopped]))
    assert "set_intensity 3" in str(differs(journal, [*HANDSHAKE, *ON, asked, answered, answered, stop, stopped]))


def test_an_answer_for_which_the_app_waited_no_longer_may_come_or_not() -> None:
    journal = [*OUTPUT[:-1], entry("stop", "asked"), entry("stop", "acknowledged"), FINISHED]
    for said in (ON, ON[:-1]):
        assert differs(journal, [*HANDSHAKE, *said, *OFF]) is None
    assert "start_output" in str(differs(journal, [*HANDSHAKE, *ON, ON[-1], *OFF]))
    assert "start_output" in str(differs(journal, [*HANDSHAKE, *ON[:2], *OFF]))


def test_a_command_that_the_end_of_the_link_overtook_may_not_have_left() -> None:
    journal = [*OUTPUT, entry("level", "asked", percent=3), LINK_LOST, STOPPING, STOPPED, FINISHED]
    asked, answered = line("host", "set_intensity", percent=3), line("device", "set_intensity", percent=3)
    for said in ([], [asked], [asked, answered]):
        assert differs(journal, [*HANDSHAKE, *ON, *said, *HANDSHAKE, *HANDSHAKE]) is None
    unsure = [*OUTPUT[:-1], LINK_LOST, FINISHED]
    assert "set_intensity 2" in str(differs(unsure, HANDSHAKE))  # what was answered did go out


def test_the_last_word_of_a_killed_app_may_not_have_left_nor_its_answer_have_been_kept() -> None:
    journal = OUTPUT[:4]
    for said in (ON[:2], ON[:3], ON):
        assert differs(journal, [*HANDSHAKE, *said]) is None
        assert (differs([*journal, FINISHED], [*HANDSHAKE, *said]) is None) is (said == ON[:3])
    assert "set_intensity 2" in str(differs(journal, [*HANDSHAKE, *ON[2:]]))


def test_what_was_said_before_and_after_a_session_is_not_of_it() -> None:
    lines = [line("host", "start_output", at) for at in (1.0, 5.0, 9.0)]
    assert len(exchanges.of_capture(lines, 2.0, 8.0)) == 1


# --- what is needed ---------------------------------------------------------------------------------------------------


def test_each_missing_package_is_named_once(tmp_path: Path) -> None:
    static = tmp_path / "busybox"
    static.write_bytes(b"\x7fELF static")

    def find(program: str) -> str | None:
        return None if program in {"bluetoothd", "btmon", "qemu-system-x86_64"} else str(static)

    assert machine.missing_packages(find) == ["qemu-system-x86", "bluez"]


def test_run_as_a_program_it_prints_every_missing_package_once_with_nothing_but_python(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _WITHOUT_PROGRAMS, ROOT / "scripts/bluez_vm/machine.py"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    assert sorted(result.stdout.split()) == sorted(set(machine.PACKAGE_OF.values()))


_WITHOUT_PROGRAMS = """\
import runpy, shutil, sys
shutil.which = lambda *_, **__: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("system", "processor"), [("darwin", "arm64"), ("linux", "aarch64"), ("win32", "AMD64")])
def test_a_computer_on_which_it_cannot_run_is_told_as_such_and_nothing_is_asked_for(
    system: str, processor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine.sys, "platform", system)
    monkeypatch.setattr(machine.platform, "machine", lambda: processor)
    assert machine.main() == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"scripts/bluez-vm: the lane boots a Debian kernel on x86-64 Linux; this is {processor} {system}\n"
    )


def _lane(*arguments: str | Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts/bluez_vm", *arguments],
        env={"PATH": str(path), "HOME": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_missing_is_told_in_one_line_and_nothing_is_left_behind(tmp_path: Path) -> None:
    result = _lane("--artefacts", tmp_path / "kept", path=tmp_path)  # a system with no program at all
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("scripts/bluez-vm: ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_in_it_is_not_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    result = _lane("--artefacts", folder, path=tmp_path)
    assert result.returncode == 1
    assert "name another folder" in result.stderr
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_busybox_that_needs_a_loader_is_the_wrong_one(tmp_path: Path) -> None:
    dynamic = tmp_path / "busybox"
    dynamic.write_bytes(b"\x7fELF /lib64/ld-linux-x86-64.so.2\0")
    assert machine.missing_packages(lambda _: str(dynamic)) == ["busybox-static"]


def test_the_kernel_is_the_newest_by_number_and_not_by_letter() -> None:
    depends = (
        "linux-image-amd64\n  Depends: linux-image-6.1.0-9-amd64\n  Depends: linux-image-6.1.0-56-amd64\n"
        "  Depends: linux-image-6.1.0-57-cloud-amd64-dbg\n"
    )
    assert machine.newest_kernel(depends) == "linux-image-6.1.0-56-amd64"
    assert machine.newest_kernel("") is None


def test_the_machine_is_emulated_reads_the_disk_only_and_writes_one_folder(tmp_path: Path) -> None:
    words = machine.command(Path("/v/vng"), Path("/b/vmlinuz-1"), Path("/d"), tmp_path, ["bash", "a b.sh"])
    assert words[:3] == ["/v/vng", "--run", "/b/vmlinuz-1"]
    assert {"--disable-kvm", "--force-9p"} <= set(words)
    assert words[words.index("--rwdir") + 1] == str(tmp_path)
    assert any("file=/d," in word and "readonly=on" in word for word in words)
    assert words[-2:] == ["--", "bash 'a b.sh'"]


def test_a_machine_that_does_not_end_is_ended(tmp_path: Path) -> None:
    heard: list[str] = []
    slow = ["/bin/sh", "-c", "echo up; exec sleep 600"]
    assert machine.run(slow, tmp_path / "log", 0.3, lambda said, _: heard.append(said)) is False
    assert heard == ["up"]
    assert (tmp_path / "log").read_text() == "up\n"
    assert machine.run(["/bin/sh", "-c", "echo down"], tmp_path / "log", 60, lambda *_: None) is True


# --- the image --------------------------------------------------------------------------------------------------------


def test_the_loader_s_files_are_read_out_of_what_ldd_prints() -> None:
    printed = (
        "/x/a.so:\n\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f11)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f12)\n/x/b:\n\tnot a dynamic executable\n\tlibgone.so => not found\n"
    )
    assert image.shared_libraries(printed) == {
        Path("/lib/x86_64-linux-gnu/libc.so.6"),
        Path("/lib64/ld-linux-x86-64.so.2"),
    }


def test_the_image_has_the_product_and_what_it_needs_and_nothing_for_developers() -> None:
    names = {found.metadata["Name"].lower() for found in image.closure("microcurrent-companion")}
    assert {"microcurrent-companion", "bleak", "bumble", "cryptography", "msgspec"} <= names
    assert names.isdisjoint({"pytest", "mypy", "numpy", "textual"})
    assert distribution("pytest") is not None  # it is here, and still not taken


# --- what is kept -----------------------------------------------------------------------------------------------------

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def recorded(folder: Path) -> Path:
    """What a machine has made: a capture in which a link is encrypted by a key, that key, and a journal."""
    made = folder / "made"
    (made / "people").mkdir(parents=True)
    (made / "people" / "journal").write_text("one session")
    (made / keeping.KEYS).write_text(f"{KEY}\n")
    with (made / keeping.CAPTURE).open("wb") as file:
        writer = open_writer("btsnoop", file)
        # LE Enable Encryption (Vol 4 Part E 7.8.24): handle, random number, EDIV, and the key
        writer.write(bytes.fromhex("01 1920 1c 4000") + bytes(10) + bytes.fromhex(KEY)[::-1], Direction.SENT, 10**9)
        writer.write(bytes.fromhex("04 0f 04 00 01 1920"), Direction.RECEIVED, 2 * 10**9)
    return made


def test_h9_what_is_kept_has_zeros_for_keys_and_all_else(tmp_path: Path) -> None:
    made, kept = recorded(tmp_path), tmp_path / "kept"
    assert keeping.places_of([KEY], made) == [keeping.CAPTURE, keeping.KEYS]
    keeping.keep(made, kept, with_keys=False)
    assert keeping.places_of([KEY], kept) == []
    assert sorted(path.name for path in kept.rglob("*")) == sorted([keeping.CAPTURE, "people", "journal"])
    before, after = ((folder / keeping.CAPTURE).read_bytes() for folder in (made, kept))
    assert after == before.replace(bytes.fromhex(KEY)[::-1], bytes(16))


def test_keys_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    made, kept = recorded(tmp_path), tmp_path / "kept"
    keeping.keep(made, kept, with_keys=True)
    assert keeping.places_of([KEY], kept) == [keeping.CAPTURE, keeping.KEYS]


@pytest.mark.parametrize(
    "written",
    [
        bytes.fromhex(KEY),
        bytes.fromhex(KEY)[::-1],
        KEY.encode(),
        KEY.upper().encode(),
        bytes.fromhex(KEY)[::-1].hex().encode(),
        bytes.fromhex(KEY)[8:],
    ],
    ids=["octets", "octets reversed", "digits", "capitals", "digits reversed", "half"],
)
def test_h9_a_key_is_found_however_it_is_written(written: bytes, tmp_path: Path) -> None:
    (tmp_path / "bluetoothd.log").write_bytes(b"new LTK: " + written + b"\n")
    (tmp_path / "innocent").write_bytes(b"0f1e2d3c and so on")
    assert keeping.places_of([KEY], tmp_path) == ["bluetoothd.log"]


def test_a_capture_that_cannot_be_read_is_not_kept_and_the_rest_is(tmp_path: Path) -> None:
    made, kept = recorded(tmp_path), tmp_path / "kept"
    (made / keeping.CAPTURE).write_bytes(b"nonsense " * 9 + bytes.fromhex(KEY))
    with pytest.raises(CaptureError):
        keeping.keep(made, kept, with_keys=False)
    assert keeping.places_of([KEY], kept) == []
    assert (kept / "people" / "journal").exists()


# --- the person -------------------------------------------------------------------------------------------------------


def test_the_lane_s_person_is_let_in_and_its_routines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "person"
    monkeypatch.setenv("COMPANION_DATA", str(folder))
    person.make(folder)
    assert main(["run", person.SHORT, "--demo", "dr05", "--speed", "max", "--json", "--yes"]) == 0
    assert '"reason": "completed"' in capsys.readouterr().out
    # Without the demo the screening, skin check and patch test count, of which --yes answers none.
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    assert main(["run", person.LONG, "--json", "--yes"]) == Exit.NO_DEVICE
