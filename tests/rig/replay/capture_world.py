"""Captures made to measure for the tests of transcripts: one link of HCI traffic, PDU by PDU."""

from __future__ import annotations

import struct
from pathlib import Path

from rig.capture import att
from rig.capture.gatt import Attribute, AttributeTable
from rig.capture.layers.links import LOCAL, REMOTE, Address
from rig.capture.synthesis import HciSynthesis
from rig.capture.writer import Direction
from rig.capture.writers import open_writer

NOON_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
DEVICE = Address("C0:FF:EE:00:00:01", is_random=True)
OTHER_DEVICE = Address("C0:FF:EE:00:00:02", is_random=True)
MS = 1_000_000


def serial_table() -> AttributeTable:
    """Name (3); ffe0 with ffe1 (18, CCCD 19, description 20), a second ffe1 (22), ffe2 that indicates (24, CCCD 25)."""
    table = AttributeTable()
    table.declare_service(1, 15, "1800")
    table.declare_characteristic(2, 0x02, 3, "2a00")
    table.declare_service(16, 31, "ffe0")
    table.declare_characteristic(17, 0x1E, 18, "ffe1")
    table.found(19, "2902")
    table.found(20, "2901")
    table.declare_characteristic(21, 0x0A, 22, "ffe1")
    table.declare_characteristic(23, 0x20, 24, "ffe2")
    table.found(25, "2902")
    return table


class Capture:
    """Writes a capture; every call is a PDU or two. Times are in nanoseconds since :data:`NOON_NS`.

    Args:
        path: a pcapng file, whose times have nanoseconds.
        client: the side that is the GATT client.
    """

    def __init__(self, path: Path, *, client: int = LOCAL) -> None:
        self.path = path
        self.client = client
        self.handle = 0x40
        self.cut_to: int | None = None
        """How many octets of each packet the recorder keeps; None: all."""
        self._file = path.open("wb")
        self._writer = open_writer("pcapng", self._file)
        self.hci = HciSynthesis(self._emit, add_mtu_exchange=False)

    def _emit(self, packet: bytes, direction: Direction, time_ns: int) -> None:
        kept = packet[: self.cut_to]
        self._writer.write(kept, direction, time_ns, original_length=len(packet))

    def close(self) -> Path:
        self._file.close()
        return self.path

    # --- one link after another ---------------------------------------------------------------------------------------

    def connect(self, at_ns: int = 0, *, local_is_central: bool = True, peer: Address = DEVICE) -> None:
        self.hci.connect(self.handle, local_is_central=local_is_central, peer=peer, local=None, time_ns=NOON_NS + at_ns)

    def discover(self, table: AttributeTable | list[Attribute], at_ns: int = 0) -> None:
        attributes = table.attributes.values() if isinstance(table, AttributeTable) else table
        self.hci.discovery(self.handle, attributes, NOON_NS + at_ns, server_side=1 - self.client)

    def disconnect(self, reason: int, at_ns: int) -> None:
        self.hci.disconnect(self.handle, reason, NOON_NS + at_ns)

    def client_says(self, pdu: bytes, at_ns: int) -> None:
        self.hci.att(self.handle, self.client, pdu, NOON_NS + at_ns)

    def server_says(self, pdu: bytes, at_ns: int) -> None:
        self.hci.att(self.handle, 1 - self.client, pdu, NOON_NS + at_ns)

    # --- operations ---------------------------------------------------------------------------------------------------

    def mtu(self, client: int, server: int, at_ns: int = 0) -> None:
        self.client_says(struct.pack("<BH", att.EXCHANGE_MTU_REQUEST, client), at_ns)
        self.server_says(struct.pack("<BH", att.EXCHANGE_MTU_RESPONSE, server), at_ns)

    def command(self, handle: int, value: bytes, at_ns: int) -> None:
        self.client_says(struct.pack("<BH", att.WRITE_COMMAND, handle) + value, at_ns)

    def notify(self, handle: int, value: bytes, at_ns: int) -> None:
        self.server_says(struct.pack("<BH", att.HANDLE_VALUE_NOTIFICATION, handle) + value, at_ns)

    def indicate(self, handle: int, value: bytes, at_ns: int, confirmed_ns: int | None = None) -> None:
        self.server_says(struct.pack("<BH", att.HANDLE_VALUE_INDICATION, handle) + value, at_ns)
        if confirmed_ns is not None:
            self.client_says(bytes([att.HANDLE_VALUE_CONFIRMATION]), confirmed_ns)

    def write(
        self, handle: int, value: bytes, at_ns: int, answered_ns: int | None = None, error: int | None = None
    ) -> None:
        self.client_says(struct.pack("<BH", att.WRITE_REQUEST, handle) + value, at_ns)
        self._answer(att.WRITE_REQUEST, handle, bytes([att.WRITE_RESPONSE]), answered_ns, error)

    def read(
        self, handle: int, value: bytes, at_ns: int, answered_ns: int | None = None, error: int | None = None
    ) -> None:
        self.client_says(struct.pack("<BH", att.READ_REQUEST, handle), at_ns)
        self._answer(att.READ_REQUEST, handle, bytes([att.READ_RESPONSE]) + value, answered_ns, error)

    def read_on(self, handle: int, offset: int, value: bytes, at_ns: int) -> None:
        self.client_says(struct.pack("<BHH", att.READ_BLOB_REQUEST, handle, offset), at_ns)
        self.server_says(bytes([att.READ_BLOB_RESPONSE]) + value, at_ns + MS)

    def write_long(self, handle: int, pieces: list[bytes], at_ns: int) -> None:
        offset = 0
        for piece in pieces:
            rest = struct.pack("<HH", handle, offset) + piece
            self.client_says(bytes([att.PREPARE_WRITE_REQUEST]) + rest, at_ns)
            self.server_says(bytes([att.PREPARE_WRITE_RESPONSE]) + rest, at_ns)
            offset += len(piece)
        self.client_says(bytes([att.EXECUTE_WRITE_REQUEST, 1]), at_ns + MS)
        self.server_says(bytes([att.EXECUTE_WRITE_RESPONSE]), at_ns + 2 * MS)

    def _answer(self, request: int, handle: int, response: bytes, answered_ns: int | None, error: int | None) -> None:
        if answered_ns is None:
            return
        if error is not None:
            response = struct.pack("<BBHB", att.ERROR_RESPONSE, request, handle, error)
        self.server_says(response, answered_ns)


__all__ = ["DEVICE", "LOCAL", "MS", "NOON_NS", "OTHER_DEVICE", "REMOTE", "Capture", "serial_table"]
