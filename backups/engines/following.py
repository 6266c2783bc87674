"""A cluster that replays whatever its stage offers, and never ends its recovery by itself.

Its server listens on a socket in a private folder, under rules of ours, and archives nothing:
nobody meets it, and it writes to no archive. It outlives whoever started it.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from backups.engines import private
from backups.engines.postgres import Postgres
from backups.engines.recovering import Position, connected, control_of, limits_of, position_of
from backups.engines.wal import Segment, parse_lsn
from backups.engines.wal_stage import WalStage
from backups.errors import EngineFailed

# How often PostgreSQL asks the stage again for the next file of the log.
ASKED_EVERY = "2s"
HELD_WITHIN_SECONDS = 10.0
# Its log is begun anew when it is larger.
LOG_BYTES = 16 * 1024 * 1024
_TARGETS = ("", "_name", "_xid", "_time", "_lsn")


class FollowerStopped(EngineFailed):
    """The server of a standby does not start; its last words are in the detail."""

    code = "standby-stopped"
    advice = "Its PostgreSQL does not start (its log in the target's work directory says why)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """From where a cluster would replay if it were started again, and up to where it must."""

    first: Segment
    redo_lsn: int
    minimum_lsn: int


def footing_of(postgres: Postgres, *, segment_bytes: int) -> Footing | None:
    """Return where a cluster stands by what is on its disk; None before it was ever started."""
    if (postgres.data_dir / "backup_label").exists():
        return None
    said = control_of(postgres)
    return Footing(
        first=Segment.parse(said["Latest checkpoint's REDO WAL file"], size=segment_bytes),
        redo_lsn=parse_lsn(said["Latest checkpoint's REDO location"]),
        minimum_lsn=parse_lsn(said["Minimum recovery ending location"]),
    )


class Follower:
    """The server of one standby, and what it needs."""

    def __init__(
        self, *, postgres: Postgres, stage: WalStage, superuser: str, log: Path, segment_bytes: int
    ) -> None:
        self._postgres = postgres
        self._stage = stage
        self._superuser = superuser
        self._log = log
        self._segment_bytes = segment_bytes

    def footing(self) -> Footing | None:
        """Return where it stands by what is on its disk; None before it was ever started."""
        return footing_of(self._postgres, segment_bytes=self._segment_bytes)

    def is_running(self) -> bool:
        return self._postgres.is_running()

    def ensure_runs(self, *, timeline: int) -> None:
        """Have it run along a timeline. Started anew if its socket is gone, or it stands still.

        PostgreSQL pauses by itself where the source has been given higher limits than it has.

        :raises PortTaken: if another program has its port
        :raises FollowerStopped: if it does not start
        """
        if self._postgres.is_running() and self._is_fit(timeline):
            return
        self.stop()
        data = self._postgres.data_dir
        (data / "recovery.signal").unlink(missing_ok=True)
        (data / "standby.signal").touch(mode=0o600)
        for path in (data / "standby.signal", self._stage.folder, self._stage.folder / "wanted"):
            private.give(path)
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.unlink()
        private.start_privately(
            self._postgres,
            log=self._log,
            settings=self._settings(timeline),
            wait_ready=False,
            failure=FollowerStopped,
        )

    def position(self) -> Position | None:
        """Say where it is; None while it does not take questions."""
        return position_of(self._postgres, self._superuser)

    def hold(self) -> Position | None:
        """Let it replay nothing more, and say where it is."""
        deadline = time.monotonic() + HELD_WITHIN_SECONDS
        while True:
            try:
                with connected(self._postgres, self._superuser) as connection:
                    connection.execute("select pg_wal_replay_pause()")
                return self.position()
            except (psycopg.OperationalError, FileNotFoundError):
                if time.monotonic() > deadline or not self._postgres.is_running():
                    return None
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server, if it runs; what it replayed is written down."""
        self._postgres.stop()

    def _is_fit(self, timeline: int) -> bool:
        folder = self._postgres.private_folder()
        if folder is None or not folder.is_dir():
            return False
        try:
            with connected(self._postgres, self._superuser) as connection:
                row = connection.execute(
                    "select current_setting('recovery_target_timeline'), pg_is_in_recovery()"
                ).fetchone()
        except psycopg.OperationalError:
            # It still reads what its backup needs to be whole, and takes no questions.
            return True
        position = self.position()
        stands = position is not None and position.is_paused
        return row is not None and (row[1] is not True or (row[0] == str(timeline) and not stands))

    def _settings(self, timeline: int) -> dict[str, str]:
        return {
            **limits_of(self._postgres),
            **{f"recovery_target{kind}": "" for kind in _TARGETS},
            "restore_command": self._stage.restore_command(),
            "recovery_target_timeline": str(timeline),
            "hot_standby": "on",
            "primary_conninfo": "",
            "primary_slot_name": "",
            "recovery_min_apply_delay": "0",
            "archive_cleanup_command": "",
            "recovery_end_command": "",
            "wal_retrieve_retry_interval": ASKED_EVERY,
            # What the stage handed over is the stage's own file: not to be written over.
            "wal_recycle": "off",
            "wal_keep_size": "0",
            # How much is replayed once more after a start depends on it.
            "checkpoint_timeout": "5min",
        }
