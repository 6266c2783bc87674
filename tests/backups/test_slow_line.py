"""A line that is slow but never still: what is told of it, and what a death on it leaves behind."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import runner
from backups.models import JobState, RestorePhase, RestoreStrategy
from backups.runner.patience import only_long, told_after_seconds
from backups.runner.telling import Telling
from backups.steps import Step
from backups.storage.fetch import MIB, Fetcher, Manner, Sources
from backups.storage.journal import Journal
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.fetching import CONTENT, Storage, item, opened, storage, whole
from tests.protected import Protected, Rooms, rooms_for

__all__ = ["storage"]


@pytest.fixture
def sources(storage: Storage) -> Iterator[Sources]:
    with opened(storage) as found:
        yield found


class TestAWait:
    def test_is_not_told_while_anything_comes_from_anywhere(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        wanted = item(storage.put(), CONTENT)
        small = storage.put("small", b"alive").key
        storage.proxy.faults = Faults(silent_share=1.0, silent_seconds=60, keys="*/large")
        while_alive, alone = set[str](), set[str]()
        with Fetcher(sources, tmp_path, manner=Manner(waiting_after_seconds=1.5)) as fetcher:
            steps = fetcher.steps([wanted])
            until = time.monotonic() + 4
            while time.monotonic() < until:
                sources.read(small)
                while_alive.add(next(steps).waiting)
            for step in steps:
                alone.add(step.waiting)
                if step.waiting:
                    storage.proxy.faults = Faults()

        assert while_alive == {""}
        assert alone == {"", "storage"}
        assert whole(tmp_path)

    def test_of_a_question_is_told_only_once_it_lasts(self) -> None:
        waits, said = Step(done=0, waiting="storage"), list[str]()
        tell = only_long(lambda step: said.append(step.waiting), 0.2)

        tell(waits)
        tell(Step(done=0))
        tell(waits)
        time.sleep(0.25)
        tell(waits)
        tell(Step(done=0, waiting="disk"))

        assert said == ["", "", "", "storage", "disk"]

    @pytest.mark.parametrize(("silence", "told"), [(2, 2), (15, 15), (600, 15)])
    def test_is_told_in_fifteen_seconds_however_long_an_answer_may_be_silent(
        self, silence: int, told: float, settings: Settings
    ) -> None:
        settings.STORAGE_SILENCE_SECONDS = silence

        assert told_after_seconds() == told


class TestWhatADeathLeavesHalf:
    def left_half(self, storage: Storage, sources: Sources, stage: Path) -> None:
        """Fetch in pieces of blocks, and end in the middle."""
        wanted = item(storage.put(), CONTENT)
        storage.proxy.faults = Faults(
            reset_after_bytes=MIB // 3, reset_share=1.0, bytes_per_second=6 * MIB
        )
        with Fetcher(sources, stage) as fetcher:
            for step in fetcher.steps([wanted]):
                if step.done > 8 * MIB:
                    break
        storage.proxy.faults = Faults()

    def begun(self, stage: Path) -> dict[int, int]:
        with Journal(stage / "journal.jsonl") as journal:
            return dict(journal.held["large"].begun)

    def resumed(self, storage: Storage, sources: Sources, stage: Path) -> dict[str, int]:
        with Fetcher(sources, stage) as fetcher:
            for _step in fetcher.steps([item(storage.ref("large"), CONTENT)]):
                pass
            return fetcher.counters()

    def test_is_gone_on_from_though_it_came_in_several_requests(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        self.left_half(storage, sources, tmp_path)
        begun = self.begun(tmp_path)

        counters = self.resumed(storage, sources, tmp_path)

        assert begun
        assert not counters.keys() & {"damaged", "refetched"}
        assert whole(tmp_path)

    def test_is_not_said_to_be_damaged_by_the_storage(
        self, storage: Storage, sources: Sources, tmp_path: Path
    ) -> None:
        self.left_half(storage, sources, tmp_path)
        begun = self.begun(tmp_path)
        with (tmp_path / "large").open("r+b") as file:
            for block, length in begun.items():
                file.seek(block * MIB)
                file.write(bytes(length))

        counters = self.resumed(storage, sources, tmp_path)

        # Blocks that lie side by side may be found torn, and fetched again, as one.
        assert 0 < counters["refetched"] <= len(begun)
        assert not counters.keys() & {"damaged", "damaged_primary"}
        assert whole(tmp_path)


@pytest.mark.django_db(transaction=True)
class TestTheCounter:
    @pytest.fixture
    def rooms(
        self, protected: Protected, fault_proxy: FaultProxy, tmp_path: Path, settings: Settings
    ) -> Iterator[Rooms]:
        settings.STORAGE_SILENCE_SECONDS = 2
        with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
            yield found

    @pytest.mark.parametrize("strategy", RestoreStrategy.values)
    def test_follows_the_bytes_up_to_one_total(
        self,
        strategy: str,
        rooms: Rooms,
        fault_proxy: FaultProxy,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        told = list[Step]()
        true = Telling.step

        def step(telling: Telling, step: Step) -> None:
            if telling._phase == RestorePhase.FETCH:
                told.append(step)
            true(telling, step)

        monkeypatch.setattr(Telling, "step", step)
        job = rooms.request(strategy=RestoreStrategy(strategy))
        fault_proxy.faults = Faults(bytes_per_second=4 * MIB)

        runner.run_restore(restore_id=job.pk, now=timezone.now)

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        figures = [each.done for each in told]
        assert figures == sorted(figures)
        assert {each.total for each in told} == {figures[-1]}
        assert max(after - before for before, after in pairwise(figures)) < (figures[-1] / 2)
        assert {each.waiting for each in told} == {""}
