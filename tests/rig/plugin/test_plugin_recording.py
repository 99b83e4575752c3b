"""Transcripts by test id: made when asked for and never else, one file a test, named when no test has them any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rig.pytest_plugin.files import golden_path, name_of, stale, transcript_path, write_whole
from rig.replay.transcript import load
from tests.rig.plugin.projects import AS_RECORDED, Project, said

pytest_plugins = ["pytester"]

ONE = f"""
@pytest.mark.rig_transcript
async def test_asks(bleak_client):
{AS_RECORDED}
"""
OTHERWISE = ONE.replace("on?", "go?").replace("ON?", "GO?")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


def test_a_missing_transcript_fails_with_the_command_that_makes_it_and_makes_nothing(project: Project) -> None:
    project.tests(ONE)
    result = project.run()
    result.assert_outcomes(errors=1)
    assert (
        "transcripts/test_lamp/test_asks.jsonl: this test has no transcript yet; record it with "
        "`pytest --rig-record test_lamp.py::test_asks`"
    ) in said(result)
    assert project.files() == []


def test_what_is_recorded_once_is_the_device_from_then_on(project: Project) -> None:
    project.tests(ONE)
    first = project.run("--rig-record")
    first.assert_outcomes(passed=1)
    assert "recorded transcripts/test_lamp/test_asks.jsonl" in said(first)
    path = project.path / "transcripts/test_lamp/test_asks.jsonl"
    transcript = load(path)
    assert [one.does for one in transcript.exchanges] == ["connect", "subscribe", "write", "notification", "read"]
    assert transcript.source == "test_lamp.py::test_asks"
    project.write("conftest.py", "")  # there is no simulated device any more
    project.run().assert_outcomes(passed=1)
    again = project.run("--rig-record")
    again.assert_outcomes(passed=1)
    assert "recorded transcripts" not in said(again)  # what is there is replayed


def test_recorded_twice_it_is_the_same_to_the_byte_and_not_said_to_be_new(project: Project) -> None:
    project.tests(ONE)
    project.run("--rig-record")
    path = project.path / "transcripts/test_lamp/test_asks.jsonl"
    before = path.read_bytes()
    result = project.run("--rig-update")
    result.assert_outcomes(passed=1)
    assert path.read_bytes() == before
    assert "recorded transcripts" not in said(result)


def test_a_program_that_has_changed_fails_until_the_transcript_is_made_anew(project: Project) -> None:
    project.tests(ONE)
    project.run("--rig-record")
    project.tests(OTHERWISE)
    project.run("--rig-record").assert_outcomes(failed=1)
    result = project.run("--rig-update")
    result.assert_outcomes(passed=1)
    assert "recorded transcripts/test_lamp/test_asks.jsonl" in said(result)
    project.run().assert_outcomes(passed=1)


def test_a_test_that_fails_records_nothing(project: Project) -> None:
    project.tests(ONE + "    assert 1 == 2\n")
    project.run("--rig-record").assert_outcomes(failed=1)
    assert project.files() == []


def test_a_conversation_with_a_device_of_the_rigs_own_is_recorded_with_its_protocol(project: Project) -> None:
    project.tests("""
@pytest.mark.rig_device("dr05", seed=1)
@pytest.mark.rig_transcript
async def test_listens(bleak_client):
    there = [c for c in bleak_client.services.characteristics.values() if "notify" in c.properties]
    for characteristic in there:
        await bleak_client.start_notify(characteristic, print)
    await asyncio.sleep(60)
    for characteristic in there:
        await bleak_client.stop_notify(characteristic)
""")
    project.run("--rig-record").assert_outcomes(passed=1)
    assert load(project.path / "transcripts/test_lamp/test_listens.jsonl").protocol == "dr05"
    project.run().assert_outcomes(passed=1)


READ = 'read_gatt_char("ffe1")'
REFUSED = {
    "nothing was said": ("pass", "not recorded: nothing was read, written or notified: there is nothing to record"),
    "two connections": (
        "".join(f"await bleak_client.{does}; " for does in (READ, "disconnect()", "connect()", READ)),
        "not recorded: the test talked on 2 connections and a transcript holds one: make a test of each",
    ),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_transcript_is_told(project: Project, body: str, message: str) -> None:
    project.tests(f"@pytest.mark.rig_transcript\nasync def test_it(bleak_client):\n    {body}\n")
    result = project.run("--rig-record")
    result.assert_outcomes(failed=1)
    assert message in said(result)
    assert project.files() == []


def test_a_transcript_cannot_be_asked_for_while_it_is_made_or_where_nobody_makes_it(project: Project) -> None:
    project.tests("""
@pytest.mark.rig_transcript
async def test_recorded(bleak_client, transcript):
    pass

def test_other(transcript):
    pass

@pytest.mark.rig_transcript("lamp.jsonl")
async def test_named(bleak_client):
    pass
