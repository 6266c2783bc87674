"""Checks of what lies in the storage: there, sound, copied, reachable, and at which speed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from backups.models import (
    Backup,
    BackupCheckName,
    BackupKind,
    ProbeKind,
    ReadingState,
    ReplicaState,
    StorageLocation,
    StorageProbe,
)
from backups.options.words import duration
from backups.queries.weather import advice
from backups.runner.watching.base import (
    Evidence,
    Found,
    Subject,
    critical,
    ok,
    unasked,
    unknown,
    warning,
)
from backups.runner.watching.surroundings import PROBES_HOLD

# What was probed longer ago says nothing of now.
PROBE_HOLDS = timedelta(hours=2)
# Signatures are refused at a quarter of an hour; a third of that is time to act.
CLOCK_LIMIT = 60.0
CLOCK_REFUSED = 300.0
# Keys that may not write are tried for writing once a day.
WRITE_HOLDS = PROBES_HOLD
# Objects that nobody looked at for so long may be gone.
LOOK_HOLDS = timedelta(days=2)
# A replica is compared every few minutes; one that nobody compared for so long is not known.
COMPARISON_HOLDS = timedelta(hours=1)
USUAL_LAG = timedelta(hours=24)
# Keys that end so soon are to be renewed.
KEYS_END_SOON = timedelta(days=14)
_LOST = (ReadingState.MISSING, ReadingState.RESIZED)
_LOOK_AT_STORAGE = "Look at the storage location's page: what its probes were told, and since when."


class ObjectsPresent:
    """Whether the objects that the backups need are in the storage, with their sizes."""

    name: ClassVar = BackupCheckName.OBJECTS

    def look(self, subject: Subject) -> Found:
        told = subject.readings(subject.database.storage_id)
        if lost := subject.troubled(subject.database.storage_id, *_LOST):
            return critical(
                f"{lost.count} object{'s' if lost.count > 1 else ''} of its backups "
                f"{'are' if lost.count > 1 else 'is'} missing or of another size in the storage: "
                f"{lost.words}.",
                "Bring them back from a copy, or take a full backup now. See who deletes there.",
                objects=lost.count,
                named=lost.named,
            )
        if orphans := _orphans(subject):
            return critical(
                f"{orphans[0].label} builds on {orphans[0].parent_engine_id}, which is gone"
                + (f", as do {len(orphans) - 1} more." if len(orphans) > 1 else "."),
                "Bring it back from a copy, or take a full backup now. See who deletes there.",
                backups=len(orphans),
            )
        if told.newest is None:
            return unknown(
                "Its objects were never looked at.", "See that the beat and a worker run."
            )
        if subject.at - told.newest > LOOK_HOLDS:
            return unknown(
                f"Its objects were last looked at {duration(subject.at - told.newest)} ago.",
                "See that the beat and a worker run, and that the storage answers.",
            )
        return ok("Every object that was looked at is there.", objects=told.count())


def _orphans(subject: Subject) -> list[Backup]:
    """Return the backups that cannot be restored because one that they build on is gone."""
    built = [each for each in subject.backups if each.kind == BackupKind.INCREMENTAL]
    parents = {each.parent_engine_id for each in built if each.parent_engine_id}
    there = {each.engine_id for each in subject.backups}
    if parents - there:
        rows = subject.database.backups.all().usable().filter(engine_id__in=parents - there)
        there.update(rows.values_list("engine_id", flat=True))
    return [each for each in built if each.parent_engine_id and each.parent_engine_id not in there]


class ContentSound:
    """Whether the bytes are those that were recorded, all of them read in the decided time."""

    name: ClassVar = BackupCheckName.CONTENT

    def look(self, subject: Subject) -> Found:
        told = subject.readings(subject.database.storage_id)
        if bad := subject.troubled(subject.database.storage_id, ReadingState.DAMAGED):
            return critical(
                f"{bad.count} of its objects hold{'s' if bad.count == 1 else ''} other bytes than "
                f"were stored: {bad.words}.",
                "Restore from another backup or copy; bring back a good copy of the object, or "
                "take a full backup now.",
                objects=bad.count,
                named=bad.named,
            )
        unrecorded = told.count(ReadingState.UNRECORDED)
        if told.oldest is None or not told.count(ReadingState.SOUND, ReadingState.UNRECORDED):
            return unknown("Nothing of it was read so far.", "See that the beat and a worker run.")
        return _in_time(subject, told.oldest, told.count(), unrecorded)


def _in_time(subject: Subject, oldest: datetime, objects: int, unrecorded: int) -> Found:
    policy = subject.policy
    within = policy.read_all_within if policy else timedelta(days=30)
    age = subject.at - oldest
    evidence: Evidence = {
        "objects": objects,
        "without_checksum": unrecorded,
        "oldest": duration(age),
    }
    if age > within:
        return warning(
            f"Some of it was last read {duration(age)} ago; {duration(within)} was decided.",
            "Give reading more time or workers, or decide a longer period in the policy.",
            **evidence,
        )
    if unrecorded == objects:
        return warning(
            "What it should hold was never recorded, so that damage cannot be told.",
            "Have it recorded: manage.py record_manifest. From then on damage is told; or take "
            "backups through Highwater, which records what they hold.",
            **evidence,
        )
    return ok(f"All that was read in the last {duration(age)} is as recorded.", **evidence)


class Encrypted:
    """Whether what lies in the storage is encrypted there, where that was decided."""

    name: ClassVar = BackupCheckName.ENCRYPTION

    def look(self, subject: Subject) -> Found:
        location, policy = subject.database.storage, subject.policy
        if policy is None or not policy.wants_encryption:
            return unasked("Nothing was decided about encryption in the storage.")
        pieces = [each for each in subject.probes if each.kind == ProbeKind.RANGE]
        probe = next((each for each in _fresh(subject, pieces) if not each.error), None)
        if probe is None:
            return unknown(
                f"No object of a backup was read from {location} of late, so that nobody knows.",
                _LOOK_AT_STORAGE,
            )
        if probe.encryption:
            return ok(
                f"{location} encrypts what lies there ({probe.encryption}).",
                encryption=probe.encryption,
            )
        return critical(
            f"{location} says of an object of a backup that it is not encrypted; the policy wants "
            "that it is.",
            "Switch on the bucket's default encryption, and take a full backup now: what lies "
            "there already stays as it is.",
        )


class ReplicaRecent:
    """Whether the second place holds what the first one does."""

    name: ClassVar = BackupCheckName.REPLICA

    def look(self, subject: Subject) -> Found:
        policy = subject.policy
        wanted = policy.replicate_to if policy else None
        if wanted is None:
            return warning(
                "The policy names no second place: nothing keeps a copy of its backups whole.",
                "Name a second location in the policy, best of another provider.",
            )
        row = next((each for each in subject.replicas if each.location_id == wanted.pk), None)
        if row is None:
            return unknown(
                f"{wanted} was never compared with the archive.",
                "Begin a replication: manage.py replicate_backups.",
            )
        limit = (policy.replica_lag_at_most if policy else None) or USUAL_LAG
        if subject.at - row.compared_at > min(max(limit, COMPARISON_HOLDS), USUAL_LAG):
            return unknown(
                f"{wanted} was last compared {duration(subject.at - row.compared_at)} ago.",
                "See why replication does not run: its last run says what it waits for.",
            )
        return _damaged_there(subject, wanted) or _lacking(subject, row, limit)


def _lacking(subject: Subject, row: ReplicaState, limit: timedelta) -> Found:
    """Say what the second place lacks, as it was when it was compared."""
    place = row.location
    evidence = {"missing": row.missing_objects, "missing_bytes": row.missing_bytes}
    if row.behind_since_at is None:
        return ok(f"{place} holds everything.", objects=row.objects_there)
    lag = subject.at - row.behind_since_at
    many = f"{row.missing_objects} object{'' if row.missing_objects == 1 else 's'}"
    said = f"{place} lacks {many}, the oldest for {duration(lag)}"
    if lag <= limit:
        return ok(f"{said}; {duration(limit)} are allowed.", **evidence)
    found = critical if lag > 2 * limit else warning
    return found(
        f"{said}; {duration(limit)} are allowed.",
        "See the last replication: what it waits for, or why it stopped.",
        **evidence,
    )


def _damaged_there(subject: Subject, place: StorageLocation) -> Found | None:
    """Say that the second place's own bytes are not what was stored, if some are not."""
    bad = subject.troubled(place.pk, ReadingState.DAMAGED)
    if not bad:
        return None
    count = bad.count
    return warning(
        f"{count} object{'' if count == 1 else 's'} in {place} hold{'s' if count == 1 else ''} "
        f"other bytes than were stored: {bad.words}.",
        "The next replication brings a good copy; see that it runs (Copies at the desk). If the "
        "archive holds none either, take a full backup now.",
        damaged=count,
        named=bad.named,
    )


