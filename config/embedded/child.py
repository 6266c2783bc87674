"""Become a program that ends when its starter dies; a program of its own, run by `supervisor`.

Usage: child.py SIGNAL STARTER PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(number: str, starter: str, *command: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(starter):
        # It died before the kernel was asked.
        return
    # The terminal's Ctrl-C is for the supervisor, which ends its children in good order.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - becoming the program is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
