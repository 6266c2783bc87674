"""Carrying one copy: compare, copy what is missing, compare again, and write down how it stands."""

import logging
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from backups.engines.archived import fault_of_archived, is_of_the_log
from backups.errors import EngineFailed, ObjectMissing
from backups.models import (
    CopyJob,
    CopyKind,
    CopyPhase,
    JobState,
    ObjectReading,
    ReadingState,
    ReplicaState,
)
from backups.queries import places_taken
from backups.runner.copying.comparing import Lack, compare, describes
from backups.runner.copying.places import Home, opened_bucket
from backups.runner.copying.progress import Progress
from backups.runner.credentials import redacted, storage_credentials
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.manifests import Manifests
from backups.storage.copier import Copier, CopyUnsound
from backups.storage.parts import Wanted
from backups.storage.patience import OUTAGE_SECONDS, Patience
from backups.storage.spool import Spool

logger = logging.getLogger(__name__)

# In a report no more objects are named than fit on a page.
_NAMED = 50
# What the old place of a move got so long before the switch had been copied by then.
_LATE = timedelta(hours=1)


class ArchiveInTheWay(EngineFailed):
    """Another database's archive of the same name lies at the destination."""

    code = "archive-in-the-way"
    advice = (
        "Another database's archive of the same name lies there, or a copy of one, and would be "
        "written over. Copy to another location, or to one with a prefix of its own."
    )


class NotWhole(EngineFailed):
    """Some objects could not be copied; all the others were."""

    code = "copy-not-whole"
    advice = "Some objects could not be copied; the copy's report names them."


def run_copy(*, copy_id: int, now: Clock) -> None:
    """Bring a second place up to date with an archive. Called twice at once, one call works."""
    lease = Lease.claim(CopyJob.objects.all(), copy_id, now=now)
    if lease is None:
        logger.info("copy %s: taken or over already", copy_id)
        return
    with lease:
        _carry(copy_id, lease, now)
    CopyJob.objects.all().end_called_off(copy_id, worker=lease.worker, at=now())


def _carry(copy_id: int, lease: Lease, now: Clock) -> None:
    rows = CopyJob.objects.select_related("database", "source", "destination")
    job = rows.filter(pk=copy_id).first()
    if job is None or job.cancel_requested_at or job.database.unregistered_at:
        return
    secrets = _secrets(job)
    try:
        _Run(job, lease, now).bring()
    except LeaseLost:
        logger.warning("copy %s: the lease is lost, or it was called off", copy_id)
    except EngineFailed as failure:
        logger.warning("copy %s: stopped: %s", copy_id, failure.code)
        _fail(job, failure, lease, secrets, now)
    except Exception:
        if not CopyJob.objects.filter(pk=copy_id).exists():
            logger.warning("copy %s: its database is not registered any more", copy_id)
            return
        # A fault of ours: end the job, so that nobody waits for it, and let it be seen.
        _fail(job, EngineFailed("a fault of Highwater; see the worker's log"), lease, secrets, now)
        raise
    else:
        _end(job, lease, now)


def rests_in(job: CopyJob) -> CopyPhase | None:
    """Return the phase in which a move waits for people between two runs; None for others."""
    if job.kind != CopyKind.MIGRATION:
        return None
    return CopyPhase.SWITCH if job.switched_at is None else CopyPhase.KEEP