class CredentialsValid:
    """Whether the storage takes the keys that a restore would use."""

    name: ClassVar = BackupCheckName.CREDENTIALS

    def look(self, subject: Subject) -> Found:
        location = subject.database.storage
        ends = location.credentials_expire_at
        fresh = _fresh(subject)
        if not fresh:
            return unknown(f"{location} was not probed of late.", _LOOK_AT_STORAGE)
        writes = [each for each in subject.probes if each.kind == ProbeKind.PUT]
        heard = {each.pk: each for each in [*fresh, *_fresh(subject, writes, WRITE_HOLDS)]}
        refused = [
            each
            for each in heard.values()
            if each.error in ("denied", "keys")
            and not (location.is_read_only and each.kind == ProbeKind.PUT)
        ]
        if refused:
            what = ", ".join(str(ProbeKind(each.kind).label).lower() for each in refused)
            reads = any(each.kind != ProbeKind.PUT for each in refused)
            found = critical if reads else warning
            return found(
                f"{location} refuses the keys ({what}).",
                "Renew the keys where the location names them; nothing has to be started anew."
                if reads
                else "Give the keys the right to write; or, if they are only to read, say so at "
                "the location.",
            )
        if ends is not None and ends <= subject.at:
            return critical(
                f"The keys of {location} ended on {ends:%Y-%m-%d %H:%M} UTC.",
                "Renew them, and say at the location until when the new ones are valid.",
            )
        if all(each.error for each in fresh):
            return unknown(f"{location} answers nothing ({fresh[0].error}).", _LOOK_AT_STORAGE)
        if ends is not None and ends - subject.at < KEYS_END_SOON:
            return warning(
                f"The keys of {location} end on {ends:%Y-%m-%d %H:%M} UTC.",
                "Renew them, and say at the location until when the new ones are valid.",
            )
        only = " They only read, as was said of it." if location.is_read_only else ""
        return ok(f"{location} takes the keys.{only}")


