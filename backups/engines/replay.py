"""PostgreSQL's own recovery: started detached, followed, checked, and only then opened.

Until it is verified the server listens on a socket in a private folder and nowhere else, under
access rules of ours, so that nobody meets a half-recovered cluster and no password is needed to
look at it. All recovery settings are given on its command line: the restored configuration stays as
it was.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from backups.engines import private
from backups.engines.dumps.server import Server
from backups.engines.planning import Destination
from backups.engines.postgres import Postgres
from backups.engines.recovering import (
    Position,
    connected,
    control_of,
    limits_of,
    position_of,
)
from backups.engines.wal import SEGMENT_NAME, Segment, format_lsn, parse_lsn
from backups.engines.wal_stage import WalStage
from backups.errors import ReplayStopped, VerificationFailed
from backups.steps import Step

POLL_SECONDS = 0.1
QUIET_SECONDS = 30.0


class Replay:
    """One recovery to one destination.

    ``bring`` is called with the names of log files that PostgreSQL waits for and the stage lacks;
    it yields steps while it waits for the storage.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        stage: WalStage,
        destination: Destination,
        superuser: str,
        log: Path,
        bring: Callable[[Sequence[str]], Iterator[Step]],
    ) -> None:
        self._postgres = postgres
        self._stage = stage
        self._destination = destination
        self._superuser = superuser
        self._log = log
        self._bring = bring

    def configure(self) -> None:
        """Make the directory one that PostgreSQL recovers, with the files that it came without."""
        data = self._postgres.data_dir
        for name in ("postgresql.conf", "pg_ident.conf"):
            (data / name).touch(mode=0o600)
        rules = data / "pg_hba.conf"
        if not rules.exists():
            rules.write_text(
                "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
            )
        for name in ("standby.signal", "recovery.done", "postmaster.pid"):
            (data / name).unlink(missing_ok=True)
        (data / "recovery.signal").touch(mode=0o600)

    def has_gone_astray(self, former: Destination) -> bool:
        """Say whether a directory that followed another destination cannot reach this one.

        So it is where another timeline was followed, where PostgreSQL has written down that it
        replayed beyond this destination, or where it was promoted. An empty directory has not.
        """
        if not (self._postgres.data_dir / "global" / "pg_control").exists():
            return False
        if not self.is_recovering():
            return True
        reached = parse_lsn(control_of(self._postgres)["Minimum recovery ending location"])
        ours = self._destination
        return former.timeline != ours.timeline or reached > ours.must_replay_lsn

    def is_open(self) -> bool:
        """Say whether the cluster runs as its own configuration has it, no longer privately."""
        return self._postgres.is_running() and self._postgres.private_folder() is None

    def is_recovering(self) -> bool:
        """Say whether it is still to be recovered: PostgreSQL drops the sign when it promotes."""
        return (self._postgres.data_dir / "recovery.signal").exists()

    def steps(self, *, is_verified: bool = False) -> Iterator[Step]:
        """Start the recovery, or join one that runs, and follow it until it pauses at the target.

        Closing the iterator leaves PostgreSQL at work. If it ``is_verified`` already, its promotion
        may be under way, and is an end as well.

        :raises PortTaken: if another program has the port
        :raises ReplayStopped: if PostgreSQL ends before the target; nothing was promoted
        """
        if not self._postgres.is_running():
            self._start()
        moved_at, last = time.monotonic(), -1
        replayed_at: datetime | None = None
        while True:
            position = self._ask()
            replayed_at = (position and position.replayed_at) or replayed_at
            done = self._done(position)
            if done != last:
                moved_at, last = time.monotonic(), done
            promoted = position is not None and not position.in_recovery
            if promoted and not is_verified:
                raise VerificationFailed("the cluster left recovery before it was verified")
            if promoted or (position is not None and position.is_paused):
                yield Step(done=self._total(), total=self._total())
                return
            quiet = time.monotonic() - moved_at > QUIET_SECONDS
            yield Step(done=done, total=self._total(), waiting="replay" if quiet else "")
            missing = self._stage.wanted()
            if missing:
                for step in self._bring(missing):
                    yield Step(done=done, total=self._total(), waiting=step.waiting)
            if not self._postgres.is_running():
                raise ReplayStopped(self.last_words(), advice=_advice(replayed_at))
            time.sleep(POLL_SECONDS)

    def require_target_reached(self) -> Position:
        """Assert that everything up to the target has been replayed, and that recovery waits there.

        :raises VerificationFailed: if not
        """
        position = self._ask()
        if position is None:
            raise VerificationFailed("the recovering cluster does not answer")
        must = self._destination.must_replay_lsn
        if position.replayed_lsn <= must:
            raise VerificationFailed(
                f"replayed up to {format_lsn(position.replayed_lsn)} instead of {format_lsn(must)}"
            )
        if position.in_recovery and not position.is_paused:
            raise VerificationFailed("recovery is not waiting at its target")
        return position

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """Open a connection through the private socket; nothing on it waits for long.

        A table that was about to be dropped is locked while recovery is paused, hence the limit on
        locks.
        """
        return connected(self._postgres, self._superuser, database)

    def private_server(self) -> Server:
        """Return how programs enter it while it is private.

        :raises FileNotFoundError: if it is not running, or not private
        """
        return Server(
            host=self._socket_folder(),
            port=self._postgres.port,
            user=self._superuser,
            bin_dir=self._postgres.bin_dir,
        )

    def promote(self, *, timeout_seconds: int = 600) -> int:
        """End recovery, and return the new timeline. Promoted already, nothing happens.

        :raises VerificationFailed: if it does not open
        """
        with self.connect() as connection:
            connection.execute(f"set statement_timeout = {timeout_seconds * 1000 + 5000}")
            still = connection.execute("select pg_is_in_recovery()").fetchone()
            if still == (True,):
                # At its target, going on means to promote; pg_promote would wait up to a second.
                with contextlib.suppress(psycopg.errors.ObjectNotInPrerequisiteState):
                    connection.execute("select pg_wal_replay_resume()")
            row = self._new_timeline(connection, time.monotonic() + timeout_seconds)
        if row is None or not isinstance(row[0], str):
            raise VerificationFailed(f"not promoted within {timeout_seconds} s")
        return int(row[0], 16)

    def _new_timeline(
        self, connection: "psycopg.Connection[tuple[object, ...]]", deadline: float
    ) -> tuple[object, ...] | None:
        while time.monotonic() < deadline:
            if connection.execute("select pg_is_in_recovery()").fetchone() == (False,):
                return connection.execute(
                    "select left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
                ).fetchone()
            time.sleep(0.05)
        return None

    def stop(self) -> None:
        """Stop a recovery that is no longer wanted."""
        self._postgres.stop(mode="immediate")

    def open(self) -> None:
        """Start it again as its own configuration has it, on its port, archiving nothing.

        What was archived before belongs to the lost cluster's log; the operator switches archiving
        on again when this cluster takes over.
        """
        self._postgres.stop()
        settings = self._postgres.data_dir / "postgresql.auto.conf"
        before = settings.read_text(encoding="utf-8") if settings.exists() else ""
        if not before.rstrip().endswith("archive_mode = 'off'"):
            settings.write_text(before + "archive_mode = 'off'\n", encoding="utf-8")
        private.start(
            self._postgres,
            log=self._log,
            settings={**limits_of(self._postgres), "logging_collector": "off"},
            wait_ready=True,
            failure=ReplayStopped,
        )

    def last_words(self) -> str:
        """Return the end of PostgreSQL's log."""
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
        except FileNotFoundError:
            return ""

    def _start(self) -> None:
        for path in (self._stage.folder, self._stage.folder / "wanted"):
            private.give(path)
        private.start_privately(
            self._postgres,
            log=self._log,
            settings={
                **limits_of(self._postgres),
                "restore_command": self._stage.restore_command(),
                **_stopping_at(self._destination),
                "recovery_target_inclusive": "on",
                "recovery_target_timeline": str(self._destination.timeline),
                "recovery_target_action": "pause",
                "hot_standby": "on",
                # What the stage handed over may be the stage's own file: not to be written over.
                "wal_recycle": "off",
                "log_startup_progress_interval": "1s",
            },
            wait_ready=False,
            failure=ReplayStopped,
        )

    def _ask(self) -> Position | None:
        """Ask the server where it is; None while it does not take questions yet."""
        return position_of(self._postgres, self._superuser)

    def _done(self, position: Position | None) -> int:
        """Return the bytes replayed; before the server answers, by the files it was given."""
        begin = self._destination.backup.begin_lsn
        reached = position.replayed_lsn if position else 0
        if not reached:
            size = self._destination.backup.segment_bytes
            segments = [name for name in self._stage.served() if SEGMENT_NAME.match(name)]
            reached = Segment.parse(segments[-1], size=size).start if segments else begin
        return min(max(reached - begin, 0), self._total())

    def _total(self) -> int:
        return max(self._destination.must_replay_lsn - self._destination.backup.begin_lsn, 1)

    def _socket_folder(self) -> str:
        folder = self._postgres.private_folder()
        if folder is None:
            raise FileNotFoundError("the server has no private socket")
        return str(folder)


def _stopping_at(destination: Destination) -> dict[str, str]:
    """Name the target by one setting, last: an empty one after it would count as a second."""
    if destination.ends_with_backup:
        name, value = "recovery_target", "immediate"
    elif destination.stop_at is not None:
        name, value = "recovery_target_time", destination.stop_at.isoformat(sep=" ")
    else:
        name, value = "recovery_target_lsn", format_lsn(destination.must_replay_lsn)
    kinds = ("", "_name", "_xid", "_time", "_lsn")
    others = {f"recovery_target{kind}": "" for kind in kinds if f"recovery_target{kind}" != name}
    return {**others, name: value}


def _advice(replayed_at: datetime | None) -> str:
    if replayed_at is None:
        return ReplayStopped.advice
    return (
        f"{ReplayStopped.advice} If it cannot be mended, ask for a moment up to "
        f"{replayed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC: so far it had come."
    )
