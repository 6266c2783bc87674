"""Asking the storage for something small until it answers, and saying so while it does not."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from django.conf import settings

from backups.errors import StorageUnavailable
from backups.steps import Step
from backups.storage.s3 import PassingTrouble

T = TypeVar("T")
# Whoever waits for a restore is told no later than this that nothing comes.
TOLD_AFTER_SECONDS = 15.0


def told_after_seconds() -> float:
    """Return after how long without a byte it is told that a restore waits for the storage.

    One answer may be silent for as long as STORAGE_SILENCE_SECONDS, and nobody is told of that;
    where the operator allows it very long, people are told earlier.
    """
    return min(settings.STORAGE_SILENCE_SECONDS, TOLD_AFTER_SECONDS)


def patiently(ask: Callable[[], T], tell: Callable[[Step], None]) -> T:
    """Return what ``ask`` returns, as soon as the storage answers.

    :raises StorageUnavailable: if it does not for the whole of STORAGE_OUTAGE_SECONDS
    """
    deadline = time.monotonic() + settings.STORAGE_OUTAGE_SECONDS
    pause = 0.2
    while True:
        try:
            answer = ask()
        except PassingTrouble as trouble:
            if time.monotonic() > deadline:
                raise StorageUnavailable(str(trouble)) from trouble
            tell(Step(done=0, waiting="storage" if pause > 1 else ""))
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, no secret
            pause = min(pause * 2, 5.0)
        else:
            tell(Step(done=0))
            return answer


def only_long(tell: Callable[[Step], None], seconds: float) -> Callable[[Step], None]:
    """Return what tells a wait for the storage only once it has lasted for so long.

    Whoever asks for an answer at once wants to know of a wait early; customers do not.
    """
    since: float | None = None

    def told(step: Step) -> None:
        nonlocal since
        if step.waiting != "storage":
            since = None
            tell(step)
            return
        since = time.monotonic() if since is None else since
        tell(step if time.monotonic() - since >= seconds else replace(step, waiting=""))

    return told
