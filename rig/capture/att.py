"""ATT as the Core Specification names it (Vol 3 Part F, 3.4): opcodes, and what each PDU is about.

Knows the layout of PDUs. Refuses to know what a handle means: that is discovery, in :mod:`rig.capture.gatt`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

ERROR_RESPONSE: Final = 0x01
EXCHANGE_MTU_REQUEST: Final = 0x02
EXCHANGE_MTU_RESPONSE: Final = 0x03
FIND_INFORMATION_REQUEST: Final = 0x04
FIND_INFORMATION_RESPONSE: Final = 0x05
FIND_BY_TYPE_VALUE_REQUEST: Final = 0x06
FIND_BY_TYPE_VALUE_RESPONSE: Final = 0x07
READ_BY_TYPE_REQUEST: Final = 0x08
READ_BY_TYPE_RESPONSE: Final = 0x09
READ_REQUEST: Final = 0x0A
READ_RESPONSE: Final = 0x0B
READ_BLOB_REQUEST: Final = 0x0C
READ_BLOB_RESPONSE: Final = 0x0D
READ_MULTIPLE_REQUEST: Final = 0x0E
READ_MULTIPLE_RESPONSE: Final = 0x0F
READ_BY_GROUP_TYPE_REQUEST: Final = 0x10
READ_BY_GROUP_TYPE_RESPONSE: Final = 0x11
WRITE_REQUEST: Final = 0x12
WRITE_RESPONSE: Final = 0x13
PREPARE_WRITE_REQUEST: Final = 0x16
PREPARE_WRITE_RESPONSE: Final = 0x17
EXECUTE_WRITE_REQUEST: Final = 0x18
EXECUTE_WRITE_RESPONSE: Final = 0x19
HANDLE_VALUE_NOTIFICATION: Final = 0x1B
HANDLE_VALUE_INDICATION: Final = 0x1D
HANDLE_VALUE_CONFIRMATION: Final = 0x1E
READ_MULTIPLE_VARIABLE_REQUEST: Final = 0x20
READ_MULTIPLE_VARIABLE_RESPONSE: Final = 0x21
MULTIPLE_HANDLE_VALUE_NOTIFICATION: Final = 0x23
WRITE_COMMAND: Final = 0x52
SIGNED_WRITE_COMMAND: Final = 0xD2

OPCODE_NAMES: Final = MappingProxyType(
    {value: name.lower() for name, value in globals().copy().items() if name.isupper() and isinstance(value, int)}
)
"""Opcode to its name in the Core Specification, in lower_snake_case."""

HANDLE_FIRST: Final = frozenset(
    {
        READ_REQUEST,
        READ_BLOB_REQUEST,
        WRITE_REQUEST,
        PREPARE_WRITE_REQUEST,
        PREPARE_WRITE_RESPONSE,
        HANDLE_VALUE_NOTIFICATION,
        HANDLE_VALUE_INDICATION,
        WRITE_COMMAND,
        SIGNED_WRITE_COMMAND,
    }
)
"""PDUs about one attribute whose handle follows the opcode."""

VALUE_OFFSET: Final = MappingProxyType(
    {
        READ_RESPONSE: 1,
        READ_BLOB_RESPONSE: 1,
        WRITE_REQUEST: 3,
        PREPARE_WRITE_REQUEST: 5,
        PREPARE_WRITE_RESPONSE: 5,
        HANDLE_VALUE_NOTIFICATION: 3,
        HANDLE_VALUE_INDICATION: 3,
        WRITE_COMMAND: 3,
        SIGNED_WRITE_COMMAND: 3,
    }
)
"""Where the value begins in the PDUs that carry one of one attribute (a signed write's ends 12 octets early)."""

SIGNATURE_OCTETS: Final = 12

RESPONSE_TO: Final = MappingProxyType(
    {
        EXCHANGE_MTU_RESPONSE: EXCHANGE_MTU_REQUEST,
        FIND_INFORMATION_RESPONSE: FIND_INFORMATION_REQUEST,
        FIND_BY_TYPE_VALUE_RESPONSE: FIND_BY_TYPE_VALUE_REQUEST,
        READ_BY_TYPE_RESPONSE: READ_BY_TYPE_REQUEST,
        READ_RESPONSE: READ_REQUEST,
        READ_BLOB_RESPONSE: READ_BLOB_REQUEST,
        READ_MULTIPLE_RESPONSE: READ_MULTIPLE_REQUEST,
        READ_BY_GROUP_TYPE_RESPONSE: READ_BY_GROUP_TYPE_REQUEST,
        WRITE_RESPONSE: WRITE_REQUEST,
        PREPARE_WRITE_RESPONSE: PREPARE_WRITE_REQUEST,
        EXECUTE_WRITE_RESPONSE: EXECUTE_WRITE_REQUEST,
        READ_MULTIPLE_VARIABLE_RESPONSE: READ_MULTIPLE_VARIABLE_REQUEST,
        HANDLE_VALUE_CONFIRMATION: HANDLE_VALUE_INDICATION,
    }
)
"""Each response (and the confirmation) to what it answers; an error response names its request itself."""

SENT_BY_SERVER: Final = frozenset(
    {
        ERROR_RESPONSE,
        *(response for response in RESPONSE_TO if response != HANDLE_VALUE_CONFIRMATION),
        HANDLE_VALUE_NOTIFICATION,
        HANDLE_VALUE_INDICATION,
        MULTIPLE_HANDLE_VALUE_NOTIFICATION,
    }
)
"""PDUs that only a server sends; all others only a client."""

ERROR_NAMES: Final = MappingProxyType(
    {
        0x01: "invalid_handle",
        0x02: "read_not_permitted",
        0x03: "write_not_permitted",
        0x04: "invalid_pdu",
        0x05: "insufficient_authentication",
        0x06: "request_not_supported",
        0x07: "invalid_offset",
        0x08: "insufficient_authorization",
        0x09: "prepare_queue_full",
        0x0A: "attribute_not_found",
        0x0B: "attribute_not_long",
        0x0C: "encryption_key_size_too_short",
        0x0D: "invalid_attribute_value_length",
        0x0E: "unlikely_error",
        0x0F: "insufficient_encryption",
        0x10: "unsupported_group_type",
        0x11: "insufficient_resources",
        0x12: "database_out_of_sync",
        0x13: "value_not_allowed",
    }
)
"""ATT error codes (Vol 3 Part F, 3.4.1.1)."""


def opcode_name(opcode: int) -> str:
    """Return the opcode's name, ``unknown_0x7f`` for one that the specification does not have."""
    return OPCODE_NAMES.get(opcode) or f"unknown_0x{opcode:02x}"
