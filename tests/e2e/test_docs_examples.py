"""The programs of the documentation, run as a reader runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def _run(example: str, *arguments: Path, said_to_it: str = "") -> str:
    return subprocess.run(
        [sys.executable, EXAMPLES / example, *arguments], input=said_to_it, capture_output=True, text=True, check=True
    ).stdout


def test_face_to_face_the_forbidden_start_is_refused_and_the_trace_ends_at_zero() -> None:
    lines = _run("face_to_face.py").splitlines()
    assert lines[0].startswith("refused: set the lowest level, 1 %")
    assert [line.split()[2] for line in lines[1:]] == ["1", "0"]


def test_the_frames_of_a_recording_are_told_apart_by_their_sender_and_joined_across_notifications() -> None:
    recorded = "0.1\t0x52\t55aa0500a633024059d2\n0.2\t0x1b\t55aa0700a63301\n0.3\t0x1b\t400201a7dd\n0.4\t0x1b\tff\n"
    printed = [" ".join(line.split()) for line in _run("frames_of_a_recording.py", said_to_it=recorded).splitlines()]
    assert printed == [
        "0.100 host 33 02 40 checksum high_first",
        "0.300 device 33 01 40 02 01 checksum high_first",
        "0.400 device not a frame: ff (no frame starts here)",
    ]


def test_the_notifications_of_a_capture_are_printed_with_what_their_handles_mean() -> None:
    capture = EXAMPLES.parents[1] / "tests" / "captures" / "BLETools__btsnoop_hci.log"
    first, *others = _run("notifications_of_a_capture.py", capture).splitlines()
    assert first == "1550819892.085316000  link 1  0x000e ffe4      66 15 23 4a 41 02 14 e1 76 00 0a 99"
    assert len(others) == 4


def test_the_intervals_of_a_captures_notifications_are_measured_per_link_and_characteristic() -> None:
    capture = EXAMPLES.parents[1] / "tests" / "captures" / "pongbot-mcp__btsnoop_hci.log.last.gz"
    measured = [line.split() for line in _run("intervals_of_a_capture.py", capture).splitlines()]
    assert ["link", "2"] in [words[:2] for words in measured]
    assert all(float(words[5]) <= float(words[8]) for words in measured)  # the median, and the longest
