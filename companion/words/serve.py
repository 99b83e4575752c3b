"""Words of ``companion serve``: the address, the warning, the page around the app, and what can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from companion.words.page import EVERYWHERE, PERSON, Page

SERVE_COMMANDS: Final = (("serve", "the app in a browser"),)

SERVE_PAGES: Final[Mapping[tuple[str, ...], Page]] = {
    ("serve",): Page(
        usage=(
            ("companion serve", "the app in a browser on this computer"),
            ("companion serve --demo", "the same with a virtual device"),
        ),
        about="Prints an address and shows the app to whoever opens it. Closing the tab stops the output at once.",
        sections=(
            (
                "Options",
                (
                    ("--host HOST", "where to be reached (the usual: 127.0.0.1); elsewhere with --demo alone"),
                    ("--port PORT", "the number after the colon in the address (the usual: 8000; 0: a free one)"),
                    PERSON,
                    ("--demo [DEVICE]", "with a virtual device: omp (the usual), dr05 or foreo"),
                ),
            ),
            EVERYWHERE,
        ),
        note="The address is new each time. Whoever has it uses the app as you do: keep it to yourself.",
    ),
}

# --- in the terminal --------------------------------------------------------------------------------------------------

ADDRESS: Final = "The app is at {address}"
KEEP: Final = "Keep the address to yourself: whoever has it uses the app as you do."
CLOSE: Final = "Closing the tab stops the output at once. Ctrl+C here ends everything."
WARNING: Final = (
    "Warning: other computers can reach this, and nothing on the way is encrypted. Whoever gets hold of the address\n"
    "sees what the demo shows and can use it. A real device is never served beyond this computer."
)
FELL: Final = "The app in a browser tab fell down; with `companion serve --debug` you see here why."
NO_ANSWER: Final = "The app in a browser tab did not end when told to, so it was ended."

# --- on the page ------------------------------------------------------------------------------------------------------

TITLE: Final = "Microcurrent Companion"
WAIT: Final = "Getting ready …"
ENDED: Final = "This is the end of it here. If a session was running, it was stopped."
CHECK: Final = "In doubt, look at your device, and switch it off by its own key."
AGAIN: Final = "Begin again"
FORBIDDEN: Final = "403: not from here. Use the whole address that `companion serve` has printed."
NOT_FOUND: Final = "404: there is nothing here."

# --- faults -----------------------------------------------------------------------------------------------------------

MISSING: Final = (
    "the browser needs a part that is not installed; install it with `pip install 'microcurrent-companion[serve]'`"
)
NOT_ON_WINDOWS: Final = "`companion serve` is for Linux and macOS; on Windows use `companion` in a terminal"
HERE_ONLY: Final = (
    "a real device is served to this computer alone, and {host} is beyond it: leave --host out, or give --demo"
)
HERE_ONLY_SETTING: Final = (
    "a real device is served to this computer alone, and serve.host in the settings is {host}: run"
    " `companion settings reset serve.host`, or give --demo"
)
BAD_PORT: Final = "takes a whole number from 0 to 65535"
CANNOT_LISTEN: Final = "cannot be reached at {host}, port {port} ({reason}); try another --port"
