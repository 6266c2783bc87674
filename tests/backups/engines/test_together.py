"""Several works at once, told as one."""

import threading
from collections.abc import Generator, Iterator

import pytest

from backups.engines.together import together
from backups.errors import ToolFailed
from backups.steps import Step


class Works:
    """Counts how many are under way, and which were closed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.go = threading.Event()

    def work(self, name: str, *, fails: bool = False) -> Iterator[Step]:
        with self.lock:
            self.begun.append(name)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield Step(done=1, total=2)
            while not self.go.wait(0.01):
                yield Step(done=1, total=2)
            if fails:
                raise ToolFailed(name)
            yield Step(done=2, total=2)
        finally:
            with self.lock:
                self.now -= 1
                self.ended.append(name)


def test_keeps_to_the_number_and_counts_by_weight() -> None:
    works = Works()
    steps = together([(10, lambda n=n: works.work(n)) for n in "abcde"], at_once=2)  # type: ignore[misc]

    first = next(steps)
    works.go.set()
    told = [first, *steps]

    assert works.most == 2
    assert works.begun == sorted(works.begun)
    assert told[-1] == Step(done=50, total=50)
    assert [step.done for step in told] == sorted(step.done for step in told)


def test_closing_it_closes_what_is_under_way_and_begins_nothing() -> None:
    works = Works()
    steps = together([(1, lambda n=n: works.work(n)) for n in "abc"], at_once=2)  # type: ignore[misc]
    next(steps)

    assert isinstance(steps, Generator)
    steps.close()

    assert works.now == 0
    assert sorted(works.ended) == sorted(works.begun)
    assert len(works.begun) == 2


def test_the_first_failure_ends_all() -> None:
    works = Works()
    works.go.set()
    steps = together(
        [(1, lambda: works.work("a", fails=True)), (1, lambda: works.work("b"))], at_once=1
    )

    with pytest.raises(ToolFailed, match="a"):
        list(steps)

    assert works.now == 0


def test_nothing_to_do_is_done() -> None:
    assert list(together([], at_once=2)) == []
