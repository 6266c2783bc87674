"""The barman-cloud engine: its programs for catalogue and backups, its layout for the rest.

Reading back goes through our own fetch, because ``barman-cloud-restore`` asks for each archive in
one long request that cannot go on where it broke.
"""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from backups.engines import programs
from backups.engines.barman_cloud.catalogue import parse_backup, parse_backup_list
from backups.engines.barman_cloud.unpacking import unpack_archives
from backups.engines.base import BackupRecord, Source, Step, WalFile, WalInventory
from backups.engines.wal import HISTORY_NAME, SEGMENT_NAME
from backups.engines.wal_stage import unpacked
from backups.errors import ObjectMissing, ToolFailed, ToolSilent
from backups.storage.s3 import Bucket, Credentials, ObjectRef, PassingTrouble

WAL_OBJECT = re.compile(
    r"^(?P<name>[0-9A-F]{24}|[0-9A-F]{8}\.history)(?:\.(?P<packing>gz|bz2|xz))?$"
)
# Exit code 2 is the network; a reset or a 503 comes out as 4, "general", or as 1.
NETWORK_EXIT = re.compile(r" ended with (1|2|4):")


class BarmanCloud:
    """One server's archive, under ``PREFIX/SERVER`` of a bucket."""

    def __init__(
        self,
        *,
        bin_dir: Path,
        bucket: Bucket,
        credentials: Credentials,
        server: str,
        silence_seconds: float = 300,
    ) -> None:
        self._bin_dir = bin_dir
        self._bucket = bucket
        self._place = bucket.place
        self._credentials = credentials
        self._server = server
        self._silence_seconds = silence_seconds

    def version(self) -> str:
        return programs.run(
            [str(self._bin_dir / "barman-cloud-backup"), "--version"], env={}
        ).strip()

    def catalogue(self) -> Sequence[BackupRecord]:
        return parse_backup_list(self._ask("barman-cloud-backup-list", "--format", "json"))

    def backup(self, backup_id: str) -> BackupRecord:
        """Describe one backup."""
        return parse_backup(
            self._ask("barman-cloud-backup-show", "--format", "json", last=backup_id)
        )

    def wal_inventory(self) -> WalInventory:
        segments: dict[str, WalFile] = {}
        histories: dict[str, WalFile] = {}
        for ref in self._bucket.list(self._place.key(self._server, "wals") + "/"):
            found = WAL_OBJECT.match(ref.name)
            if found is None:
                continue
            file = WalFile(name=found["name"], ref=ref, packing=found["packing"] or "")
            if SEGMENT_NAME.match(file.name):
                segments[file.name] = file
            elif HISTORY_NAME.match(file.name):
                histories[file.name] = file
        return WalInventory(segments=segments, histories=histories)

    def read_history(self, file: WalFile) -> str:
        return unpacked(self._bucket.read(file.ref.key), file.packing).decode()

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        prefix = self._place.key(self._server, "base", backup_id) + "/"
        found = [ref for ref in self._bucket.list(prefix) if ".tar" in ref.name]
        if not found:
            raise ObjectMissing(f"no archive under {prefix}")
        return found

    def take_backup(self, source: Source, *, label: str) -> Iterator[Step]:
        # Barman prints nothing while all is well; what moves is the server's own progress view, and
        # the time limit is on the whole silence of the tool only when that view is gone as well.
        command = self._command(
            "barman-cloud-backup",
            "--host",
            source.host,
            "--port",
            str(source.port),
            "--user",
            source.user,
            "--jobs",
            "2",
            "--immediate-checkpoint",
            "--min-chunk-size",
            "16MB",
            "--name",
            label,
        )
        started = time.monotonic()
        for _output in programs.follow(command, env={**self._env(), "PGPASSWORD": source.password}):
            yield Step(done=int(time.monotonic() - started))

    def check_archive(self) -> None:
        """Make sure that the place may hold this server's log.

        :raises ToolFailed: if it holds another's, or cannot be reached
        """
        self._ask("barman-cloud-check-wal-archive")

    def archive_command(self) -> str:
        """Return the ``archive_command``; the keys belong in the server's environment."""
        command = self._command("barman-cloud-wal-archive", "--gzip")
        return " ".join([*(_quoted(word) for word in command), "%p"])

    def archive_environment(self) -> dict[str, str]:
        """Return what the archive command needs to find in the server's environment."""
        return self._env()

    def unpack(self, backup: BackupRecord, staged: Path, directory: Path) -> Iterator[Step]:
        yield from unpack_archives(backup, staged, directory)

    def _ask(self, program: str, *options: str, last: str = "") -> str:
        command = [*self._command(program, *options), *([last] if last else [])]
        # Asked first, because our own request names a wrong key, a missing bucket or an outage
        # within seconds; barman tries for minutes, and its exit codes do not tell these apart.
        next(iter(self._bucket.list(self._place.key(self._server) + "/")), None)
        try:
            return programs.run(command, env=self._env(), silence_seconds=self._silence_seconds)
        except ToolSilent as silent:
            raise PassingTrouble("silent", str(silent)) from silent
        except ToolFailed as failed:
            if NETWORK_EXIT.search(str(failed)):
                raise PassingTrouble("error", str(failed)) from failed
            raise

    def _command(self, program: str, *options: str) -> list[str]:
        place = self._place
        return [
            str(self._bin_dir / program),
            *(["--endpoint-url", place.endpoint] if place.endpoint else []),
            "--addressing-style",
            "path" if place.path_style else "virtual",
            "--read-timeout",
            "30",
            *options,
            place.url,
            self._server,
        ]

    def _env(self) -> dict[str, str]:
        given = {
            "AWS_ACCESS_KEY_ID": self._credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self._credentials.secret_key,
            "AWS_DEFAULT_REGION": self._place.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if self._credentials.session_token:
            given["AWS_SESSION_TOKEN"] = self._credentials.session_token
        return given


def _quoted(word: str) -> str:
    # PostgreSQL hands archive_command to a shell, after replacing %p; a literal % is doubled.
    return "'" + word.replace("'", "'\\''").replace("%", "%%") + "'"
