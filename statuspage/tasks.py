"""What Celery calls: publishing what time has changed, and queueing what followers are sent."""

from celery import shared_task
from django.utils import timezone

from statuspage import deliveries, publisher, subscribing
from statuspage.publisher import targets


@shared_task
def publish_due() -> None:
    publisher.publish_due()


@shared_task
def push_targets() -> None:
    targets.push_due()


@shared_task
def queue_deliveries() -> None:
    deliveries.queue_deliveries(at=timezone.now())


@shared_task
def forget_unconfirmed() -> None:
    subscribing.forget_unconfirmed(at=timezone.now())
