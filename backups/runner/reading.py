"""Reading backups where they lie: whether everything is there, and holds what was recorded.

Each run lists a place, notes what is missing or of another size, and reads what was read longest
ago, so much that all of it is read within the time that the policy says.
"""

import logging
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models import Q, Sum
from django.utils import timezone

from backups.errors import EngineFailed
from backups.models import (
    Backup,
    BackupPolicy,
    Database,
    JobState,
    ObjectReading,
    ReadingState,
    RestoreJob,
    StorageLocation,
)
from backups.models.policies import MONTH
from backups.runner.copying.places import Home, opened_bucket
from backups.runner.inventory import Inventory
from backups.runner.manifests import Manifests
from backups.storage.patience import Halted, Patience
from backups.storage.proofreader import Proof, Subject, Verdict, read_objects
from backups.storage.spool import Spool
from backups.storage.values import MIB

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
# Of two runs for the same database, one works.
_LOCK = 0x72656164
# A storage that does not answer is asked again by the next run.
_OUTAGE_SECONDS = 120.0
LONGEST_SECONDS = 480.0
# A restore that begins has the storage to itself after so many seconds.
GIVES_WAY_WITHIN = 5.0
# An object is due at some moment between these shares of the period, each at its own.
_EARLIEST, _SPREAD = 0.5, 0.3
# What is damaged is read again soon: somebody may have brought a good copy back.
_DAMAGED_AGAIN = timedelta(hours=1)
# A run reads at least so much, and twice as much as an even pace would need.
LEAST_BYTES = 1024 * MIB
_PACE = 2.0
_MOST_OBJECTS = 20_000


def places_to_read() -> list[tuple[int, int]]:
    """Return the databases that have backups, with each place of them that is to be read."""
    rows = Backup.objects.usable().values_list("database_id", flat=True).distinct()
    databases = Database.objects.filter(pk__in=rows).order_by("pk")
    found = [(each.pk, each.storage_id) for each in databases]
    copies = BackupPolicy.objects.filter(database__in=databases).select_related("database")
    found += [
        (policy.database_id, policy.replicate_to_id)
        for policy in copies.order_by("pk")
        if policy.replicate_to_id is not None
        and policy.database.copies.filter(pk=policy.replicate_to_id).exists()
    ]
    _forget_places(found)
    return found


def read_content(
    *,
    database_id: int,
    location_id: int,
    at: datetime,
    longest_seconds: float = LONGEST_SECONDS,
    only_lists: bool = False,
) -> int | None:
    """Look at what a place holds of a database, read what is due, and write down what was found.

    With ``only_lists`` nothing is read: what is missing or of another size is found all the same.
    So it is while a restore is at work, which has the storage to itself; one that begins meanwhile
    ends the reading. Returned is how many objects were read; None if another run is at it.

    :raises EngineFailed: if the storage cannot be read; what was known before stays, with its age
    """
    with _only_one(database_id) as is_ours:
        if not is_ours:
            return None
        database = Database.objects.filter(pk=database_id).first()
        if database is None:
            return None
        location = _place(database, location_id)
        if location is None:
            return None
        with opened_bucket(location) as bucket, Spool() as spool:
            reader = _Reader(Home(bucket, database), location_id, spool, at)
            try:
                return reader.run(longest_seconds, only_lists=only_lists)
            except IntegrityError:
                if Database.objects.filter(pk=database_id).exists():
                    raise
                logger.warning("database %s is not registered any more", database_id)
                return None


def try_to_read(*, database_id: int, location_id: int, at: datetime) -> None:
    """Do what ``read_content`` does; where the storage does not answer, say so in the log."""
    try:
        read_content(database_id=database_id, location_id=location_id, at=at)
    except EngineFailed as failure:
        logger.warning(
            "content of database %s in location %s: %s", database_id, location_id, failure.code
        )


