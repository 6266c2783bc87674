"""What Celery calls: the clock of the record."""

from celery import shared_task
from django.utils import timezone

from incidents import operations, reminders, syncing


@shared_task
def settle_promises() -> None:
    operations.settle_due_promises(at=timezone.now())


@shared_task
def tell_what_is_due() -> None:
    reminders.tell_what_is_due(at=timezone.now())


@shared_task
def tell_what_is_overdue() -> None:
    reminders.tell_what_is_overdue(at=timezone.now())


@shared_task
def clear_unused_files() -> None:
    operations.clear_unused_files(at=timezone.now())


@shared_task
def advance_maintenances() -> None:
    operations.advance_maintenances(at=timezone.now())


@shared_task
def sync_trackers() -> None:
    syncing.advance()
