"""UART bridges over GATT: the handful of services by which off-the-shelf modules carry a serial line.

Knows which characteristic takes bytes and which gives them. Refuses to know what the bytes mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocols.gatt import Property, Service, Write, uuid

MAX_PAYLOAD = 20
"""ATT_MTU 23, the least that every link has, minus three bytes of header (Core Specification Vol 3 Part F 5.2.1)."""

_GIVES = Property.NOTIFY | Property.INDICATE
_TAKES = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE

_NUS = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"  # Nordic UART Service
_ISSC = "49535343-fe7d-4ae5-8fa9-9fafd205e455"  # ISSC (Microchip) transparent UART

LAYOUTS: tuple[tuple[str, str, str], ...] = (
    # service, characteristic that notifies, characteristic that is written; the likeliest first
    (uuid("ffe0"), uuid("ffe1"), uuid("ffe1")),
    (uuid("ffe0"), uuid("ffe1"), uuid("ffe2")),
    (uuid("ffe0"), uuid("ffe2"), uuid("ffe1")),
    (uuid("fff0"), uuid("fff1"), uuid("fff2")),
    (_NUS.format(1), _NUS.format(3), _NUS.format(2)),
    (_ISSC, "49535343-1e4d-4bd9-ba61-23c647249616", "49535343-8841-43f4-a8d4-ecbe34729bb3"),
)


@dataclass(frozen=True, slots=True)
class Bridge:
    """One way to the serial line. ``notify`` gives bytes, ``write`` takes them."""

    service: str
    notify: str
    write: str
    with_response: bool

    def writes(self, data: bytes, *, urgent: bool = False) -> Iterator[Write]:
        """Yield the writes that carry ``data``, at most :data:`MAX_PAYLOAD` bytes each."""
        for at in range(0, len(data), MAX_PAYLOAD):
            yield Write(self.write, data[at : at + MAX_PAYLOAD], self.with_response, urgent)


def find_bridges(services: Sequence[Service]) -> tuple[Bridge, ...]:
    """Return every bridge among ``services`` whose two ends have the properties they need, the likeliest first."""
    found = []
    for service_uuid, notify_uuid, write_uuid in LAYOUTS:
        for service in services:
            if service.uuid != service_uuid:
                continue
            notify, write = service.find(notify_uuid), service.find(write_uuid)
            if notify and write and notify.properties & _GIVES and write.properties & _TAKES:
                # Without response where it can be: the serial protocol answers by itself, and a write request would
                # hold the bearer until its response (one at a time, Vol 3 Part F 3.3.2) while a stop waits behind it.
                response = Property.WRITE_WITHOUT_RESPONSE not in write.properties
                found.append(Bridge(service_uuid, notify_uuid, write_uuid, response))
    return tuple(found)
