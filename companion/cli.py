"""The ``companion`` command: help, the exit code, and one line for whatever goes wrong.

Refuses to know what a command does: everything of weight (the parser too) is imported once a command line needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from companion.config import CompanionError, Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (of ``sys.argv`` when none is given) and return its exit code; a fault becomes one line."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(tokens)
    for stream in (sys.stdout, sys.stderr):
        # A pipe into something that is not UTF-8 gets a question mark for what it cannot show, never a fault.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _flushed(_run(tokens, debug=debug))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except CompanionError as error:
        return _tell(str(error), error.exit_code, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets one line and a way to report it
        from companion.words import cli as words  # noqa: PLC0415 - as in _run

        fault = f"{type(error).__name__}: {error}".rstrip(": ")
        return _tell(words.UNEXPECTED.format(fault=" ".join(fault.split())), Exit.FAULT, debug=debug)


def _run(tokens: list[str], *, debug: bool) -> int:
    from companion.commands import start  # noqa: PLC0415 - what each command line needs, and nothing more

    line = tuple(tokens)
    if line in start.DIRECT:
        start.set_up_logging(debug=debug)
        return start.start(start.DIRECT[line])
    from companion.commands import help as help_pages  # noqa: PLC0415 - as above

    if help_pages.asked_for(tokens):
        sys.stdout.write(help_pages.page(help_pages.command_of(tokens), _width(), bold=_bold()))
        return Exit.FINISHED
    if tokens == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms that only this needs

        sys.stdout.write(f"companion {version('microcurrent-companion')}\n")
        return Exit.FINISHED
    from companion.commands.tree import dispatch  # noqa: PLC0415 - the parser costs more than all of help

    return dispatch(tokens, debug=debug)


def _take_debug(tokens: list[str]) -> bool:
    """Take ``--debug`` out of a command line, wherever it stands before ``--``."""
    end = tokens.index("--") if "--" in tokens else len(tokens)
    kept = [word for word in tokens[:end] if word != "--debug"]
    found = len(kept) < end
    tokens[:end] = kept
    return found


def _tell(message: str, code: Exit, *, debug: bool) -> int:
    if debug:
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    if sys.stderr is not None:  # a program without a console (pythonw) has none of the three streams
        sys.stderr.write(f"companion: {message}\n")
    return code


def _flushed(code: int) -> int:
    """Write out what is left to write. How a session ended says more than that nobody read on."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        gone = _reader_gone()
        return code or gone
    return code


def _reader_gone() -> int:
    """Whoever read the output has closed it (``companion history | head -1``): no fault, and nobody left to tell."""
    # The interpreter flushes standard output when it ends; into nothing, so that it does not complain either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.READER_GONE


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80


def _bold() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
