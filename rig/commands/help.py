"""The help pages of ``rig``, as they are printed: at most 80 columns, plain text.

Imports nothing, so that help is there at once. The parser in :mod:`rig.commands.tree` is held to them by a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

_HELP: Final = frozenset({"--help", "-h"})


def asked_for(tokens: Sequence[str]) -> bool:
    """Whether a command line asks for help. What stands behind ``--`` is no option."""
    before = tokens[: tokens.index("--")] if "--" in tokens else tokens
    return not _HELP.isdisjoint(before)


def command_of(tokens: Sequence[str]) -> str:
    """The command that a line names, ``""`` for rig itself."""
    return next((token for token in tokens if not token.startswith("-") and token in PAGES), "")


def page(command: str) -> str:
    """The help page of a command, ``""`` for rig itself."""
    return PAGES[command].lstrip("\n")


PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": """
The test bench of Microcurrent Companion: reads Bluetooth LE captures, replays
them in every role, and puts simulated devices on the air.

  rig COMMAND …

Captures
  decode     what a capture holds, as ATT rows, GATT operations or device events
  info       what a capture is: links, roles, names, counts, everything odd
  convert    a capture as btsnoop, pcap or pcapng, with names replaced if asked
  record     what a device notifies, live, as a capture

Replay
  replay     a recording as decoder test, as the device, or as the app
  transcript a capture as the text file that replays are made of
  baseline   timing kept, and held against what was kept
  report     reports of several runs as one, or in another form

Devices
  devices    the simulated devices, what they advertise and offer
  serve      one of them on the air, with a Bluetooth controller of its own
  doctor     what that needs, and what of it is missing here
  conformance  whether a device, simulated or real, keeps its rules

Everywhere
  --help     what a command does, as in `rig decode --help`
  --debug    where a fault came from, for a bug report
  --version  the version

Exit codes
  0          done
  1          a fault; a damaged capture: what comes before is printed; a replay
             that differs, timing that got worse, a device that breaks a rule
  2          a mistake in the command line
  3          a replay or comparison that says nothing: a planned fault never
             fired, a precondition did not hold, too few samples, a check that
             could not be carried out
  5          no Bluetooth controller: not there, not permitted, or gone
  130        ended by Ctrl+C
  141        whoever read the output left (as `| head` does)
""",
        "decode": """
Prints what a Bluetooth LE capture holds. The container is found by content:
btsnoop, pcap, pcapng, Apple PacketLogger, each also gzipped.

  rig decode FILE [OPTIONS]

Argument
  FILE               the capture; `-` reads it from standard input

What to print
  --att              one row for each ATT PDU (the usual)
  --gatt             operations: a request with its answer, long values whole
  --events           what app and device said, in the device's own terms

Options
  --format FORMAT    table, tsv, json or jsonl; the usual is table in a
                     terminal and tsv in a pipe or file
  --map FILE         a handle map: what handles mean, where the capture does
                     not show the discovery
  --save-map FILE    write what this capture's discovery told as a handle map
  --protocol NAME    with --events: the device's protocol, where the capture
                     does not tell (dr05, foreo, omp)

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report

A table is cut to the terminal and shows long values in part; the other formats
are complete.
""",
        "info": """
Says what a capture is: container, link type, records, span, links with
addresses, names and roles, MTU and connection parameters over time, discovery,
pairing and encryption, ATT by kind, and everything odd.

  rig info FILE [OPTIONS]

Argument
  FILE               the capture; `-` reads it from standard input

Options
  --json             one JSON object, for programs

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "convert": """
Writes a capture as another container. HCI records are kept byte for byte; what
a sniffer saw becomes the HCI traffic of one side, with the same ATT.

  rig convert IN OUT [OPTIONS]

Arguments
  IN                 the capture; `-` reads it from standard input
  OUT                the file to write: .btsnoop, .log or .snoop, .pcap, or
                     .pcapng; with .gz behind it, gzipped

Options
  --format FORMAT    btsnoop, pcap or pcapng, whatever OUT is called
  --redact           replace addresses and names, the same ones the same way
  --redact-seed N    replace them the same way again: the same N, the same file
  --map FILE         a handle map to write into a pcapng

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "record": """
Connects to a device and records at the level of GATT what it is asked and what
it notifies, as a capture with discovery. It writes nothing to the device but
what switches notifications on.

  rig record --device NAME OUT [OPTIONS]

