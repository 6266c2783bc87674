"""Looking after standbys: a short round a minute for each, by the worker beside its target.

Its PostgreSQL outlives the round. A round fetches what was archived since the last one, hands it
over, sees how far the replay is, and starts the server again if it died. What it finds is on its
row.
"""

import logging
import socket
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from backups.engines.directory import TargetDirectory
from backups.engines.postgres import PostgresFailed
from backups.errors import EngineFailed, StorageUnavailable
from backups.models import JobState, RestoreJob, Standby, StandbyState
from backups.options.words import duration
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.standbys.following import Following, Seen
from backups.runner.standbys.placing import (
    BeginAgain,
    begin_again,
    clear_standby,
    is_under_way,
    newest_backup,
)
from backups.runner.targets import probe_target

logger = logging.getLogger(__name__)

# A round has the worker for no longer than this; the next one goes on.
SLICE_SECONDS = 40.0
# A base that has stopped is tried again by itself so often.
BASE_AGAIN_AFTER = timedelta(minutes=10)
_TENDED = (StandbyState.RESTORING, StandbyState.FOLLOWING)
_WORDS_LENGTH = Standby._meta.get_field("trouble").max_length
_NO_BACKUP = "There is no backup that it could begin with."
_PROMOTED = (
    "It is no standby any more: somebody has promoted it. Nothing there is touched; stop keeping "
    "it once what it holds is safe."
)


def standbys_by_queue() -> list[tuple[int, str]]:
    """Return every standby with the queue of the worker beside it."""
    return list(Standby.objects.order_by("pk").values_list("pk", "target__queue"))


def tend_standby(*, standby_id: int, now: Clock, seconds: float = SLICE_SECONDS) -> None:
    """Look after a standby on this machine. Of two that do so at once, one does."""
    state = Standby.objects.filter(pk=standby_id).values_list("state", flat=True).first()
    states = _TENDED if state in _TENDED else (state,)
    # As soon as it is in another state, whoever is at it has to stop.
    lease = Lease.claim(Standby.objects.filter(state__in=states), standby_id, now=now)
    if lease is None:
        return
    try:
        with lease:
            _Tending(standby_id, lease, now, seconds=seconds).tend()
    except LeaseLost:
        logger.info("standby %s: somebody else has it now, or wants something of it", standby_id)
    finally:
        Standby.objects.all().let_go(standby_id, worker=lease.worker)


