"""Which link types of the pcap registry are Bluetooth that can be read, and what to do about the others."""

from __future__ import annotations

from rig.capture.records import LinkType

BLUETOOTH = frozenset(int(link_type) for link_type in LinkType if link_type < 1000)
"""Link types of pcap and pcapng that the layers understand (https://www.tcpdump.org/linktypes.html)."""
_USB = "which carries HCI inside USB transfers: record the Bluetooth interface (bluetooth0, or btmon) instead"
_OTHERS = {
    0: "loopback traffic",
    1: "Ethernet",
    12: "raw IP",
    101: "raw IP",
    105: "Wi-Fi",
    113: "Linux cooked capture",
    127: "Wi-Fi with radiotap",
    161: f"USB of FreeBSD, {_USB}",
    186: f"USB, {_USB}",
    189: f"USB of Linux, {_USB}",
    195: "IEEE 802.15.4",
    220: f"USB of Linux, {_USB}",
    230: "IEEE 802.15.4",
    249: f"USBPcap, {_USB}",
    255: "Bluetooth BR/EDR baseband, where there is no GATT to be read off",
    266: f"USB of macOS, {_USB}",
    276: "Linux cooked capture",
    283: "IEEE 802.15.4",
}


def unreadable(link_type: int) -> str:
    """Say why a capture of this link type cannot be read, and what to record instead."""
    known = ", ".join(str(number) for number in sorted(BLUETOOTH))
    what = _OTHERS.get(link_type, "none of those that hold Bluetooth LE or HCI")
    return f"its link type {link_type} is {what}; Bluetooth is {known}"
