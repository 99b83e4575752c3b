"""The exit code of each way in which a session ends: one table for the app and for ``companion run``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from companion.config import Exit
from companion.session.model import Reason

EXIT_OF_REASON: Final[Mapping[Reason, Exit]] = MappingProxyType(
    {
        Reason.COMPLETED: Exit.FINISHED,
        Reason.STOPPED: Exit.STOPPED_EARLY,
        Reason.PAIN: Exit.STOPPED_EARLY,
        Reason.TIME_LIMIT: Exit.STOPPED_EARLY,
        Reason.LINK_LOST: Exit.LINK_LOST,
        Reason.DEVICE_FAULT: Exit.FAULT,
        Reason.STORAGE: Exit.FAULT,
        Reason.DEFECT: Exit.FAULT,
        Reason.NOT_REACHED: Exit.NO_DEVICE,
        Reason.NOT_PAIRED: Exit.NO_DEVICE,
    }
)