class _Reader:
    """One run over one place."""

    def __init__(self, home: Home, location_id: int, spool: Spool, at: datetime) -> None:
        self.home = home
        self.location_id = location_id
        self.spool = spool
        self.at = at
        self.database = home.database
        self.rows = ObjectReading.objects.filter(database=self.database, location_id=location_id)
        outage = min(_OUTAGE_SECONDS, settings.STORAGE_OUTAGE_SECONDS)
        self.patience = Patience(outage_seconds=outage)
        backups = list(self.database.backups.all().usable())
        names = {each.engine_id for each in backups}
        self.manifests = Manifests(home.bucket, self.database.archive_name, names, self.patience)
        self.inventory = Inventory(
            home=home,
            spool=spool,
            manifests=self.manifests,
            backups=backups,
            location_id=location_id,
            patience=self.patience,
            at=at,
        )

    def run(self, longest_seconds: float, *, only_lists: bool) -> int:
        for _came in self.spool.add_here(self.home.objects(self.patience)):
            pass
        self.inventory.take()
        listed = Database.objects.filter(pk=self.database.pk, storage_id=self.location_id)
        listed.update(listed_at=self.at)
        ends_at = time.monotonic() + longest_seconds
        chosen = [] if only_lists or _restores_are_at_work() else self._chosen()
        if not chosen:
            return 0
        count = 0
        subjects = self._subjects(chosen)
        proofs = read_objects(self.home.bucket, subjects, patience=self.patience)
        with _giving_way(self.patience), closing(proofs), suppress(Halted):
            for proof in proofs:
                self._keep(proof)
                count += 1
                if time.monotonic() > ends_at:
                    break
        return count

    def _chosen(self) -> list[str]:
        """Choose what is read in this run: what is due, and was read longest ago."""
        policy = BackupPolicy.objects.filter(database=self.database).first()
        within = policy.read_all_within if policy else MONTH
        whole = self.rows.aggregate(sum=Sum("size"))["sum"] or 0
        left = max(int(whole * (EVERY / within) * _PACE), LEAST_BYTES)
        damaged = self.rows.filter(
            state=ReadingState.DAMAGED, read_at__lte=self.at - _DAMAGED_AGAIN
        )
        chosen = set(damaged.values_list("key", flat=True)[:_MOST_OBJECTS]) | self.inventory.urgent
        rows = self.rows.filter(
            Q(state=ReadingState.UNREAD)
            | Q(
                state__in=[ReadingState.SOUND, ReadingState.UNRECORDED],
                read_at__lte=self.at - within * _EARLIEST,
            )
        ).order_by("read_at", "pk")
        found = rows.values_list("key", "size", "state", "read_at")[: 2 * _MOST_OBJECTS]
        for key, size, state, read_at in found.iterator():
            if left <= 0 or len(chosen) >= _MOST_OBJECTS:
                break
            if state == ReadingState.UNREAD or self.at - read_at >= _time_of(key, within):
                chosen.add(key)
                left -= size
        return sorted(chosen)

    def _subjects(self, chosen: Sequence[str]) -> Iterator[Subject]:
        """Return what is to be read, as the listing says that it is; manifests come in turn."""
        for key in chosen:
            name = self.home.name(key)
            ref = self.spool.find_here([name]).get(name)
            if ref is not None:
                yield Subject(ref=replace(ref, key=key), part_hashes=self.manifests.hashes_of(key))

    def _keep(self, proof: Proof) -> None:
        states = {
            Verdict.SOUND: ReadingState.SOUND,
            Verdict.DAMAGED: ReadingState.DAMAGED,
            Verdict.UNRECORDED: ReadingState.UNRECORDED,
            Verdict.GONE: ReadingState.MISSING,
        }
        if proof.verdict == Verdict.CHANGED:
            # The next listing says what it is now.
            return
        state = states[proof.verdict]
        if proof.ref.key in self.inventory.replaced and not proof.was_recorded:
            # Whatever it is in itself, it is not what was stored there first.
            state = ReadingState.DAMAGED
        if state == ReadingState.DAMAGED:
            logger.warning("%s is damaged from byte %s on", proof.ref.key, proof.damaged_from)
        self.rows.filter(key=proof.ref.key).update(
            state=state, damaged_from=proof.damaged_from, read_at=max(self.at, timezone.now())
        )


def _time_of(key: str, within: timedelta) -> timedelta:
    """Return after how long an object is due: they do not all fall on the same day."""
    return within * (_EARLIEST + _SPREAD * zlib.crc32(key.encode()) / 2**32)


def _place(database: Database, location_id: int) -> StorageLocation | None:
    if location_id == database.storage_id:
        return database.storage
    return database.copies.filter(pk=location_id).first()


def _restores_are_at_work() -> bool:
    return RestoreJob.objects.filter(state=JobState.RUNNING).exists()


@contextmanager
def _giving_way(patience: Patience) -> Iterator[None]:
    """Halt what asks with this patience as soon as a restore is at work."""
    is_over = threading.Event()

    def watch() -> None:
        with closing(connection):
            while not is_over.wait(GIVES_WAY_WITHIN):
                if _restores_are_at_work():
                    logger.info("a restore is at work: the reading of backups ends here")
                    patience.halt()
                    return

    watcher = threading.Thread(target=watch, name="giving-way", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


@contextmanager
def _only_one(database_id: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, database_id])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, database_id])


def _forget_places(kept: Sequence[tuple[int, int]]) -> None:
    """Let go of what was written down of places that hold a database's backups no more."""
    known = ObjectReading.objects.values_list("database_id", "location_id").distinct()
    for database_id, location_id in set(known) - set(kept):
        ObjectReading.objects.filter(database_id=database_id, location_id=location_id).delete()
