"""Transcripts in tests: played in each role, and what a test is told when its program does otherwise."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.rig.plugin.projects import AS_RECORDED, TRANSCRIPT, Project, said

pytest_plugins = ["pytester"]

CAPTURES = Path(__file__).parents[2] / "captures"

TWO_READS = """\
{"transcript": 1, "title": "Two", "name": "Two"}
{"service": "ffe0", "characteristics": [{"uuid": "ffe1", "properties": "read"}, {"uuid": "ffe2", "properties": "read"}]}
{"at": 0.000000, "by": "app", "does": "read", "to": "ffe0/ffe1", "value": "01", "answered": 0.000000}
{"at": 0.000000, "by": "app", "does": "read", "to": "ffe0/ffe2", "value": "02", "answered": 0.000000}
"""

DIFFERENT = {
    "another byte": (
        'await ask(bleak_client, b"on!")',
        "different from exchange 2, app writes ffe0/ffe1: 6f 6e 3f, recorded at 0.000 s: byte 2 is 21, recorded 3f",
    ),
    "nothing at all": ("pass", "left over at the end: exchange 1, app subscribes to ffe0/ffe1, recorded at 0.000 s"),
    "not to its end": (
        'await ask(bleak_client, b"on?")',
        "left over at the end: exchange 4, app reads ffe0/ffe1: 4f 4e 3f, recorded at 30.000 s",
    ),
    "something left out": (
        'await bleak_client.start_notify("ffe1", print); await bleak_client.read_gatt_char("ffe1")',
        "missing: exchange 2, app writes ffe0/ffe1: 6f 6e 3f, recorded at 0.000 s",
    ),
    "too late": (
        'await ask(bleak_client, b"on?"); await asyncio.sleep(0.06); await bleak_client.read_gatt_char("ffe1")',
        "late by 60.0 ms: exchange 4, app reads ffe0/ffe1: 4f 4e 3f, recorded at 30.000 s",
    ),
    "once more": (
        f'{AS_RECORDED.strip()}; await bleak_client.write_gatt_char("ffe1", b"on?", response=True)',
        "extra: app writes ffe0/ffe1: 6f 6e 3f",
    ),
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_a_program_that_does_as_recorded_passes(pytester: pytest.Pytester, mode: str) -> None:
    project = Project(pytester, mode=mode)
    project.tests(f"""
@pytest.mark.asyncio
@lamp_talk
async def test_client(bleak_client):
{AS_RECORDED}

@pytest.mark.asyncio
@lamp_talk
async def test_scanning(virtual_device):
    async with BleakClient(await BleakScanner.find_device_by_name("Lamp")) as bleak_client:
{AS_RECORDED.replace("    ", "        ")}

@pytest.mark.asyncio
@lamp_talk
async def test_by_hand(replay):
    device = await replay.as_peripheral()
    async with BleakClient(await BleakScanner.find_device_by_name("Lamp")) as bleak_client:
{AS_RECORDED.replace("    ", "        ")}
    assert device.is_complete and device.transcript == replay.transcript
""")
    project.run().assert_outcomes(passed=3)
    assert project.files() == []


@pytest.mark.parametrize(("body", "message"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_program_that_does_otherwise_fails_and_is_told_how(project: Project, body: str, message: str) -> None:
    project.tests(f"@lamp_talk\nasync def test_it(bleak_client):\n    {body}\n")
    result = project.run()
    result.assert_outcomes(failed=1)  # the test itself, and not its tear-down
    assert message in said(result)
    assert "lamp.jsonl as peripheral:" in said(result)
    assert "the conversation so far (- did not happen, + was not recorded)" in said(result)
    assert "Traceback" not in said(result)


def test_a_program_that_fails_by_itself_is_shown_what_it_said_until_then(project: Project) -> None:
    project.tests("""
@lamp_talk
async def test_it(bleak_client):
    await bleak_client.write_gatt_char("ffe1", b"of?", response=True)
