"""What happens to an object once all of it is there: is it what was stored, and who takes it."""

import os
from dataclasses import dataclass, field

from backups.errors import EngineFailed, ObjectDamaged
from backups.storage import etags
from backups.storage.answers import PassingTrouble
from backups.storage.hashing import DIGEST_BYTES
from backups.storage.items import Manner, Unsound
from backups.storage.jobs import Job
from backups.storage.journal import Journal
from backups.storage.sources import Sources

BY_MANIFEST, BY_CHECKSUM, BY_ETAG = "manifest", "checksum", "etag"
BY_NOTHING = "nothing"


@dataclass(slots=True)
class Ending:
    """Called by the threads of a fetcher, once for each object that has become whole."""

    sources: Sources
    journal: Journal
    manner: Manner
    # Two fetches agreed with each other and not with the ETag, so it is no checksum here.
    etags_say_nothing: bool = field(default=False)
    # An object agreed with its ETag, so here it is one.
    etags_are_checksums: bool = field(default=False)

    def end(self, job: Job) -> bool:
        """Look at an object, and say by what it is proven; False if bytes have to come again.

        Whoever calls it notes in the journal that the object is finished, if nothing of it was
        given up meanwhile.

        :raises ObjectDamaged: if it is not sound, however often it comes
        """
        if not job.size:
            os.close(job.open())
        if not self._is_proven(job):
            return False
        if job.finish is not None and job.is_whole:
            try:
                job.finish(job.item, job.path)
            except Unsound as unsound:
                self._count_unsound(job, str(unsound))
                job.drop(self.journal, 0, len(job.states))
                return False
        return True

    def _is_proven(self, job: Job) -> bool:
        etag = job.item.ref.etag
        if job.item.part_hashes:
            job.proof = BY_MANIFEST
            return True
        job.proof = BY_NOTHING
        is_asked = self.manner.compares_etags and not job.is_etag_no_checksum
        if not is_asked or self.etags_say_nothing or not etags.may_speak(etag):
            return True
        part_bytes, crc = self._stored(job, etag)
        descriptor = job.open()
        try:
            if crc and part_bytes and etags.agrees_with_crc(descriptor, job.size, crc, part_bytes):
                job.proof = BY_CHECKSUM
                return True
            said = etags.agrees(descriptor, job.size, etag, part_bytes)
        finally:
            os.close(descriptor)
        if said:
            job.proof, self.etags_are_checksums = BY_ETAG, True
        if said is not False or not job.is_whole:
            # What was given up while it was read is holes, and proves nothing.
            return True
        return self._came_twice(job)

    def _stored(self, job: Job, etag: str) -> tuple[int | None, str]:
        """Ask how long the parts are that the object was stored in, and for its CRC."""
        if not etags.is_composite(etag):
            return None, ""
        for channel in self.sources.channels:
            bucket, key = channel.bucket, channel.own_key(job.item.ref.key)
            try:
                part_bytes = bucket.first_part_bytes(key, etag)
            except (PassingTrouble, EngineFailed):
                continue
            try:
                return part_bytes, bucket.crc32(key, etag)
            except (PassingTrouble, EngineFailed):
                return part_bytes, ""
        return None, ""

    def _came_twice(self, job: Job) -> bool:
        """Fetch again what does not agree with its ETag, until two fetches agree.

        A flipped bit does not come twice in the same place; the bytes of a storage whose ETags are
        no checksums do. So do those of an object that is damaged where it lies, which is told from
        the former by the other objects: theirs agree.
        """
        digests = bytes(job.held.digests)
        if digests == job.first_digests:
            if self._turns_elsewhere(job):
                return False
            if self.etags_are_checksums:
                raise _damage(job, "not what its ETag says, where it lies")
            self.etags_say_nothing = True
            return True
        self._count_unsound(job, "not what its ETag says")
        blocks = range(len(job.states))
        if job.first_digests:
            first = job.first_digests
            blocks_apart = [
                block for block in blocks if _digest(first, block) != _digest(digests, block)
            ]
        else:
            blocks_apart = list(blocks)
        job.first_digests = digests
        for block in blocks_apart:
            job.drop(self.journal, block, block + 1)
        return False

    def _turns_elsewhere(self, job: Job) -> bool:
        """Ask for all of it in a source that has not shown yet that it has nothing better.

        The others are set aside, for nobody knows from which of them the bad bytes came.
        """
        if len(job.served) == 1:
            job.judged |= job.served
        others = {channel.index for channel in self.sources.channels}
        lacking = {n for n, why in job.barred.items() if not isinstance(why, ObjectDamaged)}
        left = sorted(others - lacking - job.judged)
        if not left or len(others - lacking) == 1:
            return False
        damage = _damage(job, "not what its ETag says, where it lies")
        for index in others - lacking:
            job.barred[index] = damage
        del job.barred[left[0]]
        job.served.clear()
        job.first_digests, job.unsound = b"", 0
        job.drop(self.journal, 0, len(job.states))
        return True

    def _count_unsound(self, job: Job, why: str) -> None:
        job.unsound += 1
        if job.unsound >= self.manner.tries_of_unsound:
            raise _damage(job, why)


def _damage(job: Job, why: str) -> ObjectDamaged:
    key = job.item.ref.key
    return ObjectDamaged(f"{key}: {why}", key=key)


def _digest(digests: bytes, block: int) -> bytes:
    return digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]
