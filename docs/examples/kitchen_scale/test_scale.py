"""Each test shows one thing of the plugin. None of them needs Bluetooth, and none of them waits."""

import pytest
from bleak import BleakClient
from scale_app import Scale
from scale_protocol import ANSWERS, decoded
from simulated_scale import SimulatedScale

from protocols.gatt import uuid
from rig.pytest_plugin import Golden, Replay
from rig.replay.exchanges import Exchange

pytestmark = pytest.mark.usefixtures("virtual_clock")


async def test_weighs_what_is_on_it(bleak_client: BleakClient, virtual_device: SimulatedScale) -> None:
    async with Scale(bleak_client) as scale:
        virtual_device.on_it = 372.5
        assert await scale.weigh() == 372.5


@pytest.mark.rig_transcript
async def test_tares_a_bowl(bleak_client: BleakClient) -> None:
    """Recorded once, with `pytest --rig-record`; from then on the transcript is the device."""
    async with Scale(bleak_client) as scale:
        assert await scale.weigh() == 120.0
        await scale.tare()
        assert await scale.weigh() == 0.0


@pytest.mark.rig_faults("lost-answer.toml")
async def test_asks_again_when_an_answer_is_lost(bleak_client: BleakClient, virtual_device: SimulatedScale) -> None:
    async with Scale(bleak_client) as scale:
        assert await scale.weigh() == 120.0
    assert len(virtual_device.writes) == 2


@pytest.mark.rig_capture("transcripts/test_scale/test_tares_a_bowl.jsonl")
async def test_the_simulated_scale_answers_as_recorded(replay: Replay, simulated_device: SimulatedScale) -> None:
    await replay.as_central(simulated_device)


@pytest.mark.rig_capture("transcripts/test_scale/test_tares_a_bowl.jsonl")
def test_understands_what_was_recorded(replay: Replay, golden: Golden) -> None:
    def meaning(exchange: Exchange) -> list[object]:
        is_answer = exchange.to is not None and exchange.to.characteristic == uuid(ANSWERS) and exchange.value
        return [decoded(exchange.value)] if is_answer else []

    golden(replay.decoded_by(meaning))