""")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "BleakGATTProtocolError" in said(result)
    result.stdout.fnmatch_lines(
        ["*Captured rig call*", "*different from exchange 2, app writes*byte 1 is 66, recorded 6e"]
    )


def test_a_test_that_is_expected_to_differ_is_an_expected_failure(project: Project) -> None:
    project.tests("@pytest.mark.xfail(strict=True)\n@lamp_talk\nasync def test_it(bleak_client):\n    pass\n")
    project.run().assert_outcomes(xfailed=1)


def test_how_late_the_program_is_does_not_matter_on_the_wall_clock_or_where_it_is_said(project: Project) -> None:
    project.write("lamp.jsonl", TRANSCRIPT.replace("30.000000", "0.010000"))
    late = AS_RECORDED.replace("    assert await bleak", "    await asyncio.sleep(0.07)\n    assert await bleak")
    project.tests(
        f"""
import asyncio
import pytest
from app import ask

@pytest.mark.rig_capture("lamp.jsonl")
async def test_wall_clock(bleak_client):
{late}

@pytest.mark.rig_capture("lamp.jsonl", tolerance_s=0.1)
async def test_tolerated(bleak_client, virtual_clock):
{late}

@pytest.mark.rig_capture("lamp.jsonl", tolerance_s=None)
async def test_any_time(bleak_client, virtual_clock):
    await asyncio.sleep(1000)
{late}

@pytest.mark.rig_capture("lamp.jsonl")
async def test_judged(bleak_client, virtual_clock):
{late}
""",
        head="",
    )
    result = project.run()
    result.assert_outcomes(passed=3, failed=1)
    assert "late by 70.0 ms" in said(result)


def test_what_concerns_another_characteristic_may_be_out_of_order_where_it_is_said(project: Project) -> None:
    project.write("two.jsonl", TWO_READS)
    body = 'await bleak_client.read_gatt_char("ffe2"); await bleak_client.read_gatt_char("ffe1")'
    project.tests(f"""
@pytest.mark.rig_capture("two.jsonl", order="by-characteristic")
async def test_any(bleak_client):
    {body}

@pytest.mark.rig_capture("two.jsonl")
async def test_strict(bleak_client):
    {body}

@pytest.mark.rig_capture("two.jsonl", order="random")
async def test_no_such_order(bleak_client):
    pass
""")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1, errors=1)
    assert "swapped: exchange 1, app reads ffe0/ffe2: 02, came before exchange 0" in said(result)
    assert 'there is no order \'random\': use "strict" or "by-characteristic"' in said(result)


def test_the_recorded_app_is_played_to_the_projects_device(project: Project) -> None:
    project.tests("""
@lamp_talk
async def test_as_recorded(replay, simulated_device):
    outcome = await replay.as_central(simulated_device)
    assert outcome.exchanges == 4
    assert [seen.data for seen in simulated_device.writes] == [b"on?"]

@lamp_talk
async def test_otherwise(replay, simulated_device):
    simulated_device.on_write("ffe1", lambda data: simulated_device.notify("ffe1", b"OFF", after=30.0))
    await replay.as_central(simulated_device)
""")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert (
        "different from exchange 3, device notifies ffe0/ffe1: 4f 4e 3f, recorded at 30.000 s: "
        "byte 1 is 46, recorded 4e, byte 2 is 46, recorded 3f"
    ) in said(result)
    assert "lamp.jsonl as central:" in said(result)


def test_a_transcript_goes_through_its_protocol_and_is_held_against_a_golden_file(
    project: Project, tmp_path: Path
) -> None:
    source = CAPTURES.parents[1] / "rig" / "replay" / "examples" / "dr05-makers-total-stop.jsonl"
    project.write("stop.jsonl", source.read_text("utf-8"))
    project.tests("""
stop = pytest.mark.rig_capture("stop.jsonl")

@stop
def test_golden(replay):
    assert replay.as_decoder(golden="kept/stop.golden").role == "decoder"

@stop
def test_by_itself(replay):
    replay.as_decoder()
