"""A worker that a test may kill: carries one copy in a process of its own.

Usage: python -m tests.faults.copier COPY_ID DATABASE_NAME
"""

import os
import sys

import django
from django.conf import settings
from django.utils import timezone


def main(copy_id: int, database_name: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    settings.DATABASES["default"]["NAME"] = database_name
    settings.LEASE_SECONDS = 6
    settings.HEARTBEAT_SECONDS = 1
    settings.STORAGE_SILENCE_SECONDS = 2
    django.setup()
    from backups import runner  # noqa: PLC0415 - only once the settings are complete

    runner.run_copy(copy_id=copy_id, now=timezone.now)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