Argument
  OUT                the file to write: .btsnoop, .log or .snoop, .pcap, or
                     .pcapng

Options
  --device NAME      the device's advertised name, or its address
  --seconds N        end after N seconds; without it, at Ctrl+C or when the
                     device disconnects
  --format FORMAT    btsnoop, pcap or pcapng, whatever OUT is called
  --save-map FILE    write the device's attributes as a handle map, too

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "replay": """
Plays a recording (a capture in any container, or a transcript) and says in
words where what happened is not what was recorded. Nothing has to be there but
the file: the other side is on a virtual radio.

  rig replay FILE … [OPTIONS]

Argument
  FILE               captures, transcripts, or folders of them; `-` reads a
                     capture from standard input. example:NAME is a recording
                     that comes with rig: example:dr05-makers-total-stop

The role
  --as decoder       feed what was said to the device's protocol (the usual)
  --as peripheral    be the device; the recorded app is the other side
  --as central       be the app; the simulated device is the other side
  --golden FILE      decoder: the events that the recording has to give; for
                     several recordings a folder with a file for each
  --update           write --golden instead of comparing with it
  --app FILE         peripheral: the recording whose app is the other side
  --simulate NAME    central: which simulated device, where the recording does
                     not tell; `rig devices` lists them
  --order ORDER      strict, or by-characteristic: for an app that does several
                     things at once

Time
  --speed SPEED      max (the usual): at once, in virtual time; 1 (the usual
                     with real hardware): as recorded; N: N times as fast
  --cap S            a gap longer than S seconds becomes S seconds
  --cut S            a gap longer than S seconds is left out
  --tolerance S      how much longer than recorded either side may take before
                     it is late (0.05), or none
  --patience S       how long past its time anything is waited for (30)

Real hardware
  --device ADDRESS   central: play to the real device with this address. What
                     the protocol forbids is never written, and every run ends
                     with the device's total stop. The app's guard holds the
                     link; without it there is no output.
  --consent          say that this device may put out current now, and that it
                     touches nobody
  --transport HCI    peripheral: play on this Bluetooth controller (usb:0 …) to
                     whatever app connects
  --address ADDRESS  the random static address to use there

What goes wrong
  --faults FILE      a plan of faults between the two sides; a run in which a
                     planned fault never fired says nothing, and ends with 3
  --seed N           what is random in device and radio (the usual: 0)

Result
  --report FILE      write a report: .html, .xml (JUnit) or .json; may be given
                     several times
  --baseline FILE    hold the timing against a baseline, too
  --false-alarm P    how often that comparison may fail where nothing has
                     changed (0.01)
  --jobs N           worker processes for several recordings (one a core)

Reading
  --link N           which link of a capture (the one with most exchanges)
  --map FILE         a handle map, where the capture has no discovery
  --protocol NAME    the device's protocol, where the recording does not tell
  --skip-unnamed     leave out handles that have no UUID

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report

Exit codes: 0 all as recorded, 1 a difference, 2 a mistake in the command line,
3 the run says nothing, 5 no controller.
""",
        "transcript": """
Writes the conversation of a capture as a transcript: a text file with one line
for each exchange, by UUID, that a diff shows well and `rig replay` plays.

  rig transcript IN OUT [OPTIONS]

Arguments
  IN                 the capture; `-` reads it from standard input. Of a
                     transcript, the newest version is written
  OUT                the file to write; `-` prints it

Options
  --link N           which link of the capture (the one with most exchanges)
  --map FILE         a handle map, where the capture has no discovery
  --protocol NAME    the device's protocol, where the capture does not tell
  --skip-unnamed     leave out handles that have no UUID

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "baseline": """
Keeps the timing of recordings and replays as whole distributions, and holds
later ones against it: pass, marginal or fail for each measurement, with what
changed in words.

  rig baseline save BASELINE FILE … [OPTIONS]
  rig baseline compare BASELINE FILE … [OPTIONS]

Arguments
  BASELINE           the file with the distributions
  FILE               captures, transcripts, JSON reports of `rig replay`, or
                     folders of them

Options of save
  --note KEY=VALUE   what the baseline is of, as firmware=2.1; may be given
                     several times
  --seed N           which samples are kept, of more than 10,000

