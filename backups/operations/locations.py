"""Registering where backups lie, and changing how they are reached."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from backups import schedules
from backups.models import BackupJob, CopyJob, JobState, RestoreJob, StorageLocation, StorageRole
from backups.operations.registration import NotRegistrable, registered
from credentials import is_endpoint
from incidents.errors import Refused

logger = logging.getLogger(__name__)


class LocationInUse(Refused):
    code = "storage-location-in-use"
    message = (
        "A job works with this storage location: its bucket and prefix stay until that is over. "
        "Endpoint, region, keys and the way to address it can change at any time."
    )


def register_storage_location(
    *,
    name: str,
    bucket: str,
    credentials_reference: str,
    endpoint: str = "",
    region: str = "us-east-1",
    prefix: str = "",
    uses_path_style: bool = True,
    role: StorageRole = StorageRole.PRIMARY,
    provider: str = "",
    tz: str = "UTC",
    is_read_only: bool = False,
    at: datetime,
) -> StorageLocation:
    """Register a bucket; its credentials are named (``settings:``, ``env:``, ``file:``).

    ``tz`` is the zone in which its nights are counted. Of one that
    ``is_read_only`` the keys are only to read: no probe and no copy is written there.

    :raises NotRegistrable: if it cannot be registered like this, saying why
    """
    _require_endpoint(endpoint)
    _require_zone(tz)
    return registered(
        StorageLocation(
            name=name,
            bucket=bucket,
            credentials_reference=credentials_reference,
            endpoint=endpoint,
            region=region,
            prefix=prefix.strip("/"),
            uses_path_style=uses_path_style,
            role=role,
            provider=provider,
            tz=tz,
            is_read_only=is_read_only,
            registered_at=at,
        )
    )


def change_storage_location(
    *,
    location_id: int,
    endpoint: str | None = None,
    region: str | None = None,
    credentials_reference: str | None = None,
    uses_path_style: bool | None = None,
    provider: str | None = None,
    bucket: str | None = None,
    prefix: str | None = None,
    tz: str | None = None,
    is_read_only: bool | None = None,
) -> StorageLocation:
    """Reach a storage location in another way from now on, or call another place by its name.

    What is None stays. Work that is under way goes on in the way it began; the next attempt at a
    restore, as after a pause, takes the new one. Bucket and prefix say where what a job works with
    lies, and stay while there is one.

    :raises NotRegistrable: if it cannot be like this, saying why
    :raises LocationInUse: if bucket or prefix is to change under a job that is not over
    """
    _require_endpoint(endpoint or "")
    if tz is not None:
        _require_zone(tz)
    wanted = {
        "endpoint": endpoint,
        "region": region,
        "credentials_reference": credentials_reference,
        "uses_path_style": uses_path_style,
        "provider": provider,
        "bucket": bucket,
        "prefix": None if prefix is None else prefix.strip("/"),
        "tz": tz,
        "is_read_only": is_read_only,
    }
    with transaction.atomic():
        location = StorageLocation.objects.select_for_update().get(pk=location_id)
        changed = {
            name: value
            for name, value in wanted.items()
            if value is not None and value != getattr(location, name)
        }
        if changed.keys() & {"bucket", "prefix"}:
            _require_idle(location)
        for name, value in changed.items():
            setattr(location, name, value)
        registered(location)
    logger.info("storage location %s: changed %s", location.pk, ", ".join(sorted(changed)))
    return location


def _require_endpoint(endpoint: str) -> None:
    if endpoint and not is_endpoint(endpoint):
        raise NotRegistrable(
            "An endpoint is an address that begins with http:// or https://, without a name, a "
            "password or a question in it. Leave it empty for Amazon's own."
        )


def _require_zone(tz: str) -> None:
    try:
        schedules.check_zone(tz)
    except schedules.BadSchedule as error:
        raise NotRegistrable(error.advice) from error


def _require_idle(location: StorageLocation) -> None:
    reads = Q(database__storage=location) | Q(database__copies=location)
    restore = RestoreJob.objects.unfinished().filter(reads).order_by("pk").first()
    backups = BackupJob.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING])
    job = restore or backups.filter(database__storage=location).order_by("pk").first()
    copies = CopyJob.objects.unfinished().exclude(state=JobState.FAILED)
    touches = Q(source=location) | Q(destination=location)
    job = job or copies.filter(touches).order_by("pk").first()
    if job is not None:
        raise LocationInUse(
            f"{job} works with this storage location: its bucket and prefix stay until that is "
            "over. Wait for it, or cancel it. Endpoint, region, keys and the way to address it can "
            "change at any time."
        )
