"""How far a copy is, written down a few times a minute."""

import time
from collections import deque
from typing import Any

from backups.models import CopyJob, CopyPhase, JobState
from backups.runner.lease import Clock, Lease
from backups.storage.copier import Account
from backups.storage.patience import Patience

# A rate is of the last minute.
_MINUTE = 60.0
_EVERY_SECONDS = 1.0


class Progress:
    """Writes a job's phase, figures and rate, and stops the work when the lease is lost."""

    def __init__(self, job: CopyJob, lease: Lease, patience: Patience, *, now: Clock) -> None:
        self._job = job
        self._lease = lease
        self._patience = patience
        self._now = now
        self._written_at = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self._notes: dict[str, Any] = {}
        self.account = Account()

    def enter(self, phase: CopyPhase, *, objects: int | None, amount: int | None) -> None:
        """Begin a phase. One that people wait in, or that is over, keeps its name meanwhile."""
        shown = {} if self._is_ready() else {"phase": phase}
        if phase == CopyPhase.LIST:
            self._write(**shown, objects_done=0, objects_total=None, bytes_done=0, bytes_total=None)
        elif phase == CopyPhase.COPY:
            self._write(**shown, objects_done=0, objects_total=objects, bytes_total=amount)
        else:
            self._write(**shown)

    def listed(self, count: int) -> None:
        """Tell how many objects were named so far. Nothing is copied yet.

        :raises LeaseLost: if this worker has the job no more
        """
        self._lease.check()
        if self._is_time():
            done = {} if self._job.objects_total is not None else {"objects_done": count}
            self._write(**done)

    def copied(self, account: Account) -> None:
        """Tell what was copied.

        :raises LeaseLost: if this worker has the job no more
        """
        self.account = account
        self._lease.check()
        if self._is_time():
            self._write(**self._figures(account))
        else:
            self._job.objects_done, self._job.bytes_done = account.objects, account.bytes

    def note(self, name: str, value: Any) -> None:
        """Keep something that was seen, beside what was counted; the figures as they are now."""
        self._notes[name] = value
        if self._job.objects_total is not None:
            self._write(**self._figures(self.account))
        else:
            self._write()

    def _figures(self, account: Account) -> dict[str, Any]:
        now = time.monotonic()
        moved = account.bytes - account.bytes_resumed
        self._seen.append((now, moved))
        while len(self._seen) > 2 and now - self._seen[0][0] > _MINUTE:  # noqa: PLR2004 - two ends
            self._seen.popleft()
        first_at, first = self._seen[0]
        passed = now - first_at
        rate = (moved - first) / passed if passed > _EVERY_SECONDS else None
        return {"objects_done": account.objects, "bytes_done": account.bytes, "rate": rate}

    def _is_ready(self) -> bool:
        return self._job.phase in {CopyPhase.SWITCH, CopyPhase.KEEP}

    def _is_time(self) -> bool:
        return time.monotonic() - self._written_at > _EVERY_SECONDS

    def _write(self, **values: Any) -> None:
        self._written_at = time.monotonic()
        values["counters"] = {**self._patience.counters, **self._notes}
        rows = CopyJob.objects.filter(
            pk=self._job.pk, state=JobState.RUNNING, leased_by=self._lease.worker
        )
        rows.update(**values)
        for name, value in values.items():
            setattr(self._job, name, value)
