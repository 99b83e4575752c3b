"""Keeps the keys of a pairing out of logs: Bumble writes them down at debug level, packets and all.

Knows which of Bumble's loggers do so. Refuses to know what a log is for: everything else in it stays.
"""

from __future__ import annotations

import logging
import re
from typing import Final

#: Loggers whose every debug message may be made of a key, a passkey or what either can be worked out from.
_SECRETIVE: Final = ("bumble.smp", "bumble.crypto", "bumble.keys")
#: Loggers that write whole packets down, those with keys among them.
_PACKETS: Final = (
    "bumble.host",
    "bumble.hci",
    "bumble.controller",
    "bumble.device",
    "bumble.l2cap",
    "bumble.link",
    "bumble.ll",
    "bumble.snoop",
    "bumble.transport.common",
)
#: As many hexadecimal digits as the shortest key has (7 octets, Vol 3 Part H 2.3.4), or an escaped bytes literal.
_LONG_HEX: Final = re.compile(r"(?i)(?<![0-9a-f])(?:[0-9a-f]{2}){7,}(?![0-9a-f])")
_BYTES: Final = re.compile(r"\bb(['\"])(?:\\.|(?!\1).)*\1")


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _no_keys(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    record.msg = _BYTES.sub("[octets]", _LONG_HEX.sub("[octets]", message))
    record.args = ()
    return True


def keep_keys_out_of_logs() -> None:
    """Let no key into a log, whatever its level; harmless when called twice."""
    for name in _SECRETIVE:
        logging.getLogger(name).addFilter(_no_debug)
    for name in _PACKETS:
        logging.getLogger(name).addFilter(_no_keys)
