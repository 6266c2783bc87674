"""Probing storage locations: some small questions each quarter of an hour, and rows of answers."""

import logging
import queue
import random
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min, Q
from django.db.models.functions import TruncHour

from backups.errors import CredentialsMissing, EngineFailed
from backups.models import Backup, Database, ProbeKind, StorageLocation, StorageProbe
from backups.runner.credentials import storage_credentials
from backups.runner.tools import bucket_of, opened_archive
from backups.storage.answers import PassingTrouble
from backups.storage.probe import LIMIT_SECONDS, PIECE_BYTES, probe
from backups.storage.s3 import ObjectRef

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
# Probes of many locations, and of many installations, do not all fall on the same second.
JITTER_SECONDS = 60
# A provider that asks to be asked less is, by twice the time each time up to this: its bad hours
# are to be known, too.
SELDOMEST = timedelta(hours=1)
# Somebody else is at it: no round takes longer.
ROUND = timedelta(minutes=3)
# Keys that may not write are not tried again before.
WRITES_AGAIN = timedelta(days=1)
# Probes are kept whole for so long, then one of a kind an hour, and in the end none.
WHOLE_FOR = timedelta(days=90)
KEPT_FOR = timedelta(days=400)
_SLOW_DOWN, _DENIED = "slow-down", "denied"
_ENCRYPTION = StorageProbe._meta.get_field("encryption").max_length


def due_storages(*, at: datetime) -> list[int]:
    """Return the locations whose next probe is due."""
    rows = StorageLocation.objects.filter(_due(at)).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def probe_storage(
    *, location_id: int, at: datetime, is_asked_for: bool = False
) -> list[StorageProbe] | None:
    """Probe a location if it is due, and write down how it went; None if it is not.

    Of two that are called at the same time one does it. One that ``is_asked_for`` does not wait
    until it is due, but for another that is under way.
    """
    waiting = _is_free(at) if is_asked_for else _due(at)
    claimed = StorageLocation.objects.filter(waiting, pk=location_id).update(
        probed_at=at, probe_due_at=at + EVERY + _jitter()
    )
    if not claimed:
        return None
    location = StorageLocation.objects.get(pk=location_id)
    found = _probed(location, at=at)
    rows = StorageProbe.objects.bulk_create(found)
    if any(row.error == _SLOW_DOWN for row in rows):
        wait = _pause(location, at=at)
        StorageLocation.objects.filter(pk=location_id).update(probe_due_at=at + wait + _jitter())
    return rows


