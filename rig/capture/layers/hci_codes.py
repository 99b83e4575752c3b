"""Controller error codes by name (Vol 1 Part F, 1.3): why a link ended, or never began."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

ERROR_NAMES: Final = MappingProxyType(
    {
        0x02: "unknown_connection_identifier",
        0x03: "hardware_failure",
        0x04: "page_timeout",
        0x05: "authentication_failure",
        0x06: "pin_or_key_missing",
        0x07: "memory_capacity_exceeded",
        0x08: "connection_timeout",
        0x09: "connection_limit_exceeded",
        0x0B: "connection_already_exists",
        0x0C: "command_disallowed",
        0x0D: "rejected_limited_resources",
        0x0E: "rejected_security_reasons",
        0x0F: "rejected_unacceptable_address",
        0x10: "connection_accept_timeout",
        0x11: "unsupported_feature",
        0x12: "invalid_parameters",
        0x13: "remote_user_terminated",
        0x14: "remote_low_resources",
        0x15: "remote_power_off",
        0x16: "local_host_terminated",
        0x17: "repeated_attempts",
        0x18: "pairing_not_allowed",
        0x1A: "unsupported_remote_feature",
        0x1F: "unspecified_error",
        0x22: "response_timeout",
        0x23: "procedure_collision",
        0x25: "encryption_mode_not_acceptable",
        0x28: "instant_passed",
        0x29: "pairing_with_unit_key_not_supported",
        0x2A: "different_transaction_collision",
        0x2F: "insufficient_security",
        0x3A: "controller_busy",
        0x3B: "unacceptable_connection_parameters",
        0x3C: "advertising_timeout",
        0x3D: "mic_failure",
        0x3E: "connection_failed_to_be_established",
        0x42: "unknown_advertising_identifier",
        0x44: "operation_cancelled_by_host",
    }
)


def error_name(code: int) -> str:
    """The name of an error code, ``0x7f`` for one without."""
    return ERROR_NAMES.get(code) or f"0x{code:02x}"