class ClocksAgree:
    """Whether this machine's clock and the storage's are close enough for signatures."""

    name: ClassVar = BackupCheckName.CLOCK

    def look(self, subject: Subject) -> Found:
        told = [each for each in subject.probes if each.clock_ahead_seconds is not None]
        newest = max(told, key=lambda each: each.at, default=None)
        if newest is None or subject.at - newest.at > PROBE_HOLDS:
            return unknown("No clock was heard of late.", _LOOK_AT_STORAGE)
        ahead = newest.clock_ahead_seconds or 0.0
        said = f"The storage's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
        if abs(ahead) < CLOCK_LIMIT:
            return ok(f"{said}.", ahead_seconds=ahead)
        found = critical if abs(ahead) >= CLOCK_REFUSED else warning
        return found(
            f"{said}; signatures are refused at 15 minutes.",
            "Set this machine's clock by NTP (timedatectl).",
            ahead_seconds=ahead,
        )


class WeatherGood:
    """Whether the storage gives what it can at the hours at which backups and restores need it."""

    name: ClassVar = BackupCheckName.WEATHER

    def look(self, subject: Subject) -> Found:
        location = subject.database.storage
        fresh = _fresh(subject)
        if not fresh:
            return unknown(f"{location} was not probed of late.", _LOOK_AT_STORAGE)
        if all(each.error for each in fresh):
            return unknown(f"{location} answers nothing ({fresh[0].error}).", _LOOK_AT_STORAGE)
        windows = subject.around.windows(location.pk)
        if not windows:
            return ok(f"{location} gives the same at all hours, as far as is known.")
        words = f"{location} gives less {'; '.join(window.words for window in windows)}."
        wanted = advice(subject.database, subject.at)
        if not wanted:
            return ok(f"{words} No backup and no likely restore falls into that.")
        return warning(words, " ".join(wanted), windows=len(windows))


def _fresh(
    subject: Subject, probes: Sequence[StorageProbe] | None = None, holds: timedelta = PROBE_HOLDS
) -> list[StorageProbe]:
    """Return the probes that say something of now, the newest first."""
    chosen = subject.probes if probes is None else probes
    fresh = [each for each in chosen if subject.at - each.at <= holds]
    return sorted(fresh, key=lambda each: each.at, reverse=True)
