"""Who sent a data PDU, above all when the sniffer does not say: told from turns, counters, time and contents.

What is known: within a connection event central and peripheral take turns, one T_IFS apart, and the central begins it
at multiples of the connection interval (Vol 6 Part B, 4.1.1 and 4.5.1). Both count what they send and what they have
received modulo 2, in SN and NESN (4.5.9): as long as neither refuses a PDU for want of room, SN + NESN keeps its parity
in each direction, and the two differ. And some control PDUs come from one role only (:data:`.ll_control.SENT_BY`).
Where these leave two senders possible, or disagree, the sender is unknown. What none of them shows is a refusal in a
PDU that the sniffer has missed as well: until something contradicts, senders may then be taken for each other.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.links import UNKNOWN_SIDE

_IFS_NS: Final = 150_000  # T_IFS, Vol 6 Part B, 4.1.1
_OCTET_NS: Final = 8_000  # LE 1M
_OVERHEAD: Final = 8  # preamble, access address and CRC, Vol 6 Part B, 2.1
_EMPTY_NS: Final = (_OVERHEAD + 2) * _OCTET_NS
_LONGEST_NS: Final = 2_120_000  # the longest packet of LE 1M
_SLACK_NS: Final = 45_000  # sniffers' clocks jitter; what must be told apart is 230 microseconds
_EVENT_NS: Final = 4_000_000  # PDUs less than this apart may be of one event, 7.5 ms being the shortest interval


class Turns:
    """The two ends of one link, as far as the PDUs seen tell them apart.

    Args:
        from_beginning: the CONNECT_IND was just seen, so that the next PDU opens the link.
        interval_ns: the connection interval, 0 where it is not known.
    """

    __slots__ = (
        "_anchor_length_ns",
        "_anchor_ns",
        "_at_beginning",
        "_at_end",
        "_channel",
        "_in_step",
        "_interval_ns",
        "_last",
        "_length_ns",
        "_parity",
        "_side",
        "_time_ns",
        "_timed",
    )

    def __init__(self, *, from_beginning: bool, interval_ns: int = 0) -> None:
        self._at_beginning = from_beginning
        self._timed = True
        self._time_ns: int | None = None  # of the PDU before
        self._length_ns = 0
        self._channel = -1
        self._side = UNKNOWN_SIDE
        self._last: list[tuple[int, int] | None] = [None, None]  # (SN, NESN) last sent, by side
        self._parity: list[int | None] = [None, None]  # SN + NESN modulo 2 of each side's next PDU, None either
        self._at_end: bool | None = None  # whether times are of the end of packets, None while that is unknown
        self._interval_ns = interval_ns
        self._anchor_ns: int | None = None  # of a PDU with which the central began an event
        self._anchor_length_ns = 0
        self._in_step = False  # whether the last two such PDUs were multiples of the interval apart

    def interval_changes(self, interval_ns: int) -> None:
        """The interval will be another from some event on: nothing is concluded from it until two events agree."""
        self._interval_ns = interval_ns
        self._in_step = False

    def phy_changes(self) -> None:
        """Octets no longer take 8 microseconds: times say nothing any more."""
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
        elif self._at_beginning:
            # The central sends first, and both counters start at 0 (Vol 6 Part B, 4.5.5 and 4.5.9).
            side = 0 if sequence == expected == 0 else UNKNOWN_SIDE
        elif answers:
            side = 0 if by_counters == 0 else UNKNOWN_SIDE
        elif self._is_of_event_before(time_ns, channel):
            # One in between was missed: the same side's again, if the counters say so, too. As long as it is not known
            # whether times are of beginnings or ends, it may be an answer all the same.
            side = by_counters if by_counters == self._side and self._at_end is not None else UNKNOWN_SIDE
        else:
            side = self._of_first(by_counters, self._by_interval(time_ns, length_ns))
        if side == 0 and not answers:
            self._note_anchor(time_ns, channel, length_ns)
        self._at_beginning = False
        self._remember(side, sequence, expected)
        self._time_ns, self._length_ns, self._channel, self._side = time_ns, length_ns, channel, side
        return side

    @staticmethod
    def _of_first(by_counters: int, by_interval: int) -> int:
        """Who sent the first PDU seen of an event.

        That the counters name the peripheral is no proof: the central may have refused what it got in the last event.
        """
        if by_interval == 0:
            return 0
        if by_interval == by_counters:  # both the peripheral, or neither says
            return by_interval
        return 0 if by_counters == 0 and by_interval == UNKNOWN_SIDE else UNKNOWN_SIDE

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

    def _by_interval(self, time_ns: int, length_ns: int) -> int:
        """Who sent a PDU that does not answer one, by how long it came after the central's turn began."""
        if not self._in_step:
            return UNKNOWN_SIDE
        offsets = self._offsets(time_ns, length_ns)
        early, late = min(offsets), max(offsets)
        # 50 ppm is the worst that a central's clock is allowed while connected (Vol 6 Part B, 4.2.2).
        slack = _SLACK_NS + abs(time_ns - (self._anchor_ns or 0)) // 20_000
        if slack > 2 * _SLACK_NS:
            return UNKNOWN_SIDE
        if -slack < early and late < slack:
            return 0
        if early > _EMPTY_NS + _IFS_NS - slack and late < _LONGEST_NS + _IFS_NS + slack:
            return 1
        return UNKNOWN_SIDE

    def _offsets(self, time_ns: int, length_ns: int) -> list[int]:
        """Nanoseconds since the nearest beginning of an event, for each way in which time may have been taken."""
        half, offsets = self._interval_ns // 2, []
        for at_end in (False, True) if self._at_end is None else (self._at_end,):
            since = time_ns - (self._anchor_ns or 0)
            if at_end:
                since -= length_ns - self._anchor_length_ns
            offsets.append((since + half) % self._interval_ns - half)
        return offsets

    def _note_anchor(self, time_ns: int, channel: int, length_ns: int) -> None:
        if not self._timed or not self._interval_ns:
            return
        if self._anchor_ns is not None:
            offsets = self._offsets(time_ns, length_ns)
            is_multiple = max(map(abs, offsets)) < 2 * _SLACK_NS
            if not is_multiple and self._is_of_event_before(time_ns, channel):
                return
            self._in_step = is_multiple
        self._anchor_ns, self._anchor_length_ns = time_ns, length_ns

    def _is_of_event_before(self, time_ns: int, channel: int) -> bool:
        if not self._timed or self._time_ns is None or channel != self._channel:
            return False
        return 0 <= time_ns - self._time_ns < _EVENT_NS

    def _answers(self, time_ns: int, channel: int, length_ns: int, parity: int) -> bool:
        """Whether this PDU came one T_IFS after the one before, so that the other side sent it."""
        if not self._timed or self._time_ns is None or channel != self._channel:
            return False
        gap = time_ns - self._time_ns - _IFS_NS
        if self._at_end is not None:
            return abs(gap - (length_ns if self._at_end else self._length_ns)) < _SLACK_NS
        shorter, longer = sorted((length_ns, self._length_ns))
        if gap < shorter - _SLACK_NS or gap > longer + _SLACK_NS:
            return False
        if gap >= shorter + _IFS_NS + _EMPTY_NS - _SLACK_NS:
            # By the clock one might have been missed. That would make both PDUs one side's, of one parity.
            before = self._last[self._side] if self._side != UNKNOWN_SIDE else None
            if before is None or before[0] ^ before[1] == parity:
                return False
        if longer - shorter > 2 * _SLACK_NS:
            # From beginning to beginning lies the first packet, from end to end the second.
            self._at_end = abs(gap - length_ns) < abs(gap - self._length_ns)
        return True

    def _remember(self, side: int, sequence: int, expected: int) -> None:
        if side != UNKNOWN_SIDE:
            self._last[side] = (sequence, expected)
            self._parity[side] = sequence ^ expected
        for end in (0, 1) if side == UNKNOWN_SIDE else (1 - side,):
            last = self._last[end]
            # What an end does with a PDU of the other: it counts it as new, and takes it as an acknowledgement. Both or
            # neither keeps its parity; with only one, its parity turns if it hears the PDU, and stays if it does not.
            if last is not None and (sequence == last[1]) != (expected != last[0]):
                self._parity[end] = None

    def _forget(self) -> None:
        self._last = [None, None]
        self._parity = [None, None]
