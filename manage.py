#!/usr/bin/env python3
"""Run a management command; with the embedded settings, on servers that it brings along."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
    from config.embedded import commands  # noqa: PLC0415 - reads the environment set above

    commands.execute(sys.argv)


if __name__ == "__main__":
    main()
