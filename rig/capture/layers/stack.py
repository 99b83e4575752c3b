"""Chooses the layer for each record by its link type, and keeps what all layers share: links and observations."""

from __future__ import annotations

from collections.abc import Sequence

from rig.capture.layers.hci import HciLayer
from rig.capture.layers.link_layer import LinkLayer
from rig.capture.layers.links import AttPdu, Link, Observations
from rig.capture.records import LinkType, Record

_HCI = frozenset(
    {
        LinkType.HCI_H4,
        LinkType.HCI_H4_WITH_PHDR,
        LinkType.LINUX_MONITOR,
        LinkType.BTSNOOP_H1,
        LinkType.BTSNOOP_H4,
        LinkType.BTSNOOP_MONITOR,
        LinkType.PACKETLOGGER,
    }
)
_AIR = frozenset({LinkType.PPI, LinkType.LE_LL_IN_PPI, LinkType.LE_LL, LinkType.LE_LL_WITH_PHDR, LinkType.NORDIC_BLE})


class Stack:
    """Records in, ATT PDUs out, links on the side.

    ``links`` holds every link seen so far in order of appearance; ``observations`` what was noticed.
    """

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.observations = Observations()
        self.hci = HciLayer(self.links, self.observations)
        self.air = LinkLayer(self.links, self.observations)

    def feed(self, record: Record) -> Sequence[AttPdu]:
        """Take one record; return the ATT PDUs that it completes. Never raises on any bytes."""
        if record.original_length > len(record.data):
            self.observations.odd(
                "truncated_records",
                record.frame,
                f"{len(record.data)} of {record.original_length} bytes were recorded",
            )
        if record.link_type in _HCI:
            return self.hci.feed(record)
        if record.link_type in _AIR:
            return self.air.feed(record)
        self.observations.odd(
            "other_link_types", record.frame, f"link type {record.link_type} is not Bluetooth LE or HCI"
        )
        return ()