def choose_probe_object(location: StorageLocation) -> ObjectRef | None:
    """Choose the largest object of the newest backup there, and keep it for the next probes.

    None if there is no backup, or if the storage does not say; what was chosen before stays then.
    """
    databases = Database.objects.filter(Q(storage=location) | Q(copies=location))
    newest = (
        Backup.objects.filter(database__in=databases)
        .usable()
        .newest_first()
        .select_related("database")
    ).first()
    if newest is None:
        return None
    told: queue.SimpleQueue[Sequence[ObjectRef]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with opened_archive(newest.database, location=location) as archive:
                told.put(archive.engine.objects_of(newest.engine_id))
        except (EngineFailed, PassingTrouble) as trouble:
            logger.info("%s: no object to probe: %s", location, trouble)
            told.put(())

    # A daemon: a list that never ends holds up nothing but itself.
    threading.Thread(target=ask, name=f"probe-{location.pk}", daemon=True).start()
    try:
        refs = told.get(timeout=LIMIT_SECONDS)
    except queue.Empty:
        return None
    best = max(refs, key=lambda ref: ref.size, default=None)
    if best is not None:
        location.probe_key, location.probe_bytes = best.key, best.size
        location.save(update_fields=["probe_key", "probe_bytes"])
    return best


def thin_probes(*, at: datetime) -> int:
    """Let go of old probes: beyond 90 days one of a kind an hour is kept, beyond 400 none."""
    gone, _rows = StorageProbe.objects.filter(at__lt=at - KEPT_FOR).delete()
    old = StorageProbe.objects.filter(at__lt=at - WHOLE_FOR)
    kept = (
        old.annotate(hour=TruncHour("at"))
        .values("location", "kind", "hour")
        .annotate(first=Min("pk"))
        .values("first")
    )
    thinned, _rows = old.exclude(pk__in=kept).delete()
    return gone + thinned


def _due(at: datetime) -> Q:
    # What is due later than any probe can be was worked out by a clock that ran ahead.
    return (
        Q(probe_due_at__isnull=True)
        | Q(probe_due_at__lte=at)
        | Q(probe_due_at__gt=at + 2 * SELDOMEST)
    )


def _is_free(at: datetime) -> Q:
    """Whether nobody is at it: its last probe is over, or was begun by a clock that ran ahead."""
    return Q(probed_at__isnull=True) | Q(probed_at__lte=at - ROUND) | Q(probed_at__gt=at)


def _jitter() -> timedelta:
    return timedelta(seconds=random.uniform(-JITTER_SECONDS, JITTER_SECONDS))  # noqa: S311 - no secret


def _probed(location: StorageLocation, *, at: datetime) -> list[StorageProbe]:
    piece = None
    if not location.probe_key:
        piece = choose_probe_object(location)
    elif location.probe_bytes:
        piece = ObjectRef(key=location.probe_key, size=location.probe_bytes, etag="")
    try:
        keys = storage_credentials(location.credentials_reference)
    except CredentialsMissing:
        return [
            StorageProbe(location=location, at=at, kind=ProbeKind.LIST, seconds=0, error="keys")
        ]
    # Another piece each time: what a storage has just given lies in its memory.
    start = random.randrange(max(piece.size - PIECE_BYTES, 0) + 1) if piece else 0  # noqa: S311 - as above
    with closing(bucket_of(location, keys, silence_seconds=settings.STORAGE_SILENCE_SECONDS)) as it:
        answers = list(
            probe(
                it, name=str(location.pk), piece_of=piece, start=start,
                may_write=not (location.is_read_only or _refuses_writes(location, at=at)),
            )
        )  # fmt: skip
    if any(each.error == "missing" and each.kind == ProbeKind.RANGE for each in answers):
        # Retention has taken it away: the next probe chooses another.
        StorageLocation.objects.filter(pk=location.pk).update(probe_key="", probe_bytes=0)
        answers = [each for each in answers if each.error != "missing"]
    return [
        StorageProbe(
            location=location,
            at=at,
            kind=each.kind,
            seconds=each.seconds,
            first_byte_seconds=each.first_byte_seconds,
            bytes=each.bytes,
            error=each.error,
            clock_ahead_seconds=each.clock_ahead_seconds,
            encryption=each.encryption[:_ENCRYPTION],
        )
        for each in answers
    ]


def _refuses_writes(location: StorageLocation, *, at: datetime) -> bool:
    rows = StorageProbe.objects.filter(location=location, kind=ProbeKind.PUT)
    last = rows.filter(at__gt=at - WRITES_AGAIN, at__lte=at).order_by("-at").first()
    return last is not None and last.error == _DENIED


def _pause(location: StorageLocation, *, at: datetime) -> timedelta:
    """Return how long a storage that asked for it is left alone: twice as long each time."""
    wait = EVERY
    rows = StorageProbe.objects.filter(location=location, at__lte=at, at__gt=at - 8 * SELDOMEST)
    throttled: dict[datetime, bool] = {}
    for when, error in rows.order_by("-at").values_list("at", "error"):
        throttled[when] = throttled.get(when, False) or error == _SLOW_DOWN
    for was_throttled in throttled.values():
        if not was_throttled:
            break
        wait = min(2 * wait, SELDOMEST)
    return wait
