"""What a recording and a log hold of the keys of a pairing: nothing, unless it was asked for."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from bumble.keys import PairingKeys
from hypothesis import given
from hypothesis import strategies as st

from companion.cli import main
from companion.config import DATA_VARIABLE, Exit
from rig.capture.keys import KeyWipe
from rig.capture.writer import BTSNOOP_HEADER, BTSNOOP_RECORD, BtsnoopWriter, Direction
from rig.clock import run
from rig.devices.omp import SimulatedOmp
from rig.radio.host import Recording
from rig.radio.link import VirtualRadio
from rig.radio.pairing import Ability, Pairing
from tests.rig.capture import hci_traffic as hci
from tests.rig.radio_world import client_for
from tests.rig.test_pairing_methods import Person

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CENTRAL_IRK, DEVICE_IRK = bytes(range(0xA0, 0xB0)), bytes(range(0xC0, 0xD0))
KEY = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")


class Paired(NamedTuple):
    """A pairing and the link encrypted anew by its bond: both ends' recordings, and every key that there was."""

    central: bytes
    device: bytes
    secrets: set[bytes]
    left_out: bool


def pairing(*, with_keys: bool) -> Paired:
    async def go() -> Paired:
        central, device = io.BytesIO(), io.BytesIO()
        async with VirtualRadio() as radio:
            radio.record(BtsnoopWriter(central, EPOCH), with_keys=with_keys)
            peripheral = await radio.add_device(SimulatedOmp())
            peripheral._bumble.irk = DEVICE_IRK
            peripheral._host.recording = Recording(BtsnoopWriter(device, EPOCH), with_keys=with_keys)
            (await radio.adapter.ready()).irk = CENTRAL_IRK
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_TYPES, Person())
            client = await client_for(radio, "OMP")
            for _ in range(2):
                async with client:
                    await client.pair()
            store = (await radio.adapter.ready()).keystore
            assert store is not None
            secrets = {CENTRAL_IRK, DEVICE_IRK, *(key for _, keys in await store.get_all() for key in of(keys))}
            return Paired(central.getvalue(), device.getvalue(), secrets, radio.adapter.keys_left_out)

    return run(go())


def of(keys: PairingKeys) -> Iterator[bytes]:
    for key in (keys.ltk, keys.ltk_central, keys.ltk_peripheral, keys.irk, keys.csrk, keys.link_key):
        if key is not None:
            yield key.value


def found(secrets: set[bytes], where: bytes) -> set[bytes]:
    """Those keys of which eight octets in a row are there, either way round."""
    return {
        key for key in secrets for way in (key, key[::-1]) if any(way[at : at + 8] in where for at in range(0, 16, 4))
    }


def packets(recording: bytes) -> list[bytes]:
    """The H4 packets of a btsnoop file."""
    place, those = len(BTSNOOP_HEADER), []
    while place < len(recording):
        _, length, *_ = BTSNOOP_RECORD.unpack_from(recording, place)
        place += BTSNOOP_RECORD.size
        those.append(recording[place : place + length])
        place += length
    return those


def test_a_recording_of_a_pairing_holds_no_key_and_says_so() -> None:
    paired = pairing(with_keys=False)
    assert len(paired.secrets) >= 3  # the LTK and both IRKs
    assert found(paired.secrets, paired.central) == set()
    assert found(paired.secrets, paired.device) == set()
    assert paired.left_out


def test_a_recording_with_keys_holds_every_one_of_them() -> None:
    paired = pairing(with_keys=True)
    assert found(paired.secrets, paired.central) == paired.secrets
    assert found(paired.secrets, paired.device) == paired.secrets
    assert not paired.left_out


def test_what_is_wiped_of_a_recording_is_the_keys_and_nothing_else() -> None:
    paired = pairing(with_keys=True)
    for recording in (paired.central, paired.device):
        wipe = KeyWipe()
        before = packets(recording)
        after = [wipe.wiped(packet, Direction.SENT) for packet in before]
        assert [len(packet) for packet in before] == [len(packet) for packet in after]
        changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        assert len(changed) == wipe.packets
        # Enable Encryption or Long Term Key Request Reply; of SMP confirm and random values and both IRKs.
        codes = {one[1:3] if one[0] == 1 else one[9:10] for one, _ in changed}
        assert codes <= {b"\x19\x20", b"\x1a\x20", b"\x03", b"\x04", b"\x08"}
        assert codes & {b"\x19\x20", b"\x1a\x20"}
        for one, other in changed:
            places = [at for at in range(len(one)) if one[at] != other[at]]
            assert places[-1] - places[0] < 16
            assert not any(other[at] for at in places)