""")
    result = project.run("--rig-record")
    result.assert_outcomes(errors=3)
    assert "transcripts/test_lamp/test_recorded.jsonl: is being recorded in this run" in said(result)
    assert "transcripts/test_lamp/test_other.jsonl: this test has no transcript: name a file with" in said(result)
    assert "rig_transcript takes order and tolerance_s alone" in said(result)


def test_every_id_has_a_file_of_its_own(project: Project) -> None:
    test = "async def test_asks(self, bleak_client):" + AS_RECORDED.replace("    ", "        ")
    project.tests(f"""
pytestmark = [pytestmark, pytest.mark.rig_transcript]

class TestLamp:
    {test}

class Testlamp:
    {test}

@pytest.mark.parametrize("word", ["a/b", "a:b", "A/B", "ü"])
async def test_asks(bleak_client, word):
    await bleak_client.write_gatt_char("ffe1", word.encode(), response=True)
""")
    project.run("--rig-record").assert_outcomes(passed=6)
    names = [Path(name).name for name in project.files()]
    assert len({name.lower() for name in names}) == 6
    assert all(name.isascii() and not set(name) & set('<>:"/\\|?*[] ') for name in names)
    project.run().assert_outcomes(passed=6)


def test_a_transcript_that_no_test_has_is_named_when_its_file_ran_whole(project: Project) -> None:
    project.tests(ONE)
    project.tests(
        '@pytest.mark.rig_capture("transcripts/test_lamp/shared.jsonl")\ndef test_it(transcript):\n    pass\n',
        "test_other",
    )
    project.run("--rig-record", "test_lamp.py")
    folder = project.path / "transcripts/test_lamp"
    recorded = (folder / "test_asks.jsonl").read_text("utf-8")
    (folder / "test_gone.jsonl").write_text(recorded, "utf-8")
    (folder / "shared.jsonl").write_text(recorded, "utf-8")
    gone = project.path / "transcripts/test_gone"
    gone.mkdir()
    (gone / "test_it.jsonl").write_text(recorded, "utf-8")
    shown = said(project.run())
    assert "no test has transcripts/test_lamp/test_gone.jsonl: delete it" in shown
    assert "no test has transcripts/test_gone/test_it.jsonl: delete it" in shown
    assert shown.count("no test has") == 2  # what another test's capture is is in use
    assert "no test has" in said(project.run("-k", "asks"))  # deselected, and collected all the same
    assert "no test has" not in said(project.run("test_lamp.py::test_asks"))


# ---- names and files ------------------------------------------------------------------------------------------------

IDS = st.text(st.sampled_from("aAbB_[]-.:/ 1é"), min_size=1, max_size=8)


@example("test_A", "test_a")
@example("test_on[A]", "test_on[a]")
@example("test_on[b-c]", "test_on[b.c]")
@given(IDS, IDS)
def test_two_ids_never_share_a_file_whatever_the_file_system_folds(one: str, other: str) -> None:
    assert (one == other) == (name_of(one).casefold() == name_of(other).casefold())


@pytest.mark.parametrize(
    ("test_id", "name"),
    [
        ("test_on", "test_on"),
        ("con", "con-cebf4f5d8e"),
        ("TestLamp::test_on[red-1]", "testlamp-test_on-red-1-"),
        ("test_" + "x" * 300, "test_" + "x" * 55 + "-"),
    ],
    ids=["plain", "reserved", "class and parameters", "long"],
)
def test_a_file_name_is_readable_and_fit_for_every_system(test_id: str, name: str) -> None:
    assert name_of(test_id).startswith(name.removesuffix("cebf4f5d8e"))
    assert len(name_of(test_id)) <= 100


def test_the_files_of_a_test_are_beside_it() -> None:
    test_file = Path("/p/tests/test_a.py")
    assert transcript_path(test_file, "test_x") == Path("/p/tests/transcripts/test_a/test_x.jsonl")
    assert golden_path(test_file, "test_x", "", ".txt") == Path("/p/tests/golden/test_a/test_x.txt")
    assert golden_path(test_file, "test_x", "picture", ".bin") == Path("/p/tests/golden/test_a/test_x.picture.bin")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"one")
    assert path.read_bytes() == b"one"

    def refuse(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no room"):
        write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_beside_a_test_file_that_was_not_collected_is_not_looked_at(tmp_path: Path) -> None:
    for name in ("test_a", "test_b"):
        (tmp_path / f"{name}.py").touch()
        write_whole(tmp_path / "transcripts" / name / "test_x.jsonl", b"")
    assert stale([tmp_path / "test_a.py"], frozenset()) == [tmp_path / "transcripts/test_a/test_x.jsonl"]
    assert stale([tmp_path / "test_a.py"], frozenset({tmp_path / "transcripts/test_a/test_x.jsonl"})) == []