class _Tending:
    def __init__(self, standby_id: int, lease: Lease, now: Clock, *, seconds: float) -> None:
        rows = Standby.objects.select_related("target", "database__storage", "base", "taken_by")
        self._standby = rows.select_related("base__target", "base__database").get(pk=standby_id)
        self._lease = lease
        self._now = now
        self._seconds = seconds

    def tend(self) -> None:
        match StandbyState(self._standby.state):
            case StandbyState.STOPPING:
                self._end()
            case StandbyState.TAKEN:
                self._settle()
            case _:
                self._keep()

    def _keep(self) -> None:
        standby, base = self._standby, self._standby.base
        if is_under_way(base):
            self._note("")
        elif base.state == JobState.FAILED:
            self._note(f"The restore of its base has stopped: {base.failure_advice}")
            self._try_base_again()
        else:
            try:
                self._follow()
            except BeginAgain as again:
                self._begin_again(str(again))
            except (EngineFailed, PostgresFailed, OSError) as failure:
                logger.warning("standby %s: %s", standby.pk, failure, exc_info=True)
                self._note(_words_of(failure))

    def _follow(self) -> None:
        following = Following(self._standby, self._lease, self._now, seconds=self._seconds)
        seen = following.go()
        self._lease.check()
        self._note_seen(seen, following)

    def _note_seen(self, seen: Seen, following: Following) -> None:
        standby, at, position = self._standby, self._now(), seen.position
        values: dict[str, object] = {"state": StandbyState.FOLLOWING}
        if position is not None:
            # Whoever answers has its backup whole; without a later change that is how far it is.
            until = position.replayed_at or following.record.ended_at
            values |= {
                "warm_until_at": max(until, standby.warm_until_at or until),
                "seen_at": at,
            }
        if seen.has_heard:
            values |= {
                "behind_since_at": seen.behind_since_at,
                "behind_bytes": seen.behind_bytes,
                "unfetched_bytes": seen.unfetched_bytes,
                "again_bytes": seen.again_bytes,
            }
        # Not where somebody has asked for something else meanwhile.
        if not Standby.objects.filter(pk=standby.pk, state__in=_TENDED).update(**values):
            return
        standby.refresh_from_db()
        if position is not None and not position.in_recovery:
            self._note(_PROMOTED)
        elif following.trouble is not None:
            self._note(_words_of(following.trouble))
        else:
            self._note(self._too_far_behind(at))

    def _too_far_behind(self, at: datetime) -> str:
        standby, may_lose = self._standby, self._standby.database.recovery_point_objective
        since = standby.behind_since_at
        if since is None or may_lose is None or at - since <= may_lose:
            return ""
        return (
            f"It is {duration(at - since)} behind what is archived; no more than "
            f"{duration(may_lose)} may be lost."
        )

    def _try_base_again(self) -> None:
        """Queue a base that has stopped again, now and then: what was in the way may be gone."""
        at = self._now()
        stopped = RestoreJob.objects.filter(
            pk=self._standby.base_id, state=JobState.FAILED, ended_at__lt=at - BASE_AGAIN_AFTER
        )
        stopped.update(
            state=JobState.QUEUED, queued_at=at - timedelta(minutes=1), ended_at=None,
            failure_code="", failure_advice="",
        )  # fmt: skip

    def _begin_again(self, why: str) -> None:
        self._lease.check()
        logger.warning("standby %s: begins again: %s", self._standby.pk, why)
        if newest_backup(self._standby.database) is None:
            self._note(f"{why} {_NO_BACKUP}")
        else:
            begin_again(self._standby, why, at=self._now())

    def _settle(self) -> None:
        """See what became of the restore that took it over."""
        standby, job = self._standby, self._standby.taken_by
        assert job is not None, "a constraint says so"
        if job.state == JobState.SUCCEEDED and job.target_id == standby.target_id:
            # What was kept warm is a cluster like any other now.
            standby.delete()
        elif job.is_over or job.target_id != standby.target_id:
            path = Path(standby.target.data_dir)
            if path.exists() and TargetDirectory(path=path, token=job.key).is_ours():
                # Its worker still has to take back what it did.
                return
            Standby.objects.filter(pk=standby.pk, state=StandbyState.TAKEN, taken_by=job).update(
                state=StandbyState.FOLLOWING, taken_by=None
            )

    def _end(self) -> None:
        """Take it away: its server, its directory, and at last its row."""
        standby = self._standby
        if not standby.base.is_over:
            # The worker that makes its base takes back what is there.
            with transaction.atomic():
                base = RestoreJob.objects.select_for_update().get(pk=standby.base_id)
                if not base.is_over and base.cancel_requested_at is None:
                    base.ask_to_end(at=self._now())
            return
        try:
            clear_standby(standby)
        except (PostgresFailed, OSError) as fault:
            self._note(f"It cannot be taken away: {fault}")
            return
        standby.delete()
        probe_target(target_id=standby.target_id, at=self._now())

    def _note(self, trouble: str) -> None:
        """Write down what is in the way, and since when; empty if nothing is."""
        standby = self._standby
        if trouble and standby.trouble_since_at is None:
            standby.trouble_since_at = self._now()
        elif not trouble:
            standby.trouble_since_at = None
        standby.trouble = trouble[:_WORDS_LENGTH]
        standby.save(update_fields=["trouble", "trouble_since_at"])


def _words_of(failure: Exception) -> str:
    if isinstance(failure, StorageUnavailable):
        return "The object storage does not answer. It goes on by itself when it does."
    if isinstance(failure, EngineFailed):
        # What is advised for a job that somebody resumes: a standby goes on by itself.
        return failure.advice.replace(", then resume the job", "")
    return f"{failure} ({socket.gethostname()})"
