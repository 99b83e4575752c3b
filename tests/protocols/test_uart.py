"""The writes of a UART bridge."""

from __future__ import annotations

from protocols.gatt import Write
from protocols.uart import MAX_PAYLOAD, Bridge


def test_what_is_longer_than_a_payload_is_split_in_order_and_nothing_else_is() -> None:
    bridge = Bridge("s", "n", "w", with_response=True)
    data = bytes(range(45))
    writes = list(bridge.writes(data, urgent=True))
    assert [len(write.data) for write in writes] == [MAX_PAYLOAD, MAX_PAYLOAD, 5]
    assert b"".join(write.data for write in writes) == data
    assert list(bridge.writes(data[:20])) == [Write("w", data[:20], with_response=True)]
