"""What goes wrong on this side: the disk, the journal, the keys; and silence, which is hedged."""

import errno
import hashlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from backups.errors import CredentialsRefused, DiskTooSmall, ObjectDamaged
from backups.storage.attempt import Attempt
from backups.storage.fetch import MIB, Fetcher, FetchItem, Manner, Sources, Unsound
from backups.storage.journal import StageInUse
from backups.storage.manifest import read_manifest
from backups.storage.s3 import Credentials
from backups.storage.schedule import Schedule
from backups.storage.warden import Warden
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, hashes, item, opened, storage, whole

__all__ = ["storage"]


@pytest.fixture
def sources(storage: Storage) -> Iterator[Sources]:
    with opened(storage) as found:
        yield found


def fetch_half(storage: Storage, sources: Sources, stage: Path, wanted: FetchItem) -> None:
    """Fetch a good part of the object, and let the fetcher die."""
    storage.proxy.faults = Faults(bytes_per_second=40 * MIB)
    with Fetcher(sources, stage) as fetcher:
        steps = fetcher.steps([wanted])
        for step in steps:
            if step.done > 20 * MIB:
                break
        steps.close()  # type: ignore[attr-defined]
    storage.proxy.faults = Faults()


class TestAStageThatSuffered:
    @pytest.mark.parametrize("with_manifest", [True, False])
    def test_costs_a_new_fetch_of_what_is_bad(
        self, *, with_manifest: bool, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:  # fmt: skip
        wanted = item(storage.put(), CONTENT if with_manifest else None)
        fetch_half(storage, sources, tmp_path, wanted)
        before = storage.proxy.total().bytes_down
        with (tmp_path / "large").open("r+b") as file:
            file.seek(100)
            file.write(b"altered")

        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))

        assert whole(tmp_path)
        assert storage.proxy.total().bytes_down - before < len(CONTENT) - 15 * MIB

    @pytest.mark.parametrize("kept", [0, 1, 37, 0.3, 0.9])
    def test_with_a_journal_cut_off_anywhere_comes_whole(
        self, kept: float, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        fetch_half(storage, sources, tmp_path, wanted)
        journal = tmp_path / "journal.jsonl"
        content = journal.read_bytes()
        journal.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])

        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))

        assert whole(tmp_path)

    @pytest.mark.parametrize("step", [3, 17, 64])
    def test_with_flipped_bits_all_over_the_journal_comes_whole(
        self, step: int, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        fetch_half(storage, sources, tmp_path, wanted)
        journal = tmp_path / "journal.jsonl"
        content = bytearray(journal.read_bytes())
        for at in range(0, len(content), step):
            content[at] ^= 1 << at % 8
        journal.write_bytes(content)

        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))

        assert whole(tmp_path)

    def test_without_its_file_comes_whole(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        fetch_half(storage, sources, tmp_path, wanted)
        (tmp_path / "large").unlink()

        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))

        assert whole(tmp_path)

    def test_that_was_altered_after_its_end_is_looked_at_again(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))
        with (tmp_path / "large").open("r+b") as file:
            file.write(b"altered")
        before = storage.proxy.total().bytes_down

        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))

        assert whole(tmp_path)
        assert storage.proxy.total().bytes_down - before < 2 * MIB

    def test_is_not_shared(self, sources: Sources, tmp_path: Path) -> None:
        with Fetcher(sources, tmp_path), pytest.raises(StageInUse), Fetcher(sources, tmp_path):
            pass


