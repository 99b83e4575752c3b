"""What the Security Manager Protocol says about a link: who began pairing, by which method, and how it ended.

Knows the layout of SMP PDUs (Vol 3 Part H, 3). Keeps no key, and no number that goes into one.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.links import UNKNOWN_SIDE, Link

_PAIRING_REQUEST: Final = 0x01
_PAIRING_RESPONSE: Final = 0x02
_PAIRING_FAILED: Final = 0x05
_SECURITY_REQUEST: Final = 0x0B
_PAIRING_PUBLIC_KEY: Final = 0x0C

_IO_CAPABILITIES: Final = {
    0: "display_only",
    1: "display_yes_no",
    2: "keyboard_only",
    3: "no_input_no_output",
    4: "keyboard_display",
}

FAILURES: Final = {
    0x01: "passkey_entry_failed",
    0x02: "oob_not_available",
    0x03: "authentication_requirements",
    0x04: "confirm_value_failed",
    0x05: "pairing_not_supported",
    0x06: "encryption_key_size",
    0x07: "command_not_supported",
    0x08: "unspecified_reason",
    0x09: "repeated_attempts",
    0x0A: "invalid_parameters",
    0x0B: "dhkey_check_failed",
    0x0C: "numeric_comparison_failed",
    0x0D: "br_edr_pairing_in_progress",
    0x0E: "generation_not_allowed",
    0x0F: "key_rejected",
    0x10: "busy",
}
"""Pairing Failed reasons (Vol 3 Part H, 3.5.5, table 3.7)."""


def observe(link: Link, frame: int, time_ns: int, side: int, payload: bytes) -> None:
    """Write into the history what one SMP PDU of an LE link tells; PDUs that only carry key material are passed by."""
    if not payload:
        return
    code = payload[0]
    if code in (_PAIRING_REQUEST, _PAIRING_RESPONSE):
        # The initiator of LE pairing is the central, always (Vol 3 Part H, 2.1 and 2.4.6).
        _tell_central(link, side, sender_is_central=code == _PAIRING_REQUEST)
        step = "request" if code == _PAIRING_REQUEST else "response"
        if len(payload) < 7:
            link.happened(frame, time_ns, "pairing", step=step)
            return
        requirements = payload[3]
        link.happened(
            frame,
            time_ns,
            "pairing",
            step=step,
            io_capability=_IO_CAPABILITIES.get(payload[1], f"0x{payload[1]:02x}"),
            out_of_band=payload[2] == 1,
            bonding=requirements & 3 == 1,
            mitm_protection=bool(requirements & 4),
            secure_connections=bool(requirements & 8),
            max_key_size_bytes=payload[4],
        )
    elif code == _SECURITY_REQUEST:
        _tell_central(link, side, sender_is_central=False)
        link.happened(frame, time_ns, "pairing", step="security_request")
    elif code == _PAIRING_PUBLIC_KEY:
        link.happened(frame, time_ns, "pairing", step="public_key", secure_connections=True)
    elif code == _PAIRING_FAILED:
        reason = payload[1] if len(payload) > 1 else 0
        link.happened(frame, time_ns, "pairing", step="failed", reason=FAILURES.get(reason, f"0x{reason:02x}"))


def _tell_central(link: Link, side: int, *, sender_is_central: bool) -> None:
    if link.central_side is None and side != UNKNOWN_SIDE:
        link.central_side = side if sender_is_central else 1 - side
