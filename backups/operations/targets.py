"""Having recovery targets looked at, each by the worker beside it."""

from django.db import transaction

from backups import tasks


def look_at_targets() -> None:
    """Ask the workers beside the recovery targets what is there now. They answer in their rows."""

    # A function, not the task itself: Django asks a robust hook that failed for its name.
    def ask() -> None:
        tasks.probe_targets.delay()

    transaction.on_commit(ask, robust=True)