class TestAThreadThatBreaks:
    """By a mistake of ours, that is: nobody may wait for ever for what it had taken."""

    @pytest.mark.parametrize("broken", [(Schedule, "take"), (Warden, "_look_at")])
    def test_ends_the_wait(
        self,
        broken: tuple[type, str],
        storage: Storage,
        sources: Sources,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        storage.proxy.faults = Faults(bytes_per_second=20 * MIB)

        def mistaken(*_args: object, **_named: object) -> None:
            raise TypeError("not to be compared")

        with Fetcher(sources, tmp_path) as fetcher:
            steps = fetcher.steps([wanted])
            next(steps)
            monkeypatch.setattr(*broken, mistaken)

            with pytest.raises(TypeError, match="not to be compared"):
                list(steps)


class TestADiskThatIsFull:
    def test_in_the_middle_is_waited_for(
        self, storage: Storage, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        is_full = threading.Event()
        true = os.pwrite

        def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
            if is_full.is_set():
                raise OSError(errno.ENOSPC, "No space left on device")
            return true(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", pwrite)
        storage.proxy.faults = Faults(bytes_per_second=60 * MIB)
        said: list[str] = []
        with Fetcher(sources, tmp_path, manner=Manner(waiting_after_seconds=0.5)) as fetcher:
            for step in fetcher.steps([wanted]):
                said.append(step.waiting)
                if step.done > 5 * MIB and "disk" not in said:
                    is_full.set()
                if step.waiting == "disk":
                    is_full.clear()

        assert "disk" in said
        assert said[-1] == ""
        assert whole(tmp_path)

    def test_from_the_start_is_told_at_once(
        self, storage: Storage, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        full = os.statvfs("/")
        shrunken = os.statvfs_result((*full[:3], 10, 10, *full[5:]))
        with Fetcher(sources, tmp_path) as fetcher:
            monkeypatch.setattr(os, "statvfs", lambda _path: shrunken)

            with pytest.raises(DiskTooSmall):
                next(iter(fetcher.steps([wanted])))


class TestKeysThatExpire:
    def expire(self, storage: Storage) -> Credentials:
        """Let the keys in use be refused, and return those that would be taken."""
        right = storage.keys.now
        storage.keys.now = replace(right, secret_key="expired")
        return right

    def test_are_asked_for_again_and_taken_up(self, storage: Storage, tmp_path: Path) -> None:
        ref = storage.put()
        right = self.expire(storage)
        with opened(storage) as sources:
            # These are kept, and refused by the time they are used.
            sources.channels[0].bucket.credentials()
            storage.keys.now = right
            with Fetcher(sources, tmp_path) as fetcher:
                list(fetcher.steps([item(ref, CONTENT)]))

        assert whole(tmp_path)
        assert storage.keys.asked == 2

    def test_in_the_middle_are_waited_for_and_said_so(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.proxy.faults = Faults(bytes_per_second=30 * MIB)
        said: list[str] = []
        manner = Manner(waiting_after_seconds=0.5, large_at_once=1)
        right = storage.keys.now
        with opened(storage) as sources, Fetcher(sources, tmp_path, manner=manner) as fetcher:
            for step in fetcher.steps([item(ref, CONTENT)]):
                said.append(step.waiting)
                if step.done > 5 * MIB and "credentials" not in said:
                    self.expire(storage)
                    bucket = sources.channels[0].bucket
                    bucket.renew(right)
                if step.waiting == "credentials":
                    storage.keys.now = right

        assert "credentials" in said
        assert whole(tmp_path)

    def test_and_stay_so_end_it_after_the_time_that_is_allowed(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.proxy.faults = Faults(bytes_per_second=30 * MIB)
        manner = Manner(waiting_after_seconds=0.5, outage_seconds=1.5, large_at_once=1)
        right = storage.keys.now
        with opened(storage) as sources, Fetcher(sources, tmp_path, manner=manner) as fetcher:
            steps = fetcher.steps([item(ref, CONTENT)])
            for step in steps:
                if step.done > 5 * MIB:
                    break
            self.expire(storage)
            sources.channels[0].bucket.renew(right)

            with pytest.raises(CredentialsRefused):
                list(steps)


class TestSilence:
    def test_of_whole_requests_is_hedged(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.proxy.faults = Faults(silent_share=0.5)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref, CONTENT)]))
            counters = fetcher.counters()

        assert whole(tmp_path)
        assert counters["hedges"] >= 1
        assert storage.proxy.total().bytes_down < 1.1 * len(CONTENT)

    def test_in_the_middle_of_an_answer_goes_on_elsewhere_at_the_byte(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.proxy.faults = Faults(stall_at_byte=5 * MIB + 77)
        with (
            opened(storage, silence_seconds=300) as sources,
            Fetcher(sources, tmp_path, manner=Manner(silence_seconds=300)) as fetcher,
        ):
            list(fetcher.steps([item(ref, CONTENT)]))
            counters = fetcher.counters()

        assert whole(tmp_path)
        assert counters["hedges_won"] >= 1
        assert storage.proxy.total().bytes_down < 1.1 * len(CONTENT)

    def test_of_one_slow_connection_is_overtaken(
        self, storage: Storage, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = storage.put()
        slow: list[Attempt] = []
        true = Attempt._receive

        def receive(attempt: Attempt, buffer: memoryview) -> int:
            if not slow:
                slow.append(attempt)
            if attempt in slow:
                time.sleep(0.3)
                return true(attempt, buffer[:100_000])
            return true(attempt, buffer)

        monkeypatch.setattr(Attempt, "_receive", receive)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref, CONTENT)]))
            counters = fetcher.counters()

        assert whole(tmp_path)
        assert counters["hedges_won"] >= 1


class TestAWholeObject:
    @pytest.mark.parametrize("part_bytes", [5 * MIB, 12 * MIB])
    def test_without_a_manifest_is_compared_with_its_etag(
        self, part_bytes: int, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put_in_parts(part_bytes)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref)]))

            assert fetcher.counters()["proven_by_etag"] == 1

    @pytest.mark.parametrize("flips", [None, 20 * MIB])
    def test_without_a_manifest_is_compared_with_the_storages_own_crc(
        self, flips: int | None, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        # As boto3 stores it by default: with a CRC-32 of each part.
        storage.client.upload_fileobj(
            io.BytesIO(CONTENT), storage.bucket, "large",
            Config=TransferConfig(multipart_chunksize=8 * MIB),
        )  # fmt: skip
        ref = storage.ref("large")
        storage.proxy.faults = Faults(flip_every_bytes=flips)
        with Fetcher(sources, tmp_path) as fetcher:
            for _step in fetcher.steps([item(ref)]):
                if storage.proxy.total().flips:
                    storage.proxy.faults = Faults()

            assert fetcher.counters()["proven_by_checksum"] == 1
        assert whole(tmp_path)

    def test_that_came_damaged_once_is_fetched_again(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put()
        # One of the answers, whichever it is, and none of those that follow.
        storage.proxy.faults = Faults(flip_every_bytes=20 * MIB)
        with Fetcher(sources, tmp_path) as fetcher:
            for _step in fetcher.steps([item(ref)]):
                if storage.proxy.total().flips:
                    storage.proxy.faults = Faults()

            assert fetcher.counters()["proven_by_etag"] == 1
        assert whole(tmp_path)

    def test_whose_etag_is_no_checksum_is_taken_and_said_to_be_unproven(
        self, storage: Storage, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = storage.put()
        monkeypatch.setattr("backups.storage.etags._md5", lambda *_args: b"something else")
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref)]))

            assert fetcher.counters()["proven_by_nothing"] == 1
        assert whole(tmp_path)

    def test_with_a_manifest_of_sha256_as_the_first_were_is_proven(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put()
        entry = {"key": ref.key, "size": ref.size, "etag": ref.etag, "sha256": hashes()}
        said = "\n".join([ref.key, str(ref.size), ref.etag, *hashes()])
        whole_hash = hashlib.sha256(said.encode()).hexdigest()
        document = {"version": 2, "block_bytes": MIB, "objects": [entry | {"whole": whole_hash}]}
        storage.client.put_object(
            Bucket=storage.bucket, Key="manifest.json", Body=json.dumps(document).encode()
        )

        recorded = read_manifest(sources, "manifest.json").hashes_of(ref)
        storage.proxy.faults = Faults(flip_at_byte=5 * MIB, flip_share=0.5)
        with Fetcher(sources, tmp_path, manner=Manner(tries_of_damaged=30)) as fetcher:
            list(fetcher.steps([FetchItem(ref=ref, to="large", part_hashes=recorded)]))

            assert fetcher.counters()["proven_by_manifest"] == 1
        assert whole(tmp_path)

    def test_with_a_manifest_that_does_not_fit_is_refused(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = FetchItem(ref=storage.put(), to="large", part_hashes=hashes()[:-3])
        with Fetcher(sources, tmp_path) as fetcher, pytest.raises(ObjectDamaged, match="manifest"):
            list(fetcher.steps([wanted]))

    def test_that_a_finisher_refuses_is_fetched_again_and_then_given_up(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put(content=b"not what it should be")
        seen: list[Path] = []

        def refuse(_item: FetchItem, path: Path) -> None:
            seen.append(path)
            raise Unsound("no log file")

        with Fetcher(sources, tmp_path) as fetcher, pytest.raises(ObjectDamaged, match="no log"):
            list(fetcher.steps([item(ref)], finish=refuse))

        assert len(seen) == Manner().tries_of_unsound


def test_the_limit_on_bytes_a_second_is_kept(
    storage: Storage, sources: Sources, tmp_path: Path
) -> None:
    ref = storage.put()
    began = time.monotonic()
    with Fetcher(sources, tmp_path, manner=Manner(bytes_per_second=20 * MIB)) as fetcher:
        list(fetcher.steps([item(ref, CONTENT)]))

    assert time.monotonic() - began > 1.9
    assert whole(tmp_path)


def test_every_byte_of_the_answers_is_accounted_for(
    storage: Storage, sources: Sources, tmp_path: Path
) -> None:
    ref = storage.put()
    storage.proxy.faults = Faults(reset_after_bytes=7 * MIB)
    with Fetcher(sources, tmp_path) as fetcher:
        list(fetcher.steps([item(ref, CONTENT)]))
        counters = fetcher.counters()

    # The heads of the answers come to some hundred bytes each.
    assert counters["reset"] >= 3
    assert len(CONTENT) < counters["bytes_wire"] < storage.proxy.total().bytes_down + 100_000
