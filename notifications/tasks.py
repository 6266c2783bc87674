"""What Celery calls: sending what is due."""

from celery import shared_task
from django.utils import timezone

from notifications import outbox
from notifications.models import Channel


@shared_task
def send_due(channel: str) -> None:
    outbox.send_due(at=timezone.now(), channels=[Channel(channel)])
