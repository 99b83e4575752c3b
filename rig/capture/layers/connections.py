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
from rig.capture.layers.links import LOCAL, REMOTE, Address, Link, Observations

HANDLE_BITS = 12
"""Connection handles are 12 bits wide (Vol 4 Part E, 5.4.2)."""

_LE_CHANNELS = frozenset({CID_ATT, CID_LE_SIGNALLING, CID_SMP})
_BREDR_CHANNELS = frozenset({CID_SIGNALLING, 0x0002, CID_BREDR_SMP})


class Connection:
    """A link with what it takes to read it.

    Attributes:
        link: the link.
        channels: what its L2CAP PDUs go to.
        sides: reassembly by sending side; the third, index -1, is for traffic whose direction the container does not tell.
        is_open: False from its disconnection on.
        assured: whether a connection event told the transport; else it is guessed from the channels in use.
        att_ready: open and LE: channel 4 is ATT.
        acl_controller: the number of the controller as the table knows it.
    """

    __slots__ = ("assured", "att_ready", "channels", "is_open", "link", "sides")

    def __init__(self, link: Link, observations: Observations, *, assured: bool) -> None:
        self.link = link
        self.channels = Channels(link, observations)
        self.sides = (Reassembler(observations), Reassembler(observations), Reassembler(observations))
        self.is_open = True
        self.assured = assured
        self.att_ready = link.transport == "le"

    def close(self) -> None:
        """The controller has reported its end; what was in pieces stays so."""
        self.is_open = self.att_ready = False
        for side in self.sides:
            side.reset()

    def guess_transport(self, cid: int) -> None:
        """Tell LE from BR/EDR by a channel in use, when no event told (Vol 3 Part A, 2.1, tables 2.2 and 2.3)."""
        transport: Literal["le", "br/edr"]
        if cid in _LE_CHANNELS:
            transport = "le"
        elif cid in _BREDR_CHANNELS:
            transport = "br/edr"
        else:
            return
        self.link.transport = transport
        self.att_ready = self.is_open and transport == "le"


class ConnectionTable:
    """All connections of all controllers in a capture, by handle.

    Args:
        links: every link of the capture, in order of appearance; new ones are added here.
        observations: where oddities are counted.
    """

    def __init__(self, links: list[Link], observations: Observations) -> None:
        self._links = links
        self._observations = observations
        self.by_key: dict[int, Connection] = {}
        """``controller << HANDLE_BITS | handle`` to the connection that last had it, open or closed."""

    def find(self, controller: int, handle: int) -> Connection | None:
        """The connection that a handle means now; a closed one until the handle is given away again."""
        return self.by_key.get(controller << HANDLE_BITS | handle & 0xFFF)

    def opened(
        self,
        frame: int,
        controller: int,
        handle: int,
        transport: Literal["le", "br/edr"],
        *,
        central_side: int | None,
        local: Address | None,
        peer: Address,
    ) -> Connection:
        """A connection event names a new connection; the handle means that one from here on."""
        previous = self.find(controller, handle)
        if previous is not None and previous.is_open and previous.assured:
            self._observations.odd(
                "unfinished_links", frame, f"handle 0x{handle:04x} is connected anew, not disconnected"
            )
        connection = self._add(frame, controller, handle, transport, assured=True)
        connection.link.beginning_seen = True
        connection.link.central_side = central_side
        connection.link.addresses[LOCAL] = local
        connection.link.addresses[REMOTE] = peer
        return connection

    def met(self, frame: int, controller: int, handle: int) -> Connection:
        """Data on a handle that no event has named: the capture began in mid-connection."""
        return self._add(frame, controller, handle, "le", assured=False)

    def of_controller(self, controller: int) -> list[Connection]:
        """The connections of one controller that are open."""
        return [c for key, c in self.by_key.items() if c.is_open and key >> HANDLE_BITS == controller]

    def _add(
        self, frame: int, controller: int, handle: int, transport: Literal["le", "br/edr"], *, assured: bool
    ) -> Connection:
        handle &= 0xFFF
        # A monitor's controllers are numbered per interface (see hci.packet_of); people know them as hci0, hci1 …
        link = Link(
            number=len(self._links) + 1,
            transport=transport,
            controller=controller & 0xFFFF,
            handle=handle,
            first_frame=frame,
            last_frame=frame,
        )
        self._links.append(link)
        connection = Connection(link, self._observations, assured=assured)
        self.by_key[controller << HANDLE_BITS | handle] = connection
        return connection