Options of compare
  --false-alarm P    how often a comparison may fail where nothing has changed
                     (0.01); it may say marginal ten times as often
  --minimum-effect P from which share of the median on a change matters (0.05)
  --report FILE      write a report: .html, .xml (JUnit) or .json; may be given
                     several times

Reading
  --link N           one link of the captures only
  --map FILE         a handle map, where captures have no discovery
  --protocol NAME    the device's protocol, where the recordings do not tell

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report

A measurement that the baseline has less than 10 samples of, or does not have,
is told, and decides nothing: make the baseline of more recordings. One that
only the baseline has decides: it is not enough, unless only captures have it
(connection interval, supervision gap) or only replays (lateness).

Exit codes: 0 no measurement fails, 1 one does, 2 a mistake in the command line,
3 too few samples to say.
""",
        "report": """
Reads the JSON reports that `rig replay` and `rig baseline compare` wrote, and
prints them as one, or writes them in another form.

  rig report FILE … [OPTIONS]

Argument
  FILE               reports in JSON, or folders of them

Options
  --report FILE      write the report: .html, .xml (JUnit) or .json; may be
                     given several times
  --title TEXT       its title

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report

What several of them have under one name, as a recording that was replayed
twice, is told apart by its file.

Ends with the exit code of the whole: 0 all as recorded, 1 a difference, 3 a run
that says nothing.
""",
        "devices": """
Lists the simulated devices: what they advertise and offer.

  rig devices

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "conformance": """
Measures whether a device keeps its rules, timing included, and says pass,
marginal or fail for each: the ten rules of the Open Microcurrent Profile, what
the Dr-05's published firmware does, what is known of FOREO devices.

  rig conformance KIND [OPTIONS]

Argument
  KIND               omp, dr05 or foreo

The device
  --seed N           the simulated device, in virtual time (the usual); what is
                     random in it and in the radio (the usual: 0)
  --device DEVICE    a real one, by its name or address. Pair an OMP device with
                     this computer first, and put 2.2 kilohms between the
                     electrodes. Every link is held by the app's guard and ends
                     with the device's stop. What is unsafe or would delete
                     something is left out, and listed
  --consent          say that this device may put out current now, and that it
                     touches nobody

Result
  --report FILE      write a report: .html, .xml (JUnit) or .json; may be given
                     several times
  --junit FILE       the same as JUnit, for a name that ends with .xml
  --json             print the report as JSON

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report

Exit codes: 0 every rule is kept, 1 one is broken, 2 a mistake in the command
line, 3 a check could not be carried out.
""",
        "serve": """
Puts a simulated device on the air with a Bluetooth controller of its own, until
Ctrl+C. Any central can then connect to it: a phone, another computer, the
companion. Every change of its output is printed, and the code of a pairing.

  rig serve DEVICE --transport TRANSPORT [OPTIONS]

Argument
  DEVICE                 which one; `rig devices` lists them

Options
  --transport TRANSPORT  the controller as Bumble names it: usb:0,
                         serial:/dev/ttyACM0, tcp-client:127.0.0.1:9001,
                         tcp-server:_:9001. With vhci there is no radio: this
                         computer's own Bluetooth (Linux) is the only central
  --seed N               what is random in the device (the usual: 0)
  --address ADDRESS      the random static address to use, as C0:FF:EE:00:00:01;
                         without it a random one

Everywhere
  --help                 this page
  --debug                where a fault came from, for a bug report

Exit codes: 0 ended by Ctrl+C, 2 a mistake in the command line, 5 no controller:
`rig doctor` says what is missing.
""",
        "doctor": """
Says what `rig serve` needs and whether it is here, one line each, with what to
do where it is not: packages, libusb, controllers on USB, serial ports, vhci.

  rig doctor [OPTIONS]

Options
  --transport TRANSPORT  look at this one, as usb:0, serial:/dev/ttyACM0,
                         tcp-client:127.0.0.1:9001, tcp-server:_:9001 or vhci,
                         and ask its controller what it can do. That resets it:
                         links that it has end
  --json                 one JSON object, for programs

Everywhere
  --help                 this page
  --debug                where a fault came from, for a bug report

Exit codes: 0 what is needed is here, 2 a mistake in the command line, 5
something is missing.
""",
    }
)
