"""The ``rig`` command: help, the exit code, and one line for whatever goes wrong.

Refuses to know what a command does: everything of weight (the parser too) is imported once a command line needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rig.commands.faults import FAULT, FINISHED, INTERRUPTED, READER_GONE, RigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (of ``sys.argv`` when none is given) and return its exit code; a fault becomes one line."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(tokens)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A pipe into something that is not UTF-8 gets a question mark for what it cannot show, never a fault.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = _run(tokens, debug=debug)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _flushed(INTERRUPTED)
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets one line and a way to report it
        return _failed(error, debug=debug)
    return code


def _open_closed_streams() -> None:
    """Under ``>&-`` Python starts without a standard output: what is printed then goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the process runs
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as above


def _run(tokens: list[str], *, debug: bool) -> int:
    if not tokens or "--help" in tokens or "-h" in tokens:
        from rig.commands import help as help_pages  # noqa: PLC0415 - what each command line needs, and nothing more

        if not tokens or help_pages.asked_for(tokens):
            sys.stdout.write(help_pages.page(help_pages.command_of(tokens)))
            return FINISHED
    from rig.commands.lines import plain  # noqa: PLC0415 - as above

    line = plain(tokens)
    if line is not None:
        command, parameters = line
        if command == "decode":
            from rig.commands.decode import decode  # noqa: PLC0415 - as above

            return decode(**parameters)  # type: ignore[arg-type]  # the shapes name its parameters; a test compares
        from rig.commands.info import info  # noqa: PLC0415 - as above

        return info(**parameters)  # type: ignore[arg-type]  # as above
    if tokens == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms that only this needs

        sys.stdout.write(f"rig {version('microcurrent-companion')}\n")
        return FINISHED
    from rig.commands.tree import dispatch  # noqa: PLC0415 - the parser costs more than all of help

    return dispatch(tokens, debug=debug)


def _take_debug(tokens: list[str]) -> bool:
    """Take ``--debug`` out of a command line, wherever it stands before ``--``."""
    end = tokens.index("--") if "--" in tokens else len(tokens)
    kept = [word for word in tokens[:end] if word != "--debug"]
    found = len(kept) < end
    tokens[:end] = kept
    return found


def _failed(error: Exception, *, debug: bool) -> int:
    """Tell a fault in one line, after all that was decoded before it; return its exit code."""
    code = _flushed(error.exit_code if isinstance(error, RigError) else FAULT)
    if debug:
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    sys.stderr.write(f"rig: {_in_words(error)}\n")
    return code


def _in_words(error: Exception) -> str:
    from rig.capture.records import CaptureError  # noqa: PLC0415 - a page of help knows nothing of captures

    if isinstance(error, RigError | CaptureError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:  # a full disk, mostly
        text = f"{error.filename or 'standard output'}: {error.strerror}"
    else:
        fault = f"{type(error).__name__}: {error}".rstrip(": ")
        text = f"an unexpected fault ({fault}); run the same with --debug and report what it prints"
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _flushed(code: int) -> int:
    """Write out what is left to write; what went wrong before says more than that nobody reads on."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _reader_gone()
    except OSError:  # the fault itself: a full disk, told already
        _nowhere()
    return code


def _reader_gone() -> int:
    """Whoever read the output has closed it (``rig decode … | head -1``): no fault, and nobody left to tell."""
    _nowhere()
    return READER_GONE


def _nowhere() -> None:
    # The interpreter flushes standard output when it ends; into nothing, so that it does not complain either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
