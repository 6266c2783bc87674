"""System checks: settings that contradict each other stop the start."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

_DAY = 24 * 3600


@register
def check_times(**_arguments: Any) -> list[Error]:
    """Compare the times on which the survival of jobs rests."""
    errors = []
    if settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] < _DAY:
        errors.append(
            Error(
                "The broker's visibility timeout is shorter than a day.",
                hint="A restore may run longer: its message would be delivered again meanwhile.",
                id="highwater.E001",
            )
        )
    if settings.LEASE_SECONDS < 3 * settings.HEARTBEAT_SECONDS:
        errors.append(
            Error(
                "LEASE_SECONDS is shorter than three heartbeats.",
                hint="A worker that is only slow would lose its job. Lengthen the lease.",
                id="highwater.E002",
            )
        )
    if settings.STALE_AFTER_SECONDS <= settings.LEASE_SECONDS:
        errors.append(
            Error(
                "STALE_AFTER_SECONDS is not longer than LEASE_SECONDS.",
                hint="The page would report silence before another worker may take over.",
                id="highwater.E003",
            )
        )
    return errors
