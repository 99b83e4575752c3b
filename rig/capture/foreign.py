"""What a file that no reader knows may be, and what to do with it: advice in one line, never a way to read it.

Names are looked at here, and here only: to say something helpful about a container without a magic number.
"""

from __future__ import annotations

_EXPORT = "export it as btsnoop or pcapng"
_WIRESHARK = "open it in Wireshark and save it as pcapng"
_MAGICS = (
    (b"snoop\0\0\0", f"a Sun snoop capture, which is of a network; {_WIRESHARK} if it does hold Bluetooth"),
    (b"\0\0\2\0\x12\5\0\x10", f"a Tektronix K12 capture: {_WIRESHARK}"),
    (b"+---------+-------", f"a Tektronix K12 text capture: {_WIRESHARK}"),
    (b"\xa1\xb2\xcd\x34", "a pcap file of a patched libpcap: save it as pcapng with Wireshark, or editcap -F pcapng"),
    (b"\x34\xcd\xb2\xa1", "a pcap file of a patched libpcap: save it as pcapng with Wireshark, or editcap -F pcapng"),
    (b"RTSS", f"a Microsoft Network Monitor capture: {_WIRESHARK}"),
    (b"GMBU", f"a Microsoft Network Monitor capture: {_WIRESHARK}"),
    (b"\x7fELF", "a program, not a capture"),
    (b"MZ", "a program, not a capture"),
    (
        b"PK\3\4",
        "a zip archive; in an Android bug report, unpack FS/data/misc/bluetooth/logs/btsnoop_hci.log and name that",
    ),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it first (xz -d)"),
    (b"BZh", "compressed with bzip2: unpack it first (bzip2 -d)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first (zstd -d)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first (lz4 -d)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"\x1f\x8b", "compressed twice: unpack it first (gzip -d)"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x89PNG", "a picture, not a capture"),
    (b"%PDF", "a PDF document, not a capture"),
    (b"SQLite format 3\0", "a database, not a capture"),
)
_SUFFIXES = {
    ".cfa": f"a Frontline capture: {_EXPORT}",
    ".cfax": f"a Frontline capture: {_EXPORT}",
    ".btt": f"an Ellisys capture: {_EXPORT}",
    ".bttx": f"an Ellisys capture: {_EXPORT}",
    ".tbt": f"a Telink capture: {_EXPORT}",
    ".psd": "a capture of Texas Instruments' Packet Sniffer: use Sniffer 2 with Wireshark, and save it as pcapng",
    ".rf5": f"a Tektronix K12 capture: {_WIRESHARK}",
    ".etl": "a Windows trace: convert it with Microsoft's btetlparse, which writes btsnoop",
    ".tracev3": "an Apple unified log; record with PacketLogger",
    ".tgz": "an archive: unpack it, and name the capture in it (in an Apple sysdiagnose, a .pklg)",
    ".tar": "an archive: unpack it, and name the capture in it",
}
_BTSNOOZ = b"BEGIN:BTSNOOP_LOG_SUMMARY"
_CONTAINERS = "btsnoop, pcap, pcapng and Apple PacketLogger can be read, each also in .gz"


def by_magic(head: bytes) -> str | None:
    """Say what a file is whose first bytes are those of a container that cannot be read, None if they are not."""
    for magic, what in _MAGICS:
        if head.startswith(magic):
            return what
    if head[257:262] == b"ustar":
        return _SUFFIXES[".tar"]
    return None


def advice(head: bytes, name: str) -> str:
    """Say what a file that no reader knows may be, and what to do.

    Args:
        head: its first bytes, as many as there are up to a few thousand.
        name: its name.
    """
    if not head:
        return "the file is empty: the recorder wrote nothing"
    what = by_magic(head)
    if what is not None:
        return f"this is {what}"
    suffix = "." + name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix in _SUFFIXES:
        return f"by its name this is {_SUFFIXES[suffix]}"
    if _BTSNOOZ in head:
        return "this is an Android bug report as text: take the capture out of it with Android's btsnooz.py"
    if _is_text(head):
        return f"this is a text file, not a capture ({_CONTAINERS}; text2pcap makes a pcap of a hex dump)"
    return f"this is no capture that is known here ({_CONTAINERS})"


def _is_text(head: bytes) -> bool:
    # A character may be cut at the end of the head: at most three bytes of UTF-8.
    for cut in range(4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return bool(text) and all(character.isprintable() or character in "\t\r\n\f\x1b\ufeff" for character in text)
    return head[:2] in {b"\xff\xfe", b"\xfe\xff"}  # UTF-16, as PowerShell writes what is sent to a file
