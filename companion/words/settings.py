"""Words of the settings: each with its reason, what is allowed, and what is wrong with a line of the file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "appearance": "How it looks",
        "sound": "What you hear",
        "notifications": "Reminders outside of the app",
        "quiet": "When reminders rest",
        "mqtt": "Home Assistant and MQTT",
        "serve": "The app in a browser",
    }
)

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "appearance.theme": "Light or dark. Auto goes by what the terminal says of itself.",
        "appearance.face": "As in a mirror, your left on the left; or facing you, as on a picture.",
        "appearance.motion": "Motion shows which way to stroke. None keeps everything still.",
        "sound.cues": "To follow with closed eyes: the terminal's bell, tones, or nothing.",
        "notifications.system": "Reminders as notifications of this computer, where it has them.",
        "notifications.only_when_away": "Only while the app is not in front of you: it tells you itself.",
        "quiet.from": "From this time on no reminder disturbs you.",
        "quiet.to": "Until this time. The same as from means no quiet hours.",
        "mqtt.enabled": "Tells Home Assistant how it goes, and takes Stop from it, no more.",
        "mqtt.host": "The broker: often the computer that Home Assistant runs on.",
        "mqtt.port": "Not set is the usual one: 8883 with TLS, 1883 without.",
        "mqtt.tls": "Encrypts the connection, and makes sure that the broker is yours.",
        "mqtt.ca_file": "Who vouches for the broker, where it is not one of the usual ones.",
        "mqtt.certificate_file": "For a broker that wants to know this computer by certificate.",
        "mqtt.key_file": "The key of that certificate, where it is in a file of its own.",
        "mqtt.username": "As the broker knows you.",
        "mqtt.password_from": "Where the password is. It never stands here.",
        "mqtt.password_file": "A file with the password alone, for nobody else to read.",
        "mqtt.discovery_prefix": "Where Home Assistant looks for devices, if you changed it there.",
        "mqtt.base_topic": "Where on the broker everything of the companion is.",
        "mqtt.device_id": "Drawn at random once, so that Home Assistant knows it again.",
        "serve.host": "Who may reach the app: 127.0.0.1 is this computer and nobody else.",
        "serve.port": "The number after the colon in the browser's address.",
    }
)
"""One line for each setting, by key; short enough for a narrow terminal."""

# --- what is allowed --------------------------------------------------------------------------------------------------

TIME_OF_DAY: Final = 'a time of the day such as "22:00"'
HOST: Final = "a name or address of a computer"
TRUE_OR_FALSE: Final = "true or false"
YES_OR_NO: Final = "yes or no"
WHOLE: Final = "a whole number"
NUMBER: Final = "a number"
BETWEEN: Final = "{kind} from {least} to {most}"
AT_LEAST: Final = "{kind} from {least} on"
AT_MOST: Final = "{kind} up to {most}"
TEXT: Final = "a text"
TEXT_BETWEEN: Final = "a text of {least} to {most} characters"
TEXT_AT_MOST: Final = "a text of at most {most} characters"
OR: Final = " or "
YES: Final = "yes"
NO: Final = "no"
NOT_SET: Final = "not set"

# --- what is wrong ----------------------------------------------------------------------------------------------------

LINE: Final = "line {line}"
NOT_TOML: Final = "this is not TOML: {problem}"
MEND_LINE: Final = "mend that line; until then everything is as usual"
UNREADABLE: Final = "it cannot be read ({problem})"
CHECK_RIGHTS: Final = "check its rights; until then everything is as usual"
NOT_UTF8: Final = "byte {at} is not UTF-8"
SAVE_AS_UTF8: Final = "save the file as UTF-8; until then everything is as usual"
TOO_LONG: Final = "it is longer than {most} KiB"
SHORTEN: Final = "take out what does not belong; until then everything is as usual"
UNKNOWN: Final = "there is no such setting"
NOT_SECTION: Final = "this is a section"
AS_SECTION: Final = "write it as [{section}] with its settings below"
NOT_ALLOWED: Final = "{value} is not allowed"
NOT_ALLOWED_UNSAID: Final = "what is there is not allowed"
ALLOWED: Final = "allowed is {allowed}"
MAKE_AGREE: Final = "change one of them"
DID_YOU_MEAN: Final = 'did you mean "{name}"?'
KNOWN: Final = "known are {all}"
GUARDED: Final = "{problem}, so all of [{section}] is as usual"
AND_MORE: Final = "{first} (and {count} more: `companion settings check`)"

# --- what cannot be changed -------------------------------------------------------------------------------------------

NO_SUCH: Final = "there is no setting {key!r}; {advice}"
LIST_THEM: Final = "`companion settings` lists them"
BAD_VALUE: Final = "{key} is {allowed}, not {value!r}"
BAD_UNSAID: Final = "{key} is {allowed}, and nothing else"
SECTION_REFUSES: Final = "{key} cannot be so: {problem}"
KEPT_AS_IS: Final = "{problem}; nothing was changed"
NOT_CHANGED: Final = "{file} cannot be changed in this place alone ({key}); change that line by hand"
NOT_WRITTEN: Final = "{file} cannot be written ({problem}); check the rights of {folder}"

NEW_FILE: Final = "Settings of the companion on this computer. `companion settings` shows all, each with its reason."

# --- the command ------------------------------------------------------------------------------------------------------

VALUE: Final = "{key}  {value}"
VALUE_USUAL: Final = "{key}  {value}  (usual)"
VALUE_CHANGED: Final = "{key}  {value}  (usual: {usual})"
ALLOWED_HERE: Final = "May be {allowed}."
SEE_CHECK: Final = "Not all of {file} can be used: `companion settings check`"
FINE: Final = "{file}: fine."
NO_FILE: Final = "{file} is not there yet: everything is as usual."

# --- the screen -------------------------------------------------------------------------------------------------------

TITLE: Final = "Settings"
SEARCH: Final = "search"
NOTHING_FOUND: Final = "No setting has these words."
USUAL: Final = "usual: {value}"
KEY_CHANGE: Final = "change"
KEY_EDIT: Final = "edit"
KEY_SEARCH: Final = "search"
KEY_USUAL: Final = "as usual"
KEY_TO_LIST: Final = "to the settings"
KEY_KEEP: Final = "keep"
KEY_CANCEL: Final = "leave it"
