"""The HCI packets of a window as columns: what kind each is, who sent it, and the first words of ACL data.

Knows how each container wraps HCI, as :mod:`rig.capture.layers.hci` does, and which packets cannot change links or
rows. Refuses to know what the others mean: those go to the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rig.capture.fast.window import Int64s, Window, gathered
from rig.capture.layers.hci import ACL, COMMAND, EVENT, ISO, ROW_FREE_EVENTS, ROW_FREE_LE_SUBEVENTS, SCO
from rig.capture.records import LinkType

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

# What is to be done with a record.
NOTHING: Final = 0
DATA: Final = 1
"""ACL data."""
FEED: Final = 2
"""The layers are to see it in its place; it changes neither which link a handle means nor what is being reassembled."""
CUT: Final = 3
"""The layers are to see it, and nothing may be taken across it."""

_HEADS: Final = np.dtype(
    {
        "names": ["head", "size", "length", "cid", "opcode", "handle"],
        "formats": ["<u2", "<u2", "<u2", "<u2", "u1", "<u2"],
        "offsets": [0, 2, 4, 6, 8, 9],
        "itemsize": 11,
    }
)
"""ACL header, L2CAP header, and the beginning of an ATT PDU."""

_BOUNDARY: Final = 0x3000  # the packet boundary flag

_COMMAND_COMPLETE: Final = 0x0E
_LE_META: Final = 0x3E
_TELLING_COMMANDS: Final = np.array([0x0C03, 0x1009], np.uint16)  # Reset ends connections, Read BD_ADDR names a side
_FEED_EVENTS: Final = (0x12,)  # Role Change of BR/EDR, which ends no connection and begins none
_FEED_LE_SUBEVENTS: Final = (0x05, 0x12)  # long-term key request, advertising set terminated: likewise


def _classes(row_free: frozenset[int], feed: tuple[int, ...]) -> Bytes:
    classes = np.full(256, CUT, np.uint8)
    classes[list(feed)] = FEED
    classes[list(row_free)] = NOTHING
    return classes


_EVENTS: Final = _classes(ROW_FREE_EVENTS, _FEED_EVENTS)
_LE_SUBEVENTS: Final = _classes(ROW_FREE_LE_SUBEVENTS, _FEED_LE_SUBEVENTS)
_KINDS: Final = np.full(256, NOTHING, np.uint8)  # other packet types are an oddity, and no row
_KINDS[[ACL, EVENT, COMMAND]] = DATA, CUT, FEED
_KINDS[[SCO, ISO]] = NOTHING

# Linux monitor opcodes (see hci.py) to packet types; what a monitor notes of controllers can end their connections.
_MONITOR_CUT: Final = 0xFE
_MONITOR_KINDS: Final = np.zeros(1 << 16, np.uint8)
_MONITOR_KINDS[[0, 1, 9, 10]] = _MONITOR_CUT
_MONITOR_KINDS[[2, 3, 4, 5]] = COMMAND, EVENT, ACL, ACL
_KINDS[_MONITOR_CUT] = CUT


@dataclass(slots=True)
class Packets:
    """The packets of a window; the arrays have one element a record, and those about ACL mean nothing elsewhere."""

    what: Bytes
    """:data:`NOTHING`, :data:`DATA`, :data:`FEED` or :data:`CUT`."""
    controller: int
    """As :class:`rig.capture.layers.hci.HciPacket` has it, of all ACL data in the window."""
    side: npt.NDArray[np.int64]
    bodies: Int64s
    """Where the packet begins in the window's data, after its type octet."""
    heads: npt.NDArray[np.void]
    """ACL header, L2CAP header, and the beginning of an ATT PDU: ``head size length cid opcode handle``."""
    whole: Bools
    """ACL data that is there in full, with no byte too many and at least one, and is no PDU of its own (flag 11)."""


def packets(window: Window) -> Packets | None:
    """Read the packet headers of a window; None where it is too odd for columns."""
    data, count = window.data, len(window)
    size = len(data)
    if size < _HEADS.itemsize:
        return None
    octets = np.frombuffer(data, np.uint8)
    controller = window.interface
    bodies = window.bodies
    if window.link_type == LinkType.BTSNOOP_H4:
        wrapped = 1
        kinds = octets[np.minimum(bodies, size - 1)]
        side = window.flags & 1
    elif window.link_type == LinkType.HCI_H4:
        wrapped = 1
        kinds = octets[np.minimum(bodies, size - 1)]
        told = window.flags & 3  # epb_flags: 1 inbound, 2 outbound
        side = told & 1
        if ((kinds == ACL) & ((told == 0) | (told == 3))).any():
            return None
    elif window.link_type == LinkType.HCI_H4_WITH_PHDR:
        wrapped = 5
        kinds = octets[np.minimum(bodies + 4, size - 1)]
        side = (octets[np.minimum(bodies + 3, size - 1)] & 1).astype(np.int64)
    elif window.link_type == LinkType.BTSNOOP_H1:
        wrapped = 0
        kinds = np.array([ACL, ACL, COMMAND, EVENT], np.uint8)[window.flags & 3]
        side = window.flags & 1
    else:
        wrapped = 0
        kinds = _MONITOR_KINDS[window.flags & 0xFFFF]
        side = window.flags & 1  # opcode 4 is ACL data that was sent, 5 that was received
        adapters = window.flags[kinds == ACL] >> 16
        if len(adapters) and (adapters != adapters[0]).any():
            return None
        controller = window.interface + 1 << 16 | int(adapters[0]) if len(adapters) else 0
    lengths = window.captured - wrapped
    kinds = np.where(lengths < 0, np.uint8(NOTHING), kinds)
    what = _KINDS[kinds]
    bodies = bodies + wrapped
    near_end = bodies > size - _HEADS.itemsize
    heads = gathered(data, _HEADS, np.minimum(bodies, size - _HEADS.itemsize))
    _judge_events(what, kinds == EVENT, octets, bodies)
    whole = (lengths == heads["size"].astype(np.int64) + 4) & (lengths > 4)
    whole &= heads["head"] & _BOUNDARY != _BOUNDARY
    if count and near_end[-1]:
        whole &= ~near_end
    return Packets(what, controller, side, bodies, heads, whole)


def _judge_events(what: Bytes, is_event: Bools, octets: Bytes, bodies: Int64s) -> None:
    """Say of each event what is to be done with it.

    One that is too short is judged by what may be another record's bytes; the layers do nothing with it either way.
    """
    events = np.flatnonzero(is_event)
    at = bodies[events]
    last = len(octets) - 1
    code = octets[np.minimum(at, last)]
    judged = _EVENTS[code]
    meta = np.flatnonzero(code == _LE_META)
    judged[meta] = _LE_SUBEVENTS[octets[np.minimum(at[meta] + 2, last)]]
    complete = np.flatnonzero(code == _COMMAND_COMPLETE)
    if len(complete):
        where = at[complete]
        opcode = octets[np.minimum(where + 3, last)].astype(np.uint16)
        opcode |= octets[np.minimum(where + 4, last)].astype(np.uint16) << 8
        judged[complete] = np.where(np.isin(opcode, _TELLING_COMMANDS), CUT, NOTHING)
    what[events] = judged
