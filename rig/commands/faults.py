"""The documented exit codes of ``rig``, and the one error that is meant for the person.

Imports nothing, so that a short command line stays short.
"""

from __future__ import annotations

FINISHED = 0
FAULT = 1
USAGE = 2
NO_ADAPTER = 5  # as `companion` has it
INTERRUPTED = 130  # ended by Ctrl+C: 128 + SIGINT, as shells count
READER_GONE = 141  # standard output was closed by its reader: 128 + SIGPIPE


class RigError(Exception):
    """A fault told to the person in one line: what is wrong, where, and what to do."""

    exit_code = FAULT


class NoAdapterError(RigError):
    """There is no Bluetooth controller to be had where one was named, or it has gone."""

    exit_code = NO_ADAPTER


class UsageError(RigError):
    """The command line asks for what there is not, or for what does not go together."""

    exit_code = USAGE
