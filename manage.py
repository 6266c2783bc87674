#!/usr/bin/env python3
"""Run a management command; with the embedded settings, on servers that it brings along."""

import os
import select
import signal
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
    from config.embedded import commands  # noqa: PLC0415 - reads the environment set above

    try:
        commands.execute(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _has_no_reader(sys.stdout.fileno()):
            raise
        # What is left goes nowhere: Python itself would complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


def _has_no_reader(descriptor: int) -> bool:
    """Whether whoever read the output has gone away, as `head` does."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _descriptor, event in poll.poll(0))


if __name__ == "__main__":
    main()
