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
The test bench of Microcurrent Companion: reads Bluetooth LE captures, and puts
simulated devices on the air.

  rig COMMAND …

Captures
  decode     what a capture holds, as ATT rows, GATT operations or device events
  info       what a capture is: links, roles, names, counts, everything odd
  convert    a capture as btsnoop, pcap or pcapng, with names replaced if asked
  record     what a device notifies, live, as a capture

Devices
  devices    the simulated devices, what they advertise and offer
  serve      one of them on the air, with a Bluetooth controller of its own

Everywhere
  --help     what a command does, as in `rig decode --help`
  --debug    where a fault came from, for a bug report
  --version  the version

Exit codes
  0          done
  1          a fault, or a damaged capture: what comes before is printed
  2          a mistake in the command line
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
                     does not tell (dr05, foreo)

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
        "devices": """
Lists the simulated devices: what they advertise and offer.

  rig devices

Everywhere
  --help             this page
  --debug            where a fault came from, for a bug report
""",
        "serve": """
Puts a simulated device on the air with a Bluetooth controller of its own, until
Ctrl+C. Any central can then connect to it: a phone, another computer, the
companion. Every change of its output is printed.

  rig serve DEVICE --transport TRANSPORT [OPTIONS]

Argument
  DEVICE                 which one; `rig devices` lists them

Options
  --transport TRANSPORT  the controller as Bumble names it: usb:0,
                         serial:/dev/ttyACM0, tcp-client:127.0.0.1:9001 …
  --seed N               what is random in the device (the usual: 0)
  --address ADDRESS      the random static address to use, as C0:FF:EE:00:00:01;
                         without it a random one

Everywhere
  --help                 this page
  --debug                where a fault came from, for a bug report
""",
    }
)