@given(st.data())
def test_a_key_that_comes_in_pieces_is_wiped_however_they_are_cut(data: st.DataObject) -> None:
    pdu = hci.l2cap(6, b"\x06" + KEY)
    inner = data.draw(st.sets(st.integers(1, len(pdu) - 1), max_size=6))
    cuts = [0, *sorted(inner), len(pdu)]
    wipe = KeyWipe()
    seen = b""
    for number, (start, end) in enumerate(pairwise(cuts)):
        if data.draw(st.booleans()):  # somebody else's talk in between
            other = hci.att(0x41, hci.RECEIVED, b"\x1b\x03\x00" + KEY).data
            assert wipe.wiped(other, Direction.RECEIVED) == other
        boundary = hci.CONTINUED if number else hci.FIRST
        packet = hci.acl(0x40, hci.RECEIVED, pdu[start:end], boundary).data
        seen += wipe.wiped(packet, Direction.RECEIVED)[5:]
    assert seen == hci.l2cap(6, b"\x06" + bytes(16))


def test_what_att_carries_is_never_taken_for_a_key() -> None:
    wipe = KeyWipe()
    talk = [
        hci.att(0x40, hci.SENT, b"\x12\x03\x00" + KEY).data,
        hci.acl(0x40, hci.RECEIVED, hci.l2cap(4, b"\x1b\x03\x00" + KEY)[:9]).data,
        hci.acl(0x40, hci.RECEIVED, hci.l2cap(4, b"\x1b\x03\x00" + KEY)[9:], hci.CONTINUED).data,
        hci.acl(0x40, hci.RECEIVED, b"").data,
        b"\x05\x00",
    ]
    assert [wipe.wiped(packet, Direction.RECEIVED) for packet in talk] == talk
    assert wipe.packets == 0


# --- the command line -------------------------------------------------------------------------------------------------

SESSION = ("run", "first-touch", "--demo", "omp", "--yes", "--speed", "max")


def enabled_with(recording: bytes) -> list[bytes]:
    """The keys in the LE Enable Encryption commands (Core Specification Vol 4 Part E 7.8.24)."""
    return [packet[16:32] for packet in packets(recording) if packet[:3] == b"\x01\x19\x20"]


def test_companion_leaves_the_keys_out_unless_told_to_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    usual, with_keys = tmp_path / "usual.btsnoop", tmp_path / "keys.btsnoop"
    assert main([*SESSION, "--record", str(usual)]) == Exit.FINISHED
    assert "the keys of the pairing are zeros in" in capsys.readouterr().err
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "other"))
    assert main([*SESSION, "--record", str(with_keys), "--with-keys"]) == Exit.FINISHED
    assert "keys" not in capsys.readouterr().err
    assert {path.stat().st_mode & 0o777 for path in (usual, with_keys)} == {0o600}
    assert enabled_with(usual.read_bytes())
    assert not any(map(any, enabled_with(usual.read_bytes())))
    assert any(map(any, enabled_with(with_keys.read_bytes())))


@pytest.mark.parametrize("line", [(*SESSION, "--with-keys"), ("--demo", "omp", "--with-keys")], ids=["run", "app"])
def test_keys_of_no_recording_are_a_mistake_in_the_line(
    line: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == Exit.USAGE
    said = capsys.readouterr().err
    assert "--record" in said
    assert said.count("\n") == 1


# --- logs -------------------------------------------------------------------------------------------------------------


def spellings(key: bytes) -> Iterator[str]:
    for way in (key, key[::-1]):
        yield way.hex()
        yield way.hex(" ")
        yield repr(way)


def test_no_key_is_in_any_log_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in [one for one in logging.root.manager.loggerDict if one.startswith(("bumble", "rig", "bleak"))]:
            caplog.set_level(logging.DEBUG, logger=name)
        paired = pairing(with_keys=True)
    log = caplog.text.lower()
    assert "encreq" in log  # the log is that of a link that was encrypted, and at debug level
    leaked = [text for key in paired.secrets for text in spellings(key) if text.lower() in log]
    assert leaked == []


@pytest.mark.parametrize("name", ["bumble.host", "bumble.controller", "bumble.device", "bumble.transport.common"])
def test_a_packet_in_a_log_keeps_its_name_and_loses_its_octets(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=name):
        logging.getLogger(name).debug("HCI_LE_ENABLE_ENCRYPTION %s %r ediv=0", KEY.hex().upper(), KEY)
    assert caplog.messages == ["HCI_LE_ENABLE_ENCRYPTION [octets] [octets] ediv=0"]


def test_what_the_security_manager_notes_at_debug_level_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="bumble.smp"):
        logging.getLogger("bumble.smp").debug("TK from passkey = %s", KEY.hex())
        logging.getLogger("bumble.smp").warning("pairing failure")
    assert caplog.messages == ["pairing failure"]
