"""Names that the Bluetooth SIG and makers have assigned to UUIDs, for eyes.

The table is bleak's (``bleak.uuids``). It is loaded without bleak itself, whose radio would cost a tenth of a second.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path


def load() -> dict[str, str]:
    """UUID as in the ``uuid`` column (four hex digits, or dashed) to its name. Takes about 10 ms."""
    package = importlib.util.find_spec("bleak")
    folders = list(package.submodule_search_locations or ()) if package else []
    spec = importlib.util.spec_from_file_location("_bleak_uuids", Path(folders[0]) / "uuids.py") if folders else None
    if spec is None or spec.loader is None:
        raise ImportError("bleak is not installed; install this program again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {f"{number:04x}": name for number, name in module.uuid16_dict.items()} | dict(module.uuid128_dict)