""")
    first = project.run()
    first.assert_outcomes(failed=2)
    assert (
        "kept/stop.golden: there is no golden file yet; make it with `pytest --rig-update test_lamp.py::test_golden`"
    ) in said(first)
    assert "stop.jsonl as decoder:" in said(first)
    assert not (project.path / "kept").exists()
    second = project.run("--rig-update")
    second.assert_outcomes(passed=1, failed=1)
    assert "written kept/stop.golden" in said(second)
    third = project.run("--rig-update", "-k", "golden")
    assert "written" not in said(third)  # it is as it was
    project.run("-k", "golden").assert_outcomes(passed=1, deselected=1)
    kept = project.path / "kept" / "stop.golden"
    kept.write_text(re.sub(r'"told": \["[^"]*', '"told": ["something else', kept.read_text("utf-8"), count=1), "utf-8")
    fourth = project.run("-k", "golden")
    fourth.assert_outcomes(failed=1, deselected=1)
    assert "something else" in said(fourth)
    kept.write_text("no golden file", "utf-8")
    assert "write it again with --rig-update" in said(project.run("-k", "golden"))


def test_a_protocol_that_the_rig_does_not_know_is_handed_in(project: Project) -> None:
    project.tests("""
from dataclasses import replace
from protocols.foreo import ENTRY
from protocols.registry import Registry

@pytest.fixture
def protocol_registry():
    return Registry([replace(ENTRY, key="lamp", matches=lambda name, services: 100 * (name == "Lamp"))])

@lamp_talk
def test_it(transcript, replay):
    assert transcript.protocol == "lamp" == replay.transcript.protocol

@pytest.mark.rig_capture("lamp.jsonl", protocol="foreo")
def test_named(transcript):
    assert transcript.protocol == "foreo"
""")
    project.run().assert_outcomes(passed=2)


def test_ones_own_code_makes_something_of_each_exchange(project: Project) -> None:
    project.tests("""
@lamp_talk
def test_it(replay):
    meaning = lambda exchange: [exchange.value.decode(), 7] if exchange.does == "notification" else []
    assert replay.decoded_by(meaning) == [
        "0.000 s  app connects",
        "0.000 s  app subscribes to ffe0/ffe1",
        "0.000 s  app writes ffe0/ffe1: 6f 6e 3f",
        "30.000 s  device notifies ffe0/ffe1: 4f 4e 3f  # ON?; 7",
        "30.000 s  app reads ffe0/ffe1: 4f 4e 3f",
    ]
""")
    project.run().assert_outcomes(passed=1)


def test_a_capture_is_replayed_as_it_is_and_its_link_is_chosen(project: Project) -> None:
    packed = CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz"
    (project.path / "pongbot.log").write_bytes(gzip.decompress(packed.read_bytes()))
    project.tests("""
@pytest.mark.rig_capture("pongbot.log", link=2)
def test_link(transcript):
    assert "link 2" in transcript.source and len(transcript.exchanges) > 10

@pytest.mark.rig_capture("pongbot.log", link=99)
def test_no_link(transcript):
    pass
""")
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    assert "pongbot.log: has no link 99 with ATT traffic" in said(result)


FILES = {
    "not there": ('"nowhere.jsonl"', "nowhere.jsonl: there is no such file"),
    "not one": ('"app.py"', "app.py"),
    "no file": ("", "rig_capture takes a file, relative to the test file"),
    "an unknown option": ('"lamp.jsonl", links=2', "rig_capture takes a file, relative to the test file"),
}


@pytest.mark.parametrize(("arguments", "message"), FILES.values(), ids=FILES)
def test_a_capture_that_cannot_be_had_is_told_in_one_line(project: Project, arguments: str, message: str) -> None:
    project.tests(f"@pytest.mark.rig_capture({arguments})\ndef test_it(transcript):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert message in said(result)
    assert str(project.path / "nowhere") not in said(result)
    assert "During handling" not in said(result)


MARKED = {
    "rig_capture": '@pytest.mark.rig_capture("lamp.jsonl")',
    "rig_transcript": "@pytest.mark.rig_transcript",
    "rig_faults": '@pytest.mark.rig_faults("plan.toml")',
    "rig_device": '@pytest.mark.rig_device("dr05")',
}


@pytest.mark.parametrize("marker", MARKED)
def test_a_marker_that_has_nothing_to_work_on_fails_its_test(project: Project, marker: str) -> None:
    project.tests(f"{MARKED[marker]}\ndef test_it():\n    pass\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert f"{marker} had nothing to work on: ask for virtual_device, bleak_client" in said(result)


def test_a_marker_of_a_whole_module_is_for_those_that_use_it(project: Project) -> None:
    project.tests("""