class _Run:
    """One run of a job."""

    def __init__(self, job: CopyJob, lease: Lease, now: Clock) -> None:
        self.job = job
        self.lease = lease
        self.now = now
        outage = min(settings.STORAGE_OUTAGE_SECONDS, OUTAGE_SECONDS)
        self.patience = Patience(outage_seconds=outage)
        self.progress = Progress(job, lease, self.patience, now=now)

    def bring(self) -> None:
        """Do all of it.

        :raises NotWhole: if something could not be copied
        """
        job = self.job
        if job.destination_id in places_taken(job.database):
            # It may have come there since the copy was asked for.
            raise ArchiveInTheWay(f"{job.destination}: {job.database.archive_name}")
        with ExitStack() as stack:
            source = Home(stack.enter_context(opened_bucket(job.source)), job.database)
            destination = Home(stack.enter_context(opened_bucket(job.destination)), job.database)
            with Spool() as spool:
                distrusted = self._distrusted()
                lack = self._compared(spool, source, destination, distrusted)
                left_out = self._copied(spool, source, destination, lack, distrusted)
                # What was copied anew is not to be copied once more for the sake of another.
                there = spool.find_here(distrusted)
                self._forget_readings([name for name in there if source.key(name) not in left_out])
            if lack.objects:
                with Spool() as spool:
                    self._compared(spool, source, destination, None)
        if left_out:
            raise _not_whole(left_out)
        # What arrived since the first comparison is for the next run.
        if job.switched_at is None:
            self._help_restores()

    def _compared(
        self,
        spool: Spool,
        source: Home,
        destination: Home,
        distrusted: Collection[str] | None,
    ) -> Lack:
        """Compare, before copying or, with nothing to distrust, once it is done."""
        phase = CopyPhase.VERIFY if distrusted is None else CopyPhase.LIST
        self.progress.enter(phase, objects=None, amount=None)
        switched_at = self.job.switched_at
        lack = compare(
            spool,
            source,
            destination,
            patience=self.patience,
            distrusted=distrusted or (),
            # The new place has a life of its own by then: retention takes away from it.
            only_since=switched_at and switched_at - _LATE,
            tell=self.progress.listed,
        )
        self.lease.check()
        self._note(lack)
        return lack

    def _copied(
        self,
        spool: Spool,
        source: Home,
        destination: Home,
        lack: Lack,
        distrusted: Collection[str],
    ) -> dict[str, str]:
        self.progress.enter(CopyPhase.COPY, objects=lack.objects, amount=lack.bytes)
        if not lack.objects:
            return {}
        left_out: dict[str, str] = {}
        names = set(self.job.database.backups.values_list("engine_id", flat=True))
        manifests = Manifests(source.bucket, self.job.database.archive_name, names, self.patience)
        for last in (False, True):
            copier = Copier(source.bucket, destination.bucket, patience=self.patience)
            copier.account = replace(self.progress.account, left_out={})
            known = _wanted(spool, source, destination, manifests, set(left_out), last=last)
            wanted = self._worth_replacing(known, spool, source, distrusted, left_out)
            # Closed at once if the lease is lost: its threads are not to go on.
            with closing(copier.copy(wanted)) as accounts:
                for account in accounts:
                    self.progress.copied(account)
            left_out |= copier.account.left_out
        return left_out

    def _worth_replacing(
        self,
        wanted: Iterator[Wanted],
        spool: Spool,
        source: Home,
        distrusted: Collection[str],
        left_out: dict[str, str],
    ) -> Iterator[Wanted]:
        """Leave out what would write something over a copy that nothing speaks against.

        What an archive keeps is written once. Another object under the same name is taken only if
        a manifest proves it, or if it is a file of the log that holds together.
        """
        for each in wanted:
            name = source.name(each.ref.key)
            is_new = not spool.is_there(name) or name in distrusted
            if not (is_new or each.part_hashes or describes(name)):
                reason = self._fault_of(each, source)
                if reason:
                    left_out[each.ref.key] = reason
                    continue
            yield each

    def _fault_of(self, wanted: Wanted, source: Home) -> str:
        key = wanted.ref.key
        name = key.rpartition("/")[2]
        if not is_of_the_log(name):
            return "changed"
        try:
            content = self.patience.ask(source.bucket, lambda: source.bucket.read(key))
        except ObjectMissing:
            return "gone"
        return "damaged" if fault_of_archived(name, content) else ""

    def _distrusted(self) -> frozenset[str]:
        """Name what was found damaged at the destination."""
        prefix = self.job.destination.prefix
        keys = self._bad_readings().values_list("key", flat=True)
        return frozenset(key.removeprefix(prefix).lstrip("/") for key in keys)

    def _bad_readings(self) -> "QuerySet[ObjectReading]":
        return ObjectReading.objects.filter(
            database=self.job.database,
            location=self.job.destination,
            state__in=[ReadingState.DAMAGED, ReadingState.RESIZED],
        )

    def _forget_readings(self, distrusted: Collection[str]) -> None:
        """Let go of what was read of objects that were copied anew: they are read again."""
        prefix = f"{self.job.destination.prefix}/".lstrip("/")
        self._bad_readings().filter(key__in=[f"{prefix}{name}" for name in distrusted]).delete()

    def _note(self, lack: Lack) -> None:
        if lack.newest_at is not None:
            self.progress.note("newest_at_source", lack.newest_at.isoformat())
        if self.job.switched_at is not None:
            # The new place is the archive by now, and no copy of anything.
            return
        at = self.now()
        held = {"verified_at": at} if not lack.objects else {}
        ReplicaState.objects.update_or_create(
            database=self.job.database,
            location=self.job.destination,
            defaults={
                "compared_at": at,
                "objects_there": lack.objects_there,
                "missing_objects": lack.objects,
                "missing_bytes": lack.bytes,
                "behind_since_at": (lack.oldest_at or at) if lack.objects else None,
                **held,
            },
        )

    def _help_restores(self) -> None:
        """Let restores read from the destination, too, once it is whole."""
        with transaction.atomic():
            database = (
                type(self.job.database).objects.select_for_update().get(pk=self.job.database_id)
            )
            if database.storage_id != self.job.destination_id:
                database.copies.add(self.job.destination)


