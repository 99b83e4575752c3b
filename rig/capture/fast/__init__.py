"""Captures in windows of columns: the same rows as :mod:`rig.capture.rows`, many times faster on large files.

numpy does what is alike in thousands of records. Whatever is not (connection events, discovery, oddities, damage) goes
through the same layers and the same tracker as on the scalar path, in the same order: there is one meaning, not two.

This module alone does not import numpy.
"""

from __future__ import annotations

from typing import Final

from rig.capture.records import LinkType

LINK_TYPES: Final = frozenset(
    {
        LinkType.BTSNOOP_H1,
        LinkType.BTSNOOP_H4,
        LinkType.BTSNOOP_MONITOR,
        LinkType.HCI_H4,
        LinkType.HCI_H4_WITH_PHDR,
    }
)
"""What windows are made of: HCI of which a record tells the direction (187 where pcapng adds it; else one by one)."""
