"""Real recordings: the links that Wireshark shows in them, no more and no fewer, and who is at their ends.

The expected values were read off with tshark 4.0.17 (bthci_evt.le_meta_subevent 1 and 10, bthci_evt.code 5).
"""

from __future__ import annotations

from pathlib import Path

from rig.capture.layers.links import LOCAL, REMOTE, Address
from rig.capture.layers.stack import Stack
from rig.capture.registry import open_reader

CAPTURES = Path(__file__).parents[2] / "captures"


def heard(name: str) -> Stack:
    stack = Stack()
    for record in open_reader(CAPTURES / name).records():
        stack.feed(record)
    return stack


def test_three_connections_on_one_handle_are_three_links() -> None:
    stack = heard("BLETools__btsnoop_hci.log")
    assert [
        (link.number, link.handle, link.first_frame, link.history[-1].frame, link.history[-1].data["reason"])
        for link in stack.links
    ] == [
        (1, 64, 326, 527, "connection_timeout"),
        (2, 64, 530, 615, "response_timeout"),
        (3, 64, 618, 1328, "connection_timeout"),
    ]
    for link in stack.links:
        assert link.beginning_seen
        assert link.central_side == LOCAL
        assert link.addresses[REMOTE] == Address("F8:1D:78:63:4D:50", is_random=False)
    assert stack.observations.names["F8:1D:78:63:4D:50"] == "LEDBLE-78634D50"
    assert stack.observations.counts == {"cancelled_connections": 2}


def test_a_phone_with_fourteen_connections_one_upon_the_other() -> None:
    stack = heard("pongbot-mcp__btsnoop_hci.log.last.gz")
    assert [(link.first_frame, link.handle, link.addresses[REMOTE]) for link in stack.links] == [
        (261, 65, Address("74:B8:39:DF:CE:4A")),
        (439, 66, Address("5C:B2:60:06:49:73")),
        (563, 67, Address("14:32:38:31:47:34")),
        (1085, 68, Address("C5:34:18:42:4C:43")),
        (5753, 67, Address("C5:34:18:42:4C:43")),
        (5823, 67, Address("C5:34:18:42:4C:43")),
        (5917, 66, Address("C5:34:18:42:4C:43")),
        (6044, 67, Address("5C:B2:60:06:49:73")),
        (6088, 67, Address("5C:B2:60:06:49:73")),
        (6273, 65, Address("74:B8:39:DF:CE:4A")),
        (6485, 66, Address("C5:34:18:42:4C:43")),
        (6531, 66, Address("C5:34:18:42:4C:43")),
        (7300, 67, Address("5C:B2:60:06:49:73")),
        (7396, 67, Address("5C:B2:60:06:49:73")),
    ]
    assert {link.central_side for link in stack.links} == {LOCAL}
    assert stack.observations.counts == {"cancelled_connections": 35, "failed_connections": 229}


def test_a_linux_monitor_tells_the_local_address_and_the_pairing() -> None:
    (link,) = heard("ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir").links
    assert link.addresses == [Address("A0:AF:BD:F3:5E:D9"), Address("F6:3C:91:42:32:28", is_random=True)]
    assert [one.kind for one in link.history] == [
        "connected",
        "pairing",
        "pairing",
        "mtu",
        "parameters_requested",
        "parameters_answered",
        "parameters",
        "encryption",
    ]


def test_a_recording_of_att_alone_has_its_links_by_handle() -> None:
    stack = heard("esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log")
    assert [(link.handle, link.first_frame, link.last_frame, link.beginning_seen) for link in stack.links] == [
        (75, 1, 36, False),
        (76, 37, 72, False),
        (77, 73, 136, False),
        (79, 137, 214, False),
    ]
    assert {link.central_side for link in stack.links} == {None}
