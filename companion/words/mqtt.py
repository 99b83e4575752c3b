"""Words of the link to Home Assistant: what it does, what went wrong and what to do, and the names that it shows."""

from __future__ import annotations

from typing import Final

# --- what is shown in Home Assistant ----------------------------------------------------------------------------------

DEVICE: Final = "Microcurrent Companion"
NEXT_SESSION: Final = "Next session"
LAST_SESSION: Final = "Last session"
MINUTES_THIS_WEEK: Final = "Minutes this week"
WATER_TODAY: Final = "Water today"
WATER_GOAL: Final = "Water goal"
BATTERY: Final = "Device battery"
SESSION: Final = "Session"
OUTPUT: Final = "Output"
WATER_REMINDER: Final = "Water reminder"
STOP: Final = "Stop"

REMINDER: Final = "{ml} millilitres of water, if you like."
"""Said aloud by a speaker: nothing of the person, of sessions or of why."""

# --- what the link is doing -------------------------------------------------------------------------------------------

OFF: Final = "Home Assistant: off."
CONNECTING: Final = "Home Assistant: connecting to {broker}…"
ONLINE: Final = "Home Assistant: connected to {broker}."
ENDED: Final = "Home Assistant: not connected."
WAITING: Final = "Home Assistant: {problem}. Trying again."
TAKEN_BACK: Final = "Home Assistant forgets the companion: nothing of it is left at {broker}."
REACHED: Final = "{broker} answers and lets the companion in."
STOP_DROPPED: Final = (
    "Home Assistant: connected to {broker}. A Stop that was more than {seconds} seconds old was left out: "
    "check that both clocks are right."
)

# --- what went wrong --------------------------------------------------------------------------------------------------

REFUSED: Final = "{broker} refuses the connection; check that the broker is running, and the port"
UNKNOWN_HOST: Final = "there is no computer {host}; check the name of the broker"
TOO_SLOW: Final = "{broker} does not answer; check the network, the port, and whether it wants TLS"
NOT_LET_IN: Final = "{broker} does not accept the user name and password; check both"
NOT_ALLOWED: Final = "{broker} does not let this user read {topic}; allow it there"
LOST: Final = "{broker} ended the connection"
NOT_TRUSTED: Final = (
    "the certificate of {broker} is not trusted ({detail}); choose the file of the authority that made it"
)
NO_TLS: Final = "{broker} does not answer with TLS; check the port (usually 8883)"
OTHER: Final = "{broker}: {detail}"
MISTAKE: Final = "the companion made a mistake ({kind}); sessions are not touched by it"

# --- settings and secrets ---------------------------------------------------------------------------------------------

HOST: Final = "the name or address of the broker, without mqtt://"
TOPIC: Final = "a topic without #, + and $, and without / at its ends"
DEVICE_ID: Final = "letters, digits, - and _"
NO_HOST: Final = "it cannot be on without the host of the broker"
NO_USER: Final = "a password is of no use without a username"
NO_FILE: Final = 'password_from is "file", so password_file is needed'
NO_TLS_FOR_FILES: Final = "ca_file, certificate_file and key_file are of no use without tls"
NO_CERTIFICATE: Final = "key_file is of no use without certificate_file"
IN_THE_CLEAR: Final = "the password goes to {host} unencrypted: turn tls on where the broker has it"

FILE_UNREADABLE: Final = "{path} cannot be read ({detail}); check mqtt.{setting}"
FILE_NOT_PLAIN: Final = "{path} is no ordinary file; put the password alone into one"
FILE_OPEN_TO_OTHERS: Final = "others can read {path}, so it is not used; keep it to yourself with `chmod 600 {path}`"
FILE_OF_OTHERS: Final = "{path} belongs to somebody else, so it is not used; make one of your own"
FILE_TOO_LONG: Final = "{path} is no password: it is longer than {most} bytes"
FILE_NOT_TEXT: Final = "{path} is no password: it is not UTF-8 text"
EMPTY: Final = "the password in {where} is empty; put it there, or set mqtt.password_from to another place"
NO_VARIABLE: Final = "the environment variable {name} is not set; set it, or set mqtt.password_from to another place"
NO_KEYRING: Final = (
    "the keyring package is not installed; install it with `pip install 'microcurrent-companion[keyring]'`, "
    "or set mqtt.password_from to another place"
)
KEYRING_FAILED: Final = (
    "the system's keyring does not answer ({detail}); unlock it, or set mqtt.password_from to another place"
)
NOT_IN_KEYRING: Final = "the system's keyring has no password for {user} at {broker}; keep it there once"
KEYRING: Final = "the system's keyring"
BAD_TLS_FILE: Final = "{path} cannot be used for TLS ({detail}); check mqtt.{setting}"
