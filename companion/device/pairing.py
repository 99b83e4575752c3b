"""Pairing, as the companion sees it: what a person may be asked, and how a pairing fails in plain words.

Knows the three questions of LE Secure Connections (Core Specification Vol 3 Part H 2.3.5). Refuses to know which radio
asks them, and how they are put to the person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol, TypeVar

from companion.device.radio import RadioError

T = TypeVar("T")

QUESTION_LIMIT_S = 30.0
"""Longest wait for one answer of the person, in seconds: the Security Manager gives up after it (Vol 3 Part H 3.4)."""
NEARLY_S = 2.0
"""A question that is withdrawn so shortly before its limit, in seconds, was not answered in time by any account: the
device's own half a minute began with its last word, before the question was put."""
PAIRING_LIMIT_S = 90.0
"""Longest wait for a whole pairing, in seconds: some devices want a key pressed before they answer."""


class Pairer(Protocol):
    """The person who pairs a device, behind whatever face. Numbers are 0 to 999,999 and are shown with six digits.

    A question that is no longer wanted is cancelled; whoever shows it takes it away then.
    """

    async def compare(self, device: str, number: int) -> bool:
        """Ask whether the device shows this number, too."""

    async def enter(self, device: str) -> int | None:
        """Ask for the number that the device shows; None where the person would rather not."""

    def show(self, device: str, number: int) -> None:
        """Show the number that the person is to type on the device."""


class Failure(Enum):
    """Why a pairing came to nothing: what happened, and the one thing to do."""

    WRONG = ("the two codes were not the same", "try again, and read the code from the device's own display")
    DECLINED = ("you ended the pairing", "begin again when you like")
    TOO_LATE = ("nobody answered in time", "try again; the code counts for half a minute")
    REFUSED = ("the device refused to be paired", "put it into pairing mode (see its manual) and try again")
    GONE = ("the device ended the pairing or went out of reach", "hold it near and try again")
    NO_PROOF = ("it was paired without any code, which proves nothing", "put it into pairing mode (see its manual)")
    NOBODY = ("it is not paired with this computer yet", "pair it first: companion pair")
    UNKNOWN = ("the pairing did not work", "switch the device off and on and try again")


class PairingError(RadioError):
    """A pairing came to nothing; nothing was kept, and no output was possible."""

    def __init__(self, device: str, failure: Failure, detail: str = "") -> None:
        what, advice = failure.value
        super().__init__(f"{device}: {what}" + (f" ({detail})" if detail else ""), advice)
        self.failure = failure


class ImpostorError(PairingError):
    """The device is not the one it says it is, or cannot prove it; nothing was said to it."""

    def __init__(self, device: str, doubt: str) -> None:
        RadioError.__init__(
            self,
            doubt,
            f"if it is yours, and was reset or is new: companion devices --forget {device!r}, and pair it again",
        )
        self.failure = Failure.UNKNOWN


class Questions:
    """Puts a radio's questions to the person, and remembers how they were answered, for the words when it fails.

    ``pairer`` is None where there is nobody to ask: every question is then declined.
    """

    def __init__(self, device: str, pairer: Pairer | None) -> None:
        self.device = device
        self.failure: Failure | None = None if pairer is not None else Failure.NOBODY
        self.proved = False
        """Whether a code was compared, typed or shown: without any, whoever is at the other end has proved nothing."""
        self._pairer = pairer
        self._asked: asyncio.Future[Any] | None = None

    async def compare(self, number: int) -> bool:
        """Ask whether the numbers are the same; False also where nobody answers in time."""
        pairer = self._pairer
        if pairer is None:
            return False
        same = await self._answer(lambda: pairer.compare(self.device, number))
        if same is False:
            self.failure = Failure.WRONG
        self.proved = bool(same)
        return self.proved

    async def enter(self) -> int | None:
        """Ask for the number on the device; None also where nobody answers in time."""
        pairer = self._pairer
        if pairer is None:
            return None
        number = await self._answer(lambda: pairer.enter(self.device))
        if number is None:
            self.failure = self.failure or Failure.DECLINED
        self.proved = number is not None
        return number

    def show(self, number: int) -> None:
        """Show the number to type on the device."""
        if self._pairer is not None:
            self.proved = True
            self._pairer.show(self.device, number)

    def withdraw(self) -> None:
        """Take back a question that is being asked: the device has given up."""
        if self._asked is not None:
            self._asked.cancel()

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        asked: asyncio.Future[T] = asyncio.ensure_future(ask())
        self._asked = asked
        late_at = asyncio.get_running_loop().time() + QUESTION_LIMIT_S - NEARLY_S
        try:
            async with asyncio.timeout(QUESTION_LIMIT_S):
                return await asked
        except TimeoutError:
            self.failure = Failure.TOO_LATE
        except asyncio.CancelledError:
            if not asked.cancelled() or _is_cancelled():
                raise
            late = asyncio.get_running_loop().time() >= late_at
            self.failure = Failure.TOO_LATE if late else Failure.GONE  # withdrawn
        finally:
            self._asked = None
        return None


def _is_cancelled() -> bool:
    """Whether it is the caller's own task that is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
