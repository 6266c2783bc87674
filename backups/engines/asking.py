"""Asking the storage ourselves: before a tool does, and again where a tool would give up."""

import time
from collections.abc import Callable, Generator
from typing import TypeVar, cast

from backups.errors import StorageUnavailable
from backups.steps import Step
from backups.storage.s3 import Bucket, PassingTrouble

OUTAGE_SECONDS = 1800

Answer = TypeVar("Answer")


def require_storage(bucket: Bucket, *place: str) -> None:
    """Look whether the storage lets us in: our own request says within seconds what is wrong.

    Tools try for minutes, and their exit codes do not tell a wrong key from an outage.

    :raises StorageUnavailable: if it does not answer just now
    :raises EngineFailed: if it refuses the keys, or has no such bucket
    """
    try:
        next(iter(bucket.list(bucket.place.key(*place) + "/")), None)
    except PassingTrouble as trouble:
        raise StorageUnavailable(str(trouble)) from trouble


def insisted(act: Callable[[], Answer]) -> Answer:
    """Do the same where nobody listens to steps: in a thread of its own."""
    steps = insisting(act)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("Answer", end.value)


def insisting(act: Callable[[], Answer]) -> Generator[Step, None, Answer]:
    """Do what the storage has to answer, again while it does not; return its answer.

    :raises StorageUnavailable: if it does not answer for half an hour
    """
    deadline = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return act()
        except PassingTrouble as trouble:
            if time.monotonic() > deadline:
                raise StorageUnavailable(str(trouble)) from trouble
            yield Step(done=0, waiting="storage")
            time.sleep(1)
