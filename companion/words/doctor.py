"""Words of ``companion doctor``: what was seen, and how to put right what is not as it should be. One line each."""

from __future__ import annotations

from typing import Final

ALL_WELL: Final = "Everything that a session needs is there."
WELL_WITH_REMARKS: Final = "Everything that a session needs is there; what is marked warn could be better."
SOMETHING_MISSING: Final = "Something is missing; the demo works without Bluetooth: `companion --demo`."

COMPANION: Final = "{version}, Python {python}"
PART_MISSING: Final = "not installed; install the companion again"

# --- what is kept -----------------------------------------------------------------------------------------------------

DATA_TO_COME: Final = "{folder} (made when first needed)"
DATA_READ_ONLY: Final = "{folder} cannot be written to; make it writable, or point COMPANION_DATA to another folder"
DATA_OPEN: Final = "others on this computer can look into {path}; keep it to yourself with `chmod {mode} {path}`"
SETTINGS_FINE: Final = "{path}"
SETTINGS_NONE: Final = "all as usual; `companion settings` shows them"

# --- Bluetooth --------------------------------------------------------------------------------------------------------

BLUETOOTH_ELSEWHERE: Final = "asked of the system when you scan: `companion scan`"
NO_BUS: Final = "the system bus is not running; install and start `dbus`"
NO_ADAPTER: Final = "no adapter; plug one in, or switch it on in the computer's settings, and start `bluetooth`"
ADAPTER_BLOCKED: Final = "{adapter} is switched off; switch it on with `rfkill unblock bluetooth`"
BUS_UNREACHABLE: Final = "the system bus does not let the companion in ({detail}); check that `dbus` runs as it should"
NO_SERVICE: Final = "the Bluetooth service is not running; start it with `systemctl start bluetooth`"
NO_PERMISSION: Final = (
    "the Bluetooth service does not let you in; join its group with `sudo usermod -aG bluetooth $USER`, and log in anew"
)
NO_ANSWER: Final = "the Bluetooth service does not answer; start it again with `systemctl restart bluetooth`"
SERVICE_FAILED: Final = (
    "the Bluetooth service answers with an error ({detail}); restart it with `systemctl restart bluetooth`"
)
SERVICE_NO_ADAPTER: Final = "the Bluetooth service runs and knows no adapter; plug one in, or restart `bluetooth`"
SERVICE_OFF: Final = "{adapter} is switched off; switch it on with `bluetoothctl power on`"
SERVICE_WELL: Final = "runs, and lets you in; {adapter} is on"

# --- reminders and notifications --------------------------------------------------------------------------------------

NOTIFICATIONS_OFF: Final = "off, as you set it (`companion settings set notifications.system auto`)"
NOTIFICATIONS_WELL: Final = "shown with {program}"
NOTIFICATIONS_NONE: Final = (
    "{program} is missing, so reminders show in the app alone; install it (on Debian: `apt install libnotify-bin`)"
)
NOTIFICATIONS_NO_DESKTOP: Final = (
    "no desktop in this session, so reminders show in the app alone; log in on one for more"
)

SOUND_BELL: Final = "the terminal's bell, where the terminal lets it be heard"
SOUND_OFF: Final = "off, as you set it (`companion settings set sound.cues bell`)"
SOUND_WELL: Final = "tones, played with {player}"
SOUND_NONE: Final = "nothing to play tones with, so the bell rings; install one of {players}"
SOUND_ELSEWHERE: Final = "you are here by ssh and would not hear tones, so the bell rings"

# --- Home Assistant ---------------------------------------------------------------------------------------------------

MQTT_OFF: Final = "off (`companion settings set mqtt.enabled yes` turns it on)"
MQTT_FAULT: Final = "{problem}"

# --- terminal ---------------------------------------------------------------------------------------------------------

NO_TERMINAL: Final = "not a terminal here, so nothing to look at; the app needs one, `companion run` does not"
COLOURS_FULL: Final = "all of them"
COLOURS_256: Final = "256 colours; for all of them use a terminal with true colour, and set COLORTERM=truecolor"
COLOURS_NONE_WANTED: Final = "none, as NO_COLOR asks; unset it for colours"
COLOURS_FEW: Final = "few colours (TERM={term}); set TERM=xterm-256color where your terminal can do them"
COLOURS_DUMB: Final = "TERM={term} draws nothing; use `companion run ROUTINE --plain`, or another terminal"
SIZE: Final = "{columns} x {lines}"
SIZE_SMALL: Final = "{columns} x {lines}; the app is made for 80 x 24 and more: make the window larger"
CHARACTERS: Final = "{encoding}"
CHARACTERS_FEW: Final = "{encoding} lacks characters that the app draws with; set LANG=C.UTF-8"
