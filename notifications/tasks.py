"""What Celery calls: sending what is due."""

from celery import shared_task
from django.utils import timezone

from notifications import outbox


@shared_task
def send_due() -> None:
    outbox.send_due(at=timezone.now())
