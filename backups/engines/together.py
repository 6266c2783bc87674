"""Several works at once, told as one."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from backups.steps import Step

# What it weighs, and what begins it.
Work = tuple[int, Callable[[], Iterator[Step]]]


def together(works: Sequence[Work], *, at_once: int) -> Iterator[Step]:
    """Do works in their order, ``at_once`` of them at a time; steps are in their weights.

    Closing the iterator closes those that are under way. So does the first failure, which is
    raised.
    """
    total = sum(weight for weight, _begin in works)
    done = [0] * len(works)
    stop = threading.Event()

    def work(place: int) -> None:
        weight, begin = works[place]
        steps = begin()
        try:
            for step in steps:
                done[place] = int(weight * step.done / step.total) if step.total else done[place]
                if stop.is_set():
                    return
            done[place] = weight
        finally:
            if isinstance(steps, Generator):
                steps.close()

    with ThreadPoolExecutor(at_once, thread_name_prefix="together") as pool:
        waiting: set[Future[None]] = {pool.submit(work, place) for place in range(len(works))}
        try:
            while waiting:
                ready, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in ready:
                    future.result()
                yield Step(done=sum(done), total=total)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
