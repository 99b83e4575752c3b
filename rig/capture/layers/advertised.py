"""What devices say of themselves while advertising, in scan responses and in extended inquiry responses.

Knows AD structures (Core Specification Supplement, Part A, 1) as far as names and service UUIDs go; nothing of what
carries them, so that HCI and the link layer share it.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.links import Observations

MAX_DEVICES: Final = 4096
"""How many addresses are kept: a busy street has no end of random ones, and a file could invent more."""

_SHORTENED_NAME: Final = 0x08
_COMPLETE_NAME: Final = 0x09
_UUID_OCTETS: Final = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
_BASE = bytes.fromhex("00001000800000805f9b34fb")  # Vol 3 Part B, 2.5.1, without its first 32 bits


def uuid_text(wire: bytes) -> str:
    """A UUID of 2, 4 or 16 octets, least significant first, in the spelling of the ``uuid`` column."""
    number = wire[::-1]
    if len(number) == 2:
        return number.hex()
    if len(number) == 4:
        number += _BASE
    if number[4:] == _BASE and number[:2] == b"\0\0":
        return number[2:4].hex()
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def text_of(name: bytes) -> str:
    """A device name as people read it: UTF-8 up to its first NUL.

    What is not UTF-8 or not printable becomes U+FFFD: a name is a stranger's bytes on their way to a terminal.
    """
    text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def name_heard(observations: Observations, address: str, name: str) -> None:
    """Keep the complete name of a device, as far as there is room."""
    names = observations.names
    if name and (address in names or len(names) < MAX_DEVICES):
        names[address] = name


def learn(observations: Observations, address: str, data: bytes) -> None:
    """Keep the name and the services in a series of AD structures; what is malformed ends it, as receivers do."""
    at = 0
    while at + 1 < len(data):
        size = data[at]
        if size == 0 or at + 1 + size > len(data):  # early termination, or more than there is
            return
        kind = data[at + 1]
        value = data[at + 2 : at + 1 + size]
        at += 1 + size
        if kind == _COMPLETE_NAME:
            name_heard(observations, address, text_of(value))
        elif kind == _SHORTENED_NAME:
            if address not in observations.names:
                name_heard(observations, address, text_of(value))
        elif kind in _UUID_OCTETS:
            octets = _UUID_OCTETS[kind]
            services = observations.services
            if address not in services and len(services) >= MAX_DEVICES:
                continue
            known = services.setdefault(address, set())
            for start in range(0, len(value) - octets + 1, octets):
                if len(known) < 256:
                    known.add(uuid_text(value[start : start + octets]))
