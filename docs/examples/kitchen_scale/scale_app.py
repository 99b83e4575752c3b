"""The program under test: it asks a kitchen scale, by bleak, and asks again when no sound answer comes."""

import asyncio
from types import TracebackType
from typing import Self, TypeVar

from bleak import BleakClient
from scale_protocol import ANSWERS, QUESTIONS, TARE, WEIGH, Tared, Weight, decoded, framed

Answer = TypeVar("Answer")
PATIENCE_S = 1.0
TRIES = 3


class Scale:
    def __init__(self, client: BleakClient) -> None:
        self._client = client
        self._answers: asyncio.Queue[object] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        await self._client.start_notify(ANSWERS, lambda _, data: self._answers.put_nowait(decoded(bytes(data))))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.stop_notify(ANSWERS)

    async def weigh(self) -> float:
        return (await self._ask(WEIGH, Weight)).grams

    async def tare(self) -> None:
        await self._ask(TARE, Tared)

    async def _ask(self, question: int, wanted: type[Answer]) -> Answer:
        for _ in range(TRIES):
            await self._client.write_gatt_char(QUESTIONS, framed(question), response=True)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not isinstance(answer := await self._answers.get(), wanted):
                        pass
                    return answer
            except TimeoutError:
                continue
        raise TimeoutError(f"the scale has not answered {TRIES} times")
