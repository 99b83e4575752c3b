"""Who sent a data PDU, above all when the sniffer does not say: told from turns, counters and what one role sends.

Three things are known. Within a connection event central and peripheral take turns, one T_IFS apart (Vol 6 Part B,
4.1.1 and 4.5.1). Both count what they send and what they have received modulo 2, in SN and NESN (4.5.9): as long as
neither refuses a PDU for want of room, SN + NESN keeps its parity in each direction, and the two differ. And some
control PDUs come from one role only (:data:`.ll_control.SENT_BY`). Where these leave two senders possible, or disagree,
the sender is unknown.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.links import UNKNOWN_SIDE

_IFS_NS: Final = 150_000  # T_IFS, Vol 6 Part B, 4.1.1
_SLACK_NS: Final = 45_000  # sniffers' clocks jitter; what must be told apart is 230 microseconds
_OVERHEAD: Final = 8  # preamble, access address and CRC, Vol 6 Part B, 2.1
_OCTET_NS: Final = 8_000  # LE 1M
_EMPTY_NS: Final = 10 * _OCTET_NS
_MORE_DATA: Final = 0x10  # the MD bit, Vol 6 Part B, 4.5.6


class Turns:
    """The two ends of one link, as far as the PDUs seen tell them apart.

    Args:
        from_beginning: the CONNECT_IND was just seen, so that the next PDU opens the link.
    """

    __slots__ = (
        "_at_beginning",
        "_channel",
        "_doubtful",
        "_last",
        "_length_ns",
        "_parity",
        "_side",
        "_time_ns",
        "_timed",
    )

    def __init__(self, *, from_beginning: bool) -> None:
        self._at_beginning = from_beginning
        self._timed = True
        self._time_ns: int | None = None  # of the PDU before
        self._length_ns = 0
        self._channel = -1
        self._side = UNKNOWN_SIDE
        self._doubtful = False
        self._last: list[tuple[int, int] | None] = [None, None]  # (SN, NESN) last sent, by side
        self._parity: list[int | None] = [None, None]  # SN + NESN modulo 2 of each side's next PDU, None either

    def phy_changed(self) -> None:
        """Octets no longer take 8 microseconds: intervals say nothing any more."""
        self._timed = False

    def sender(self, time_ns: int, channel: int, pdu: bytes, *, told: int, flagged: int) -> int:
        """Return the side that sent a PDU: 0 the central, 1 the peripheral, or unknown.

        Args:
            time_ns: when it began or ended on the air, by any clock; always the one or always the other.
            channel: where; any number that differs between channels, or -1.
            pdu: its header and payload.
            told: the side that its contents tell, or unknown.
            flagged: the side that the container names, or unknown. It is believed unless both the turn and the counters
                say otherwise: some sniffers go by the order of packets in an event, and take a third one for a second.
        """
        sequence, expected = pdu[0] >> 3 & 1, pdu[0] >> 2 & 1
        parity = sequence ^ expected
        length_ns = (_OVERHEAD + len(pdu)) * _OCTET_NS
        answers = self._answers(time_ns, channel, length_ns, parity)
        by_turn = 1 - self._side if answers and self._side != UNKNOWN_SIDE else UNKNOWN_SIDE
        by_counters = self._by_counters(parity)
        if told != UNKNOWN_SIDE:
            side = told
            if by_turn == 1 - told or by_counters == 1 - told:
                self._forget()
        elif flagged != UNKNOWN_SIDE:
            side = by_turn if by_turn == by_counters == 1 - flagged else flagged
        elif by_turn != UNKNOWN_SIDE:
            side = by_turn
            if self._doubtful:
                # The counters said that the peripheral opened what we have of this event, and had no more to say; yet
                # the central goes on. Either it had more, in a PDU that was missed, or a refusal was missed before.
                self._forget()
                side = UNKNOWN_SIDE
        elif self._at_beginning:
            # The central sends first, and both counters start at 0 (Vol 6 Part B, 4.5.5 and 4.5.9).
            side = 0 if sequence == expected == 0 else UNKNOWN_SIDE
        else:
            side = by_counters
        self._doubtful = side == 1 and told == flagged == by_turn == UNKNOWN_SIDE and not pdu[0] & _MORE_DATA
        self._at_beginning = False
        self._remember(side, sequence, expected)
        self._time_ns, self._length_ns, self._channel, self._side = time_ns, length_ns, channel, side
        return side

    def _by_counters(self, parity: int) -> int:
        central, peripheral = self._parity
        if central is None and peripheral is None:
            return UNKNOWN_SIDE
        if central in (None, parity):
            return UNKNOWN_SIDE if peripheral in (None, parity) else 0
        if peripheral in (None, parity):
            return 1
        self._forget()
        return UNKNOWN_SIDE

    def _answers(self, time_ns: int, channel: int, length_ns: int, parity: int) -> bool:
        """Whether this PDU came one T_IFS after the one before, so that the other side sent it."""
        if not self._timed or self._time_ns is None or channel != self._channel:
            return False
        gap = time_ns - self._time_ns
        shorter, longer = sorted((length_ns, self._length_ns))
        if gap < _IFS_NS + shorter - _SLACK_NS or gap > _IFS_NS + longer + _SLACK_NS:
            return False
        if gap < _IFS_NS + shorter + _IFS_NS + _EMPTY_NS - _SLACK_NS:
            return True  # no room for a PDU that was missed in between
        # By the clock alone one might have been missed. A missed one would make both PDUs one side's, of one parity.
        before = self._last[self._side] if self._side != UNKNOWN_SIDE else None
        return before is not None and before[0] ^ before[1] != parity

    def _remember(self, side: int, sequence: int, expected: int) -> None:
        if side == UNKNOWN_SIDE:
            return
        self._last[side] = (sequence, expected)
        self._parity[side] = sequence ^ expected
        other = self._last[1 - side]
        if other is None:
            return
        # What the other end does with this PDU: it counts it as new, and takes it as an acknowledgement. Doing both or
        # neither keeps its parity; with only one, its parity turns if it hears this PDU, and stays if it does not.
        is_new = sequence == other[1]
        acknowledges = expected != other[0]
        if is_new != acknowledges:
            self._parity[1 - side] = None

    def _forget(self) -> None:
        self._last = [None, None]
        self._parity = [None, None]
