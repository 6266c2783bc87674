"""Asking the storage for something small until it answers, and saying so while it does not."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from backups.errors import StorageUnavailable
from backups.steps import Step
from backups.storage.s3 import PassingTrouble

T = TypeVar("T")


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
