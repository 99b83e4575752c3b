"""The connection table of HCI traffic: which connection a controller's handle means right now.

Holds links and their reassembly, opened by connection events or, where the capture began in mid-connection, by the
first data. Refuses to read packets: :mod:`.hci` reads data and :mod:`.hci_control` commands and events.
"""

from __future__ import annotations

from typing import Literal

from rig.capture.layers.l2cap import (
    CID_ATT,
    CID_BREDR_SMP,
    CID_LE_SIGNALLING,
    CID_SIGNALLING,
    CID_SMP,
    Channels,
    Reassembler,
)
from rig.capture.layers.links import Address, Link, Observations

HANDLE_BITS = 12
"""Connection handles are 12 bits wide (Vol 4 Part E, 5.4.2)."""

OVERTAKING_NS = 1_000_000_000
"""How far data and events may be out of order in a capture: on USB they come through different endpoints, and either
overtakes the other (see ``enable_poll_sync`` in drivers/bluetooth/btusb.c of Linux). They do by milliseconds."""

MAX_LINKS = 1 << 16
"""How many links are listed: far more than any real capture has, and a file must not decide on our memory."""

_LE_CHANNELS = frozenset({CID_ATT, CID_LE_SIGNALLING, CID_SMP})
_BREDR_CHANNELS = frozenset({CID_SIGNALLING, 0x0002, CID_BREDR_SMP})


class Connection:
    """A link with what it takes to read it.

    Attributes:
        link: the link.
        channels: what its L2CAP PDUs go to.
        sides: reassembly by sending side; the third, index -1, for traffic whose direction the container does not tell.
        is_open: False from its disconnection on.
        assured: whether a connection event told the transport; else it is guessed from the channels in use.
        att_ready: open and LE: channel 4 is ATT.
        began_ns: when it was first heard of.
        ended_ns: when it ended, once it has.
    """

    __slots__ = ("assured", "att_ready", "began_ns", "channels", "ended_ns", "is_open", "link", "sides")

    def __init__(self, link: Link, observations: Observations, began_ns: int) -> None:
        self.link = link
        self.channels = Channels(link, observations)
        self.sides = (Reassembler(observations), Reassembler(observations), Reassembler(observations))
        self.is_open = True
        self.began_ns = began_ns
        self.ended_ns = began_ns
        self.assured = False
        self.att_ready = link.transport == "le"

    def close(self, time_ns: int) -> None:
        """The controller has reported its end. What was on its way may still come, see :data:`OVERTAKING_NS`."""
        self.is_open = self.att_ready = False
        self.ended_ns = time_ns

    def set_transport(self, transport: Literal["le", "br/edr"]) -> None:
        """Told by an event, or guessed."""
        self.link.transport = transport
        self.att_ready = self.is_open and transport == "le"

    def guess_transport(self, cid: int) -> None:
        """Tell LE from BR/EDR by a channel in use, when no event told (Vol 3 Part A, 2.1, tables 2.2 and 2.3)."""
        if cid in _LE_CHANNELS:
            self.set_transport("le")
        elif cid in _BREDR_CHANNELS:
            self.set_transport("br/edr")


class ConnectionTable:
    """All connections of all controllers in a capture, by handle.

    Args:
        links: every link of the capture, in order of appearance; new ones are added here.
        observations: where oddities are counted.
    """

    def __init__(self, links: list[Link], observations: Observations) -> None:
        self._links = links
        self._observations = observations
        self._unlisted = 0
        self.by_key: dict[int, Connection] = {}
        """``controller << HANDLE_BITS | handle`` to the connection that last had it, open or closed."""

    def find(self, controller: int, handle: int) -> Connection | None:
        """The connection that a handle means now; a closed one until the handle is given away again."""
        return self.by_key.get(controller << HANDLE_BITS | handle & 0xFFF)

    def opened(
        self,
        where: tuple[int, int],
        controller: int,
        handle: int,
        transport: Literal["le", "br/edr"],
        *,
        central_side: int | None,
        local: Address | None,
        peer: Address,
    ) -> Connection:
        """A connection event names a connection; the handle means that one from here on.

        Args:
            where: the event's record, its number and time in nanoseconds.
            controller: whose event it is.
            handle: the handle that it gives.
            transport: the transport that it is about.
            central_side: the side that is the central, if the event told.
            local: the address that the local device goes by, if known.
            peer: the remote device's address.
        """
        connection = self.find(controller, handle)
        if connection is not None and connection.is_open and not self._overtaken(connection, where[1]):
            if connection.assured:
                self._observations.odd("unfinished_links", where[0], f"handle 0x{handle:04x} is given away again")
            connection = None
        if connection is None or not connection.is_open:
            connection = self._add(where, controller, handle, transport)
        connection.assured = True
        connection.set_transport(transport)
        link = connection.link
        link.beginning_seen = True
        link.central_side = central_side
        link.addresses = [local, peer]
        return connection

    def for_data(self, where: tuple[int, int], controller: int, handle: int) -> Connection:
        """The connection that data on a handle belongs to.

        Data on a handle that no event has named: the capture began in mid-connection. Data on one that was
        disconnected: what was still on its way, or, later, a new connection whose event is not in the capture.
        """
        connection = self.find(controller, handle)
        if connection is None:
            return self._add(where, controller, handle, "le")
        if not connection.is_open:
            if where[1] - connection.ended_ns > OVERTAKING_NS:
                return self._add(where, controller, handle, "le")
            self._observations.odd("data_after_disconnection", where[0], f"on handle 0x{handle:04x}")
        return connection

    def of_controller(self, controller: int) -> list[Connection]:
        """The connections of one controller that are open."""
        return [c for key, c in self.by_key.items() if c.is_open and key >> HANDLE_BITS == controller]

    @staticmethod
    def _overtaken(connection: Connection, time_ns: int) -> bool:
        """Whether an event names a connection whose data came a moment before it."""
        return not connection.assured and time_ns - connection.began_ns <= OVERTAKING_NS

    def _add(
        self, where: tuple[int, int], controller: int, handle: int, transport: Literal["le", "br/edr"]
    ) -> Connection:
        handle &= 0xFFF
        listed = len(self._links) < MAX_LINKS
        self._unlisted += not listed
        link = Link(
            number=len(self._links) + 1 if listed else len(self._links) + self._unlisted,
            transport=transport,
            # A monitor's controllers are numbered per interface (see hci.packet_of); people know them as hci0, hci1 …
            controller=controller & 0xFFFF,
            handle=handle,
            first_frame=where[0],
            last_frame=where[0],
        )
        if listed:
            self._links.append(link)
        else:
            self._observations.odd("unlisted_links", where[0], f"more than {MAX_LINKS} links")
        connection = Connection(link, self._observations, where[1])
        self.by_key[controller << HANDLE_BITS | handle] = connection
        return connection