pytestmark = [pytestmark, pytest.mark.rig_capture("lamp.jsonl"), pytest.mark.rig_faults("plan.toml")]

def test_it():
    pass
""")
    project.run().assert_outcomes(passed=1)


def test_as_peripheral_needs_a_test_with_a_radio(project: Project) -> None:
    project.tests("""
@lamp_talk
def test_it(replay):
    asyncio.run(replay.as_peripheral())
""")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "replay.as_peripheral needs a radio: make the test async" in said(result)


# ---- faults ---------------------------------------------------------------------------------------------------------

PLAN = 'format = 1\n[[fault]]\nname = "lost answer"\nkind = "drop"\ndirection = "to_app"\nnth = {nth}\n'
FAULTY = """
@pytest.mark.rig_faults("plan.toml")
async def test_simulated(bleak_client):
    with pytest.raises(TimeoutError):
        await ask(bleak_client, b"on?")

@lamp_talk
@pytest.mark.rig_faults("plan.toml")
async def test_replayed(bleak_client):
    with pytest.raises(TimeoutError):
        await ask(bleak_client, b"on?")
    await bleak_client.read_gatt_char("ffe1")

@lamp_talk
@pytest.mark.rig_faults("plan.toml")
async def test_central(replay, simulated_device):
    await replay.as_central(simulated_device)
"""


def test_a_plan_comes_between_the_device_and_its_radio_in_every_role(project: Project) -> None:
    project.write("plan.toml", PLAN.format(nth=1))
    project.tests(FAULTY)
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)  # what is lost is not as recorded
    assert "late by" in said(result)
    assert "missing: exchange 3, device notifies ffe0/ffe1: 4f 4e 3f" in said(result)
    assert "invalid" not in said(result)


def test_a_run_in_which_a_planned_fault_never_fired_is_invalid(project: Project) -> None:
    project.write("plan.toml", PLAN.format(nth=2))
    project.tests(FAULTY.replace("with pytest.raises(TimeoutError):\n        await ask", "if True:\n        await ask"))
    result = project.run()
    result.assert_outcomes(failed=3)
    reason = (
        'the planned fault "lost answer" (drop) fired 0 times and has to fire at least 1 times: the run says nothing'
    )
    assert said(result).count(reason) >= 3
    assert "invalid run: plan.toml" in said(result)
    for role in ("peripheral", "central"):
        assert f"lamp.jsonl as {role}:" in said(result)


def test_a_test_that_fails_by_itself_is_not_said_to_be_invalid(project: Project) -> None:
    project.write("plan.toml", PLAN.format(nth=2))
    project.tests('@pytest.mark.rig_faults("plan.toml")\nasync def test_it(bleak_client):\n    assert 1 == 2\n')
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "invalid run" not in said(result)


PLANS = {
    "not there": ('"nowhere.toml"', "rig_faults: nowhere.toml: cannot be read"),
    "not one": ('"lamp.jsonl"', "this is not TOML"),
    "of another device": ('"other.toml"', "Lamp has no characteristic"),
    "no plan": ("", "rig_faults takes a plan, relative to the test file"),
}


@pytest.mark.parametrize(("arguments", "message"), PLANS.values(), ids=PLANS)
def test_a_plan_that_cannot_be_used_is_told_in_one_line(project: Project, arguments: str, message: str) -> None:
    project.write("other.toml", PLAN.format(nth=1) + 'characteristic = "abcd"\n')
    project.tests(f"@pytest.mark.rig_faults({arguments})\nasync def test_it(bleak_client):\n    pass\n")
    result = project.run()
    result.assert_outcomes(errors=1)
    assert message in said(result)
    assert "During handling" not in said(result)


def test_a_plan_and_a_transcript_of_ones_own_do_not_go_together(project: Project) -> None:
    project.write("plan.toml", PLAN.format(nth=1))
    project.tests("""
@pytest.mark.rig_transcript
@pytest.mark.rig_faults("plan.toml")
async def test_it(bleak_client):
    pass
""")
    result = project.run("--rig-record")
    result.assert_outcomes(errors=1)
    assert "rig_faults and rig_transcript do not go together" in said(result)
    assert project.files() == []
