"""The devices that this computer was paired with. They belong to the household, not to one person.

Knows rows. Refuses to judge a device (:mod:`companion.device.known`).
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from companion.dates import Calendar
from companion.device.known import KnownDevice
from companion.store.faults import explained


class Devices:
    """Every device that was paired and not forgotten since."""

    def __init__(self, connection: sqlite3.Connection, path: Path, calendar: Calendar) -> None:
        self._connection = connection
        self._path = path
        self._calendar = calendar

    def all(self) -> list[KnownDevice]:
        """Every device, the earliest first.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self._path):
            rows = self._connection.execute("SELECT address, name, protocol, paired_at FROM device ORDER BY id")
            return [KnownDevice(address, name, key, datetime.fromisoformat(at)) for address, name, key, at in rows]

    def paired(self, address: str, name: str, protocol: str) -> None:
        """Keep that a device has just been paired; what was kept of that address before is replaced.

        Raises:
            StoreError: it cannot be written.
        """
        at = self._calendar.now().isoformat()
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO device (address, name, protocol, paired_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (address) DO UPDATE SET name = excluded.name, protocol = excluded.protocol, "
                "paired_at = excluded.paired_at",
                (address, name, protocol, at),
            )

    def forget(self, address: str) -> bool:
        """Forget a device; False where there was none of that address.

        Raises:
            StoreError: it cannot be written.
        """
        with explained(self._path):
            gone = self._connection.execute("DELETE FROM device WHERE address = ?", (address,))
            return gone.rowcount > 0
