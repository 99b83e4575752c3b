"""``rig transcript``: a capture's conversation as the text file that replays are made of.

Knows the command line, and says what could not come along. Refuses to know captures: :mod:`rig.replay.from_capture`
reads them.
"""

from __future__ import annotations

import sys

from rig.commands.faults import FINISHED, UsageError
from rig.commands.reading import STANDARD_INPUT, are_one, bar, known_protocol, loaded_map, not_typed


def transcript(
    source: str,
    target: str,
    *,
    link: int | None = None,
    map: str | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
    skip_unnamed: bool = False,
) -> int:
    """Write the conversation of ``source``, a capture or a transcript, to ``target``; ``-`` prints it.

    Raises:
        UsageError: ``target`` is ``source``, or there is no such protocol.
        CaptureError: ``source`` or the map cannot be read, or is damaged.
        TranscriptError: there is no such link, nothing to write, handles without a UUID, or ``target`` cannot be
            written.
    """
    if target != STANDARD_INPUT and (target == source or are_one(target, source)):
        raise UsageError(f"{target}: the transcript would be written over what it is read from; name another file")
    not_typed(source)
    known_protocol(protocol)
    handle_map = loaded_map(map)
    from rig.replay.from_capture import extract, transcript_of  # noqa: PLC0415 - once the line is known to be right
    from rig.replay.transcript import dumps, is_transcript, save  # noqa: PLC0415 - as above

    if source != STANDARD_INPUT and is_transcript(source):
        # one of an older version is brought up to date by being read
        found, left_out = transcript_of(source, link=link, protocol=protocol), {}
    else:
        with bar() as progress:
            extraction = extract(
                source,
                link=link,
                handle_map=handle_map,
                protocol=protocol,
                skip_unnamed=skip_unnamed,
                progress=progress,
            )
        found, left_out = extraction.transcript, dict(extraction.left_out)
    if target == STANDARD_INPUT:
        sys.stdout.write(dumps(found))
        sys.stdout.flush()
    else:
        save(found, target)
        count = len(found.exchanges)
        sys.stdout.write(f"{target}: {count:,} exchange{'' if count == 1 else 's'}, {found.title}\n")
    if left_out:
        told = ", ".join(f"{what} ({count:,})" for what, count in sorted(left_out.items()))
        sys.stderr.write(f"rig: {source}: left out: {told}\n")
    return FINISHED
