"""The end of a fetch: slow parts are shared out among connections that have nothing to do."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups.storage.attempt import Attempt, Setting
from backups.storage.fetch import MIB, PART_BYTES, Fetcher, FetchItem, Manner, Sources
from backups.storage.flow import Limit
from backups.storage.items import BLOCK_BYTES
from backups.storage.jobs import Job, Part, gaps
from backups.storage.journal import Held, Journal
from backups.storage.schedule import Schedule
from backups.storage.sources import Channel
from backups.storage.tail import Tail
from backups.storage.values import ObjectRef
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, hashes, item, opened, storage, whole

__all__ = ["storage"]

LARGE = random.Random(3).randbytes(16 * MIB)
SOUND = Faults()


@pytest.fixture
def sources(storage: Storage) -> Iterator[Sources]:
    with opened(storage) as found:
        yield found


class TestSlowConnections:
    """Three parts and eight connections, each of which brings a sixth of a part in a second."""

    def test_share_what_is_left(self, storage: Storage, tmp_path: Path) -> None:
        ref = storage.put()
        storage.proxy.faults = Faults(connection_bytes_per_second=6 * MIB)
        with opened(storage) as sources, Fetcher(sources, tmp_path) as fetcher:
            list(fetcher.steps([item(ref, CONTENT)]))
            counters = fetcher.counters()

        assert whole(tmp_path)
        assert counters["parts_shared_out"] > 0
        # Each answer that is cut short has a little under way that nobody reads.
        assert counters["bytes_wire"] < 1.1 * len(CONTENT)

    def test_keep_stretches_together_that_share_a_hash(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put()
        wanted = FetchItem(ref=ref, to="large", part_hashes=hashes(CONTENT, 4 * MIB))
        storage.proxy.faults = Faults(connection_bytes_per_second=6 * MIB, flip_at_byte=MIB)
        with opened(storage) as sources, Fetcher(sources, tmp_path) as fetcher:
            steps = fetcher.steps([wanted])
            for _step in steps:
                if fetcher.counters().get("damaged"):
                    storage.proxy.faults = Faults(connection_bytes_per_second=6 * MIB)
            counters = fetcher.counters()

        assert whole(tmp_path)
        assert counters["parts_shared_out"] > 0
        assert counters["damaged"] > 0

    def test_serve_whoever_waits_for_bytes_of_a_part_that_was_shared_out(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        ref = storage.put(content=LARGE)
        wanted = item(ref, LARGE)
        storage.proxy.faults = Faults(connection_bytes_per_second=4 * MIB)
        with opened(storage) as sources, Fetcher(sources, tmp_path) as fetcher:
            fetcher.want(wanted)
            while not fetcher.counters().get("parts_shared_out"):
                time.sleep(0.02)

            assert fetcher.wait(wanted, 0, len(LARGE), seconds=60)

            assert fetcher.path_of(wanted).read_bytes() == LARGE
            assert fetcher.counters()["bytes_wire"] < 1.2 * len(LARGE)

    def test_outlive_an_outage_after_they_were_shared_out(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        slow = Faults(connection_bytes_per_second=6 * MIB)
        storage.proxy.faults = slow
        manner = Manner(waiting_after_seconds=0.5, outage_seconds=20)
        said = list[str]()
        with Fetcher(sources, tmp_path, manner=manner) as fetcher:
            for step in fetcher.steps([wanted]):
                if fetcher.counters().get("parts_shared_out", 0) > 2 and not said:
                    storage.proxy.faults = Faults(down=True)
                    said.append(step.waiting)
                elif said and not said[-1]:
                    said.append(step.waiting)
                elif said:
                    storage.proxy.faults = slow

        assert said[-1] == "storage"
        assert whole(tmp_path)

    def test_lose_nothing_at_a_death_in_the_middle(self, storage: Storage, tmp_path: Path) -> None:
        ref = storage.put()
        wanted = item(ref, CONTENT)
        storage.proxy.faults = Faults(connection_bytes_per_second=6 * MIB)
        with opened(storage) as sources, Fetcher(sources, tmp_path) as fetcher:
            for _step in fetcher.steps([wanted]):
                if fetcher.counters().get("parts_shared_out", 0) > 1:
                    break
        storage.proxy.faults = SOUND
        with opened(storage) as sources, Fetcher(sources, tmp_path) as fetcher:
            held = fetcher.bytes_held()
            list(fetcher.steps([wanted]))

            assert held > MIB
            assert fetcher.counters()["bytes_wire"] < len(CONTENT) - held + MIB
        assert whole(tmp_path)


class TestAPart:
    """What is ceded, and what of an object is in no part."""

    @pytest.fixture
    def attempt(self, sources: Sources, tmp_path: Path) -> Attempt:
        job = _job(tmp_path)
        job.parts[0] = Part(job, 0, PART_BYTES, (1, 7))
        return _attempt(job.parts[0], sources.channels[0], tmp_path)

    def test_cedes_its_end(self, attempt: Attempt) -> None:
        rest = attempt.cede(9 * MIB)

        assert rest is not None
        assert (rest.start, rest.stop, rest.priority) == (9 * MIB, PART_BYTES, (1, 7))
        assert (attempt.part.stop, attempt.part.run_stop) == (9 * MIB, 9 * MIB)
        assert attempt.asked_bytes == 9 * MIB

    @pytest.mark.parametrize("middle", [2 * MIB, PART_BYTES])
    def test_cedes_nothing_that_came_and_not_nothing(self, attempt: Attempt, middle: int) -> None:
        assert attempt.cede(middle) is None
        assert attempt.part.stop == PART_BYTES

    def test_cedes_nothing_while_somebody_else_may_take_it_over(self, attempt: Attempt) -> None:
        attempt.part.hedge = attempt

        assert attempt.cede(9 * MIB) is None

    def test_cedes_nothing_while_bytes_are_kept(self, attempt: Attempt) -> None:
        with attempt.part.lock:
            assert attempt.cede(9 * MIB) is None

    def test_leaves_gaps_that_are_named(self, attempt: Attempt) -> None:
        job = attempt.job
        rest = attempt.cede(9 * MIB)
        assert rest is not None
        job.parts[rest.start] = rest

        assert list(gaps(job.parts_within(0, PART_BYTES), 0, PART_BYTES)) == []
        del job.parts[0]
        assert list(gaps(job.parts_within(0, PART_BYTES), 0, PART_BYTES)) == [(0, 9 * MIB)]
        del job.parts[rest.start]
        assert list(gaps(job.parts_within(0, PART_BYTES), 0, PART_BYTES)) == [(0, PART_BYTES)]

    def test_wakes_together_with_what_it_ceded(self, attempt: Attempt) -> None:
        rests = [attempt.cede(middle * MIB) for middle in (12, 9, 6)]
        schedule = Schedule([attempt.channel])
        for part in (attempt.part, *rests):
            assert part is not None
            schedule.add(part, not_before=10.0)

        taken = [schedule.take(11.0) for _part in range(5)]

        assert [task and task.part for task in taken] == [attempt.part, *rests, None]

    def test_is_shared_out_only_while_the_line_is_not_full(self, attempt: Attempt) -> None:
        channel = attempt.channel
        channel.flow.large_window, channel.flow.large_in_flight = 8.0, 8
        tail, now = Tail([channel]), time.monotonic()
        attempt.asked_at, attempt.first_byte_at = now, now
        asked = []

        def tick(rate: int, *, is_idle: bool) -> None:
            nonlocal now
            now += 0.1
            channel.flow.brought(now, rate // 10)
            attempt.last_byte_at = time.monotonic()
            asked.append(tail.look([attempt], now, is_idle=is_idle))

        attempt.came = 2 * MIB
        for _tick in range(20):
            tick(40 * MIB, is_idle=False)
        channel.flow.large_in_flight = 1
        for _tick in range(20):
            tick(38 * MIB, is_idle=True)
        assert not any(asked)

        for _tick in range(10):
            tick(5 * MIB, is_idle=True)
        assert [who for who, _middle in asked[-1]] == [attempt]
        middle = asked[-1][0][1]
        assert middle % BLOCK_BYTES == 0
        assert 2 * MIB < middle < PART_BYTES


def _job(folder: Path) -> Job:
    ref = ObjectRef(key="large", size=2 * PART_BYTES, etag="e")
    held = Held(1, "etag:e", ref.size)
    return Job(FetchItem(ref=ref, to="large"), folder / "large", held, None, bytearray(32))


def _attempt(part: Part, channel: Channel, folder: Path) -> Attempt:
    setting = Setting(
        journal=Journal(folder / "journal.jsonl"), limit=Limit(0), sleep=lambda _seconds: None,
        count=lambda _name, _amount: None, tell_disk=lambda _is_full: None,
        tell_bytes=lambda: None,
    )  # fmt: skip
    attempt = Attempt(part, channel, setting, 10.0, asked_bytes=PART_BYTES)
    part.owner, part.at, part.run_stop = attempt, 2 * MIB, PART_BYTES
    return attempt
