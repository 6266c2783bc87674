"""A worker that a test may kill: brings action items in step with their trackers, once.

Usage: python -m tests.faults.syncer DATABASE_NAME TOKEN
"""

import os
import sys

import django
from django.conf import settings


def main(database_name: str, token: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    settings.DATABASES["default"]["NAME"] = database_name
    settings.CREDENTIALS = {"tracker": {"password": token}}
    django.setup()
    from incidents import syncing  # noqa: PLC0415 - only once the settings are complete

    syncing.advance()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
