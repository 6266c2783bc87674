"""One object from several sources: the one helps where the other fails, and never with others."""

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from backups.errors import ObjectChanged, ObjectDamaged, ObjectMissing
from backups.storage.answers import PassingTrouble
from backups.storage.fetch import MIB, Fetcher, Manner
from backups.storage.flow import Flow
from backups.storage.s3 import Bucket, ObjectRef
from backups.storage.wire import Exchange
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, item, opened, replica, storage, whole

__all__ = ["replica", "storage"]


def bytes_of(storage: Storage) -> int:
    """Return what came of the large object from one of the storages."""
    counts = storage.proxy.counts()
    return sum(count.bytes_down for key, count in counts.items() if key.endswith("large"))


class TestTwoSources:
    def test_bring_an_object_of_which_one_dies_for_good(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        replica.put()
        storage.proxy.faults = Faults(bytes_per_second=30 * MIB)
        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            for step in fetcher.steps([item(ref, CONTENT)]):
                if step.done > 8 * MIB:
                    storage.proxy.faults = Faults(down=True)

        assert whole(tmp_path)
        assert bytes_of(storage) + bytes_of(replica) < len(CONTENT) + 4 * MIB

    def test_heal_what_comes_damaged_from_one(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        damaged = bytearray(CONTENT)
        damaged[20 * MIB + 5] ^= 1
        storage.client.put_object(Bucket=storage.bucket, Key="large", Body=bytes(damaged))
        replica.put()
        # The manifest was recorded before the damage, the listing after it.
        changed = storage.ref("large")
        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(changed, CONTENT)]))
            counters = fetcher.counters()

        assert changed.etag != ref.etag
        assert whole(tmp_path)
        assert counters.get("damaged_primary", 0) <= 1
        assert "damaged_replica" not in counters

    def test_without_a_manifest_have_the_same_etag_or_are_not_mixed(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        replica.put(content=bytes(len(CONTENT)))
        # So few at once that the second source is asked as well.
        manner = Manner(large_at_once=1)
        with (
            opened(storage, replica) as sources,
            Fetcher(sources, tmp_path, manner=manner) as fetcher,
        ):
            list(fetcher.steps([item(ref)]))
            counters = fetcher.counters()

        assert whole(tmp_path)
        # Nothing but refusals.
        assert bytes_of(replica) < MIB
        assert counters["barred_replica"] >= 1

    @pytest.mark.parametrize("rotten", [0, 1])
    def test_without_a_manifest_heal_what_rots_under_its_etag(
        self, storage: Storage, replica: Storage, tmp_path: Path, rotten: int
    ) -> None:
        content = CONTENT[: 2 * MIB]
        ref = storage.put(content=content)
        replica.put(content=content)
        # The same byte each time, as of a disk that has lost it.
        (storage, replica)[rotten].proxy.faults = Faults(flip_at_byte=1000, keys="*large")
        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref)]))

        assert (tmp_path / "large").read_bytes() == content

    def test_without_a_manifest_name_what_is_rotten_in_all_of_them(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        sound, ref = storage.put("sound"), storage.put(content=CONTENT[: 2 * MIB])
        replica.put(content=CONTENT[: 2 * MIB])
        for each in (storage, replica):
            each.proxy.faults = Faults(flip_at_byte=1000, keys="*large")

        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(sound, to="sound")]))
            with pytest.raises(ObjectDamaged, match="large: not what its ETag says"):
                list(fetcher.steps([item(ref)]))

    def test_with_a_manifest_may_have_etags_of_their_own(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put_in_parts(8 * MIB)
        replica.put()
        storage.proxy.faults = Faults(error_share=1.0, keys="*/large")
        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref, CONTENT)]))

        assert whole(tmp_path)
        assert bytes_of(replica) >= len(CONTENT)

    def test_may_learn_an_etag_while_others_still_ask_under_the_old_one(
        self,
        storage: Storage,
        replica: Storage,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ref = storage.put_in_parts(8 * MIB)
        replica.put()
        storage.proxy.faults = Faults(error_share=1.0, keys="*/large")
        is_learned, asked = Event(), Counter[str]()
        ask, head = Bucket.ask, Bucket.head

        def late_ask(
            bucket: Bucket, exchange: Exchange, method: str, *rest: Any, **more: Any
        ) -> None:
            if method == "GET" and bucket.place.prefix and ref.etag in str(more.get("headers")):
                asked["old"] += 1
                if asked["old"] > 1:
                    is_learned.wait(10)
            ask(bucket, exchange, method, *rest, **more)

        def told_head(bucket: Bucket, key: str) -> ObjectRef:
            while asked["old"] < 2:
                time.sleep(0.01)
            found = head(bucket, key)
            Timer(0.2, is_learned.set).start()
            return found

        monkeypatch.setattr(Bucket, "ask", late_ask)
        monkeypatch.setattr(Bucket, "head", told_head)
        with opened(storage, replica) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref, CONTENT)]))
            counters = fetcher.counters()

        assert asked["old"] >= 2
        assert whole(tmp_path)
        assert "barred_replica" not in counters

    def test_refuse_an_object_that_was_replaced_in_both(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        storage.put(content=b"other" + CONTENT)
        replica.put(content=b"other" + CONTENT)

        with (
            opened(storage, replica) as sources,
            Fetcher(sources, tmp_path) as fetcher,
            pytest.raises(ObjectChanged),
        ):
            list(fetcher.steps([item(ref)]))

    def test_that_are_both_damaged_are_refused(
        self, storage: Storage, replica: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        replica.put()
        other = bytearray(CONTENT)
        other[3 * MIB] ^= 1

        with (
            opened(storage, replica) as sources,
            Fetcher(sources, tmp_path) as fetcher,
            pytest.raises(ObjectDamaged, match="large, bytes 0-"),
        ):
            list(fetcher.steps([item(ref, bytes(other))]))


class TestAskingForSomethingSmall:
    def test_falls_over_to_the_next_source(self, storage: Storage, replica: Storage) -> None:
        storage.put("small/1", b"one")
        replica.put("small/1", b"one")
        storage.proxy.faults = Faults(down=True)

        with opened(storage, replica) as sources:
            assert sources.read("small/1") == b"one"
            assert [ref.key for ref in sources.list("small/")] == ["small/1"]
            assert sources.head("small/1").key == "small/1"

    def test_believes_an_absence_of_the_first_source_only(
        self, storage: Storage, replica: Storage
    ) -> None:
        replica.put("lonely", b"one")
        with opened(storage, replica) as sources:
            assert sources.read("lonely") == b"one"
            with pytest.raises(ObjectMissing):
                sources.head("nowhere")

            storage.proxy.faults = Faults(down=True)
            # A connection that was open already may bring one answer more.
            for _kept in range(3):
                with suppress(ObjectMissing, PassingTrouble):
                    sources.head("nowhere")
            with pytest.raises(PassingTrouble):
                sources.head("nowhere")

    def test_is_not_held_up_by_silence(self, storage: Storage, replica: Storage) -> None:
        storage.put("small", b"one")
        replica.put("small", b"one")
        storage.proxy.faults = Faults(silent_share=1.0)

        # The silence is longer than the test may last.
        with opened(storage, replica, silence_seconds=300) as sources:
            assert sources.read("small") == b"one"

    def test_lists_in_pages_across_a_failing_source(
        self, storage: Storage, replica: Storage
    ) -> None:
        for number in range(5):
            storage.put(f"s/{number}", b"x")
            replica.put(f"s/{number}", b"x")
        with opened(storage, replica) as sources:
            first = sources.list_page("s/", limit=2)
            storage.proxy.faults = Faults(down=True)
            rest = sources.list_page("s/", after=first.objects[-1].key)

        assert [ref.key for ref in [*first.objects, *rest.objects]] == [
            f"s/{number}" for number in range(5)
        ]


def test_measurements_tell_what_each_source_gave(
    storage: Storage, replica: Storage, tmp_path: Path
) -> None:
    ref = storage.put()
    with (
        opened(storage, replica) as sources,
        Fetcher(sources, tmp_path, manner=Manner()) as fetcher,
    ):
        list(fetcher.steps([item(ref, CONTENT)]))
        first, second = fetcher.measurements()

    assert (first.source, second.source) == ("primary", "replica")
    assert first.bytes == len(CONTENT)
    assert first.first_byte_seconds is not None
    assert first.seconds >= 1
    assert second.bytes == 0


def test_a_measurement_counts_bytes_of_a_second_in_which_nobody_looked() -> None:
    flow = Flow()
    flow.enter(10.0, large=True)
    flow.brought(10.9, 1000)
    flow.brought(11.2, 500)

    measured = flow.measurement("primary", 12.0)

    assert (measured.bytes, measured.seconds) == (1500, 2.0)