def _wanted(
    spool: Spool,
    source: Home,
    destination: Home,
    manifests: Manifests,
    left_out: set[str],
    *,
    last: bool,
) -> Iterator[Wanted]:
    """Return what is to be copied. What describes a backup that is not whole stays away."""
    roots = {source.key(folder).rstrip("/") for folder in source.folders()}
    broken = {folder for key in left_out for folder in _folders_of(key, roots)}
    for ref in spool.wanted(last=last):
        key = source.key(ref.key)
        if key.rpartition("/")[0] in broken:
            continue
        yield Wanted(
            ref=replace(ref, key=key),
            to=destination.key(ref.key),
            part_hashes=manifests.hashes_of(key),
        )


def _folders_of(key: str, roots: Collection[str]) -> Iterator[str]:
    """Return the folders around an object, up to the one that holds the whole archive."""
    folder = key.rpartition("/")[0]
    while folder and folder not in roots:
        yield folder
        folder = folder.rpartition("/")[0]


def _not_whole(left_out: dict[str, str]) -> NotWhole:
    lines = [f"{reason}: {key}" for key, reason in sorted(left_out.items())[:_NAMED]]
    if len(left_out) > _NAMED:
        lines.append(f"and {len(left_out) - _NAMED} more")
    damaged = sum(reason == "damaged" for reason in left_out.values())
    if damaged:
        said = (
            f"{damaged} of the objects are damaged in the source and were not copied: the copy "
            "keeps what it had. Bring back good ones, or take a full backup now."
        )
    elif changed := sum(reason == "changed" for reason in left_out.values()):
        said = (
            f"{changed} of the objects are others in the source than those that were copied, and "
            "nothing proves them: the copy keeps what it had. If they were replaced on purpose, "
            "remove them from the copy, and the next run brings them."
        )
    elif "unsound" in left_out.values():
        said = CopyUnsound.advice
    else:
        said = (
            f"{len(left_out)} objects were taken away or replaced while they were copied. "
            "The next run brings what is there then."
        )
    return NotWhole("\n".join(lines), advice=said)


def _secrets(job: CopyJob) -> list[str]:
    found: list[str] = []
    for location in (job.source, job.destination):
        try:
            keys = storage_credentials(location.credentials_reference)
        except EngineFailed:
            continue
        found += [keys.access_key, keys.secret_key, keys.session_token]
    return found


def _end(job: CopyJob, lease: Lease, now: Clock) -> None:
    jobs = CopyJob.objects.all()
    job.refresh_from_db(fields=["kind", "switched_at"])
    rest = rests_in(job)
    if rest is not None:
        jobs.release(job.pk, worker=lease.worker, state=JobState.PAUSED, at=now(), phase=rest)
        return
    jobs.release(
        job.pk, worker=lease.worker, state=JobState.SUCCEEDED, at=now(), phase=CopyPhase.DONE
    )


def _fail(
    job: CopyJob, failure: EngineFailed, lease: Lease, secrets: list[str], now: Clock
) -> None:
    job.refresh_from_db(fields=["kind", "switched_at", "phase"])
    values = {
        "failure_code": failure.code,
        "failure_advice": redacted(failure.advice, secrets)[:500],
        "detail": redacted(str(failure), secrets)[-8000:],
    }
    # A move that was ready stays so: it is tried again by itself.
    rest = rests_in(job)
    is_ready = rest == CopyPhase.KEEP or job.phase == CopyPhase.SWITCH
    if rest is not None and is_ready:
        values["phase"] = rest
    CopyJob.objects.all().release(
        job.pk,
        worker=lease.worker,
        state=JobState.PAUSED if is_ready else JobState.FAILED,
        at=now(),
        **values,
    )
