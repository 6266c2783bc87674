"""The fetcher as the relay uses it: bytes that somebody waits for, and disk that is given back."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups.errors import ObjectMissing, StorageUnavailable
from backups.storage.fetch import MIB, PART_BYTES, Fetcher, Manner, Sources
from backups.storage.fetcher import Stopped
from backups.storage.values import ObjectRef
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, item, opened, storage

__all__ = ["storage"]


@pytest.fixture
def sources(storage: Storage) -> Iterator[Sources]:
    with opened(storage) as found:
        yield found


class TestWaiting:
    def test_returns_once_the_bytes_lie_in_the_file(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetcher.wait(wanted, 20 * MIB, 20 * MIB + 10)

            with fetcher.path_of(wanted).open("rb") as file:
                file.seek(20 * MIB)
                assert file.read(10) == CONTENT[20 * MIB :][:10]
            assert fetcher.held(wanted, 20 * MIB, len(CONTENT)) >= 20 * MIB + 10

    def test_fetches_no_more_than_the_parts_that_are_wanted(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        with Fetcher(sources, tmp_path) as fetcher:
            fetcher.wait(wanted, 0, 1)
            assert fetcher.wait(wanted, 0, PART_BYTES)

        assert storage.proxy.total().bytes_down < PART_BYTES + MIB

    def test_comes_before_what_is_wanted_in_the_background(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        first, second = item(storage.put("a"), to="a"), item(storage.put("b"), to="b")
        storage.proxy.faults = Faults(bytes_per_second=20 * MIB)
        with Fetcher(sources, tmp_path, manner=Manner(large_at_once=1)) as fetcher:
            fetcher.want(first)
            fetcher.want(second)
            fetcher.wait(second, len(CONTENT) - 10, len(CONTENT))

            assert fetcher.held(first, 0, len(CONTENT)) < len(CONTENT)

    def test_says_that_it_took_too_long(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        storage.proxy.faults = Faults(down=True)
        with Fetcher(sources, tmp_path) as fetcher:
            assert not fetcher.wait(wanted, 0, 10, seconds=0.3)

            storage.proxy.faults = Faults()
            assert fetcher.wait(wanted, 0, 10)

    def test_gives_up_after_the_outage_that_is_allowed(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        storage.proxy.faults = Faults(down=True)
        manner = Manner(outage_seconds=1)
        with (
            Fetcher(sources, tmp_path, manner=manner) as fetcher,
            pytest.raises(StorageUnavailable),
        ):
            fetcher.wait(wanted, 0, 10)

    def test_names_what_is_missing_and_may_be_asked_again(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.client.delete_object(Bucket=storage.bucket, Key="large")
        with Fetcher(sources, tmp_path) as fetcher:
            for _time in range(2):
                with pytest.raises(ObjectMissing, match="large"):
                    fetcher.wait(item(ref), 0, 10)

            storage.put()
            assert fetcher.wait(item(ref), 0, 10)

    def test_ends_when_the_fetcher_is_closed(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put())
        storage.proxy.faults = Faults(silent_share=1.0)
        ended: list[BaseException] = []

        def wait() -> None:
            try:
                fetcher.wait(wanted, 0, 10)
            except Stopped as stopped:
                ended.append(stopped)

        with Fetcher(sources, tmp_path) as fetcher:
            waiting = threading.Thread(target=wait)
            waiting.start()
            time.sleep(0.2)
        waiting.join(timeout=10)

        assert len(ended) == 1

    def test_brings_an_empty_object(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put("empty", b""), to="empty")
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetcher.wait(wanted, 0, 0)

        assert (tmp_path / "empty").read_bytes() == b""


class TestForgetting:
    def test_gives_back_disk_and_fetches_again_when_asked(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))
            fetcher.forget(wanted)

            assert not fetcher.path_of(wanted).exists()
            assert fetcher.bytes_held() == 0
            assert "large" not in fetcher.known()
            assert fetcher.wait(wanted, 0, len(CONTENT))
            assert fetcher.path_of(wanted).read_bytes() == CONTENT

    def test_of_a_stretch_leaves_the_rest(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([wanted]))
            before = fetcher.path_of(wanted).stat().st_blocks
            fetcher.forget(wanted, 0, PART_BYTES)

            assert fetcher.held(wanted, 0, len(CONTENT)) == 0
            assert fetcher.held(wanted, PART_BYTES, len(CONTENT)) == len(CONTENT)
            assert fetcher.bytes_held() == len(CONTENT) - PART_BYTES
            assert (before - fetcher.path_of(wanted).stat().st_blocks) * 512 >= PART_BYTES - MIB
            assert fetcher.wait(wanted, 0, len(CONTENT))
            assert fetcher.path_of(wanted).read_bytes() == CONTENT

    def test_is_remembered_by_the_next_process(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        kept, gone = item(storage.put("a"), to="a"), item(storage.put("b"), to="b")
        with Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([kept, gone]))
            fetcher.forget(gone)
            fetcher.forget(kept, 0, PART_BYTES)

        with Fetcher(sources, tmp_path) as fetcher:
            assert list(fetcher.known()) == ["a"]
            assert fetcher.bytes_held() == len(CONTENT) - PART_BYTES
            assert fetcher.wait(kept, 0, len(CONTENT))
        assert (tmp_path / "a").read_bytes() == CONTENT


class TestAnotherVersion:
    def test_takes_the_place_of_the_one_that_was_there(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        first = item(storage.put(content=b"first"), to="one")
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetcher.wait(first, 0, 5)
            second = item(storage.put(content=b"second!"), to="one")
            assert isinstance(second.ref, ObjectRef)
            assert fetcher.wait(second, 0, 7)

            assert fetcher.path_of(second).read_bytes() == b"second!"
