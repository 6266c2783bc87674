"""What a listing of a place says of the objects that were written down: there, missing, other.

An object is known from the manifest of its backup, or since it was first seen. What a listing
leaves out is asked for by itself before it is called missing: a listing may be behind.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import QuerySet

from backups.errors import ObjectMissing
from backups.models import Backup, ObjectReading, ReadingState
from backups.runner.copying.places import Home
from backups.runner.manifests import Manifests
from backups.storage.patience import Patience
from backups.storage.s3 import ObjectRef
from backups.storage.spool import Spool
from backups.storage.values import is_same_etag

_PAGE = 1000
# These are written anew with each backup: what is there now counts.
_MUTABLE = (".info", ".info.copy")
# An archiver that died before it could say so sends its file again within this time.
_SENT_AGAIN = timedelta(hours=1)
_SEGMENT = re.compile(r"^[0-9A-F]{8}(?P<place>[0-9A-F]{16})")
_LOST = (ReadingState.MISSING, ReadingState.RESIZED)
_FIELDS = ["size", "etag", "state", "damaged_from", "read_at"]


@dataclass(slots=True, kw_only=True)
class Inventory:
    """Keeps the rows of one place true to its listing, which the spool holds.

    ``urgent`` are the keys that are to be read at once, ``replaced`` those that hold something else
    than when they were first seen.
    """

    home: Home
    spool: Spool
    manifests: Manifests
    backups: Sequence[Backup]
    location_id: int
    patience: Patience
    at: datetime
    urgent: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)

    def take(self) -> None:
        """Bring the rows up to date."""
        for backup in self.backups:
            if backup.has_manifest and not self._is_known(backup):
                self._enrol(backup)
        pairs = self.spool.pairs()
        while refs := [pair.here for pair in islice(pairs, _PAGE)]:
            self._compare(refs)
        self._find_missing()

    def _rows(self) -> "QuerySet[ObjectReading]":
        return ObjectReading.objects.filter(
            database=self.home.database, location_id=self.location_id
        )

    def _is_known(self, backup: Backup) -> bool:
        return self._rows().filter(key__contains=f"/{backup.engine_id}/").exists()

    def _enrol(self, backup: Backup) -> None:
        """Write down what a manifest says that its backup has."""
        entries = iter(self.manifests.of_backup(backup.engine_id).objects.values())
        while page := list(islice(entries, _PAGE)):
            there = self.spool.find_here(self.home.name(each.key) for each in page)
            rows = []
            for each in page:
                ref = there.get(self.home.name(each.key))
                stored_at = (ref and ref.modified_at) or backup.ended_at
                rows.append(self._row(each.key, each.size, ref, stored_at))
            ObjectReading.objects.bulk_create(rows, ignore_conflicts=True)

    def _row(
        self, key: str, size: int, ref: ObjectRef | None, stored_at: datetime
    ) -> ObjectReading:
        state = ReadingState.UNREAD if ref is not None else ReadingState.MISSING
        return ObjectReading(
            database=self.home.database,
            location_id=self.location_id,
            key=key,
            size=size,
            etag=ref.etag if ref else "",
            state=state,
            read_at=min(stored_at, self.at),
        )

    def _compare(self, refs: Sequence[ObjectRef]) -> None:
        keys = {self.home.key(ref.key): ref for ref in refs}
        known = {row.key: row for row in self._rows().filter(key__in=list(keys))}
        changed = [row for key, row in known.items() if self._has_changed(row, keys[key])]
        ObjectReading.objects.bulk_update(changed, _FIELDS)
        ObjectReading.objects.bulk_create(
            (
                self._row(key, ref.size, ref, ref.modified_at or self.at)
                for key, ref in keys.items()
                if key not in known
            ),
            ignore_conflicts=True,
        )

    def _has_changed(self, row: ObjectReading, ref: ObjectRef) -> bool:
        """Bring a row up to date with the listing, and say whether it differs now."""
        is_same = is_same_etag(row.etag, ref.etag)
        is_mutable = row.key.endswith(_MUTABLE)
        if ref.size != row.size and not is_mutable:
            was = row.state
            row.state, row.damaged_from = ReadingState.RESIZED, None
            return was != ReadingState.RESIZED
        if is_same and row.state not in _LOST:
            return False
        stored_at = ref.modified_at or self.at
        was_sent_again = row.state == ReadingState.UNREAD and (
            stored_at - row.read_at <= _SENT_AGAIN
        )
        came_back = row.state in _LOST
        if is_same or is_mutable or was_sent_again or came_back or not row.etag:
            row.size, row.etag, row.state = ref.size, ref.etag, ReadingState.UNREAD
        elif self.manifests.hashes_of(row.key):
            row.etag, row.state = ref.etag, ReadingState.UNREAD
            self.urgent.add(row.key)
        else:
            # Nothing but its first ETag says what it should hold, and that is another one.
            self.replaced.add(row.key)
            row.state, row.read_at = ReadingState.DAMAGED, self.at
        row.damaged_from = None
        return True

    def _find_missing(self) -> None:
        rows = self._rows().order_by("pk").iterator(_PAGE)
        while page := list(islice(rows, _PAGE)):
            there = self.spool.find_here(self.home.name(row.key) for row in page)
            absent = [row for row in page if self.home.name(row.key) not in there]
            self._keep_missing(absent)

    def _keep_missing(self, absent: Iterable[ObjectReading]) -> None:
        left: list[int] = []
        for row in absent:
            if not self._is_needed(row.key):
                left.append(row.pk)
            elif row.state != ReadingState.MISSING and not self._is_there(row.key):
                row.state, row.damaged_from = ReadingState.MISSING, None
                row.save(update_fields=["state", "damaged_from"])
        self._rows().filter(pk__in=left).delete()

    def _is_needed(self, key: str) -> bool:
        """Whether a backup that the catalogue shows needs this object."""
        name = key.rpartition("/")[2]
        if self.manifests.backup_of(key) or self.manifests.backup_of(name.removesuffix(".json")):
            return True
        segment = _SEGMENT.match(name)
        firsts = [each.begin_wal[8:] for each in self.backups if each.begin_wal]
        return bool(segment and firsts and segment["place"] >= min(firsts))

    def _is_there(self, key: str) -> bool:
        bucket = self.home.bucket
        try:
            self.patience.ask(bucket, lambda: bucket.head(key))
        except ObjectMissing:
            return False
        return True
