"""The barman-cloud engine: its programs for catalogue and backups, its layout for the rest.

It takes full backups only: barman's incremental ones need a barman server, which has hooks to send
them to object storage, and ``barman-cloud-backup`` takes no other.

Reading back goes through our own fetch, because ``barman-cloud-restore`` asks for each archive in
one long request that cannot go on where it broke.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import ClassVar, Self

from backups.engines import programs
from backups.engines.arriving import STAGED, Arrival
from backups.engines.asking import require_storage
from backups.engines.barman_cloud.catalogue import (
    parse_backup,
    parse_backup_info,
    parse_backup_list,
)
from backups.engines.barman_cloud.unpacking import unpack_archives
from backups.engines.base import (
    BackupRecord,
    Capabilities,
    Kind,
    Opening,
    Source,
    Step,
    WalFile,
    WalInventory,
)
from backups.engines.filling import empty_inside
from backups.engines.packings import PACKINGS, unpacked
from backups.engines.postgres import Postgres
from backups.engines.wal import HISTORY_NAME, SEGMENT_NAME
from backups.errors import EngineFailed, ObjectMissing, ToolFailed, ToolMissing, ToolSilent
from backups.storage.s3 import Bucket, Credentials, ObjectRef, PassingTrouble

WAL_OBJECT = re.compile(
    rf"^(?P<name>[0-9A-F]{{24}}|[0-9A-F]{{8}}\.history)(?:\.(?P<packing>{'|'.join(PACKINGS)}))?$"
)
# Exit code 2 is the network; a reset or a 503 comes out as 4, "general", or as 1.
NETWORK_EXIT = re.compile(r" ended with (1|2|4):")


class BarmanCloud:
    """One server's archive, under ``PREFIX/SERVER`` of a bucket."""

    name: ClassVar[str] = "BARMAN_CLOUD"
    capabilities: ClassVar[Capabilities] = Capabilities(
        kinds=frozenset({Kind.FULL}), keeps_log=True
    )

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

    @classmethod
    def open(cls, opening: Opening) -> Self:
        return cls(
            bin_dir=Path(opening.programs["BARMAN_BIN_DIR"]),
            bucket=opening.bucket,
            credentials=opening.bucket.credentials(),
            server=opening.server,
        )

    def version(self) -> str:
        return programs.run(
            [str(self._bin_dir / "barman-cloud-backup"), "--version"], env={}
        ).strip()

    def catalogue(self) -> Sequence[BackupRecord]:
        try:
            return parse_backup_list(self._ask("barman-cloud-backup-list", "--format", "json"))
        except ToolMissing:
            # A machine that only restores needs no barman: what it reads can be read without it.
            return self._catalogue_by_itself()

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

    def wal_from(self, name: str) -> Iterator[WalFile]:
        folder = self._place.key(self._server, "wals") + "/"
        # What is asked for lies behind this key: its own name would leave one out that is unpacked.
        after = f"{folder}{name[:16]}/{name[:-1]}"
        for ref in chain(
            self._bucket.list(f"{folder}{name[:8]}.history"), self._listed_after(folder, after)
        ):
            found = WAL_OBJECT.match(ref.name)
            if found is not None:
                yield WalFile(name=found["name"], ref=ref, packing=found["packing"] or "")

    def _listed_after(self, folder: str, after: str) -> Iterator[ObjectRef]:
        page = self._bucket.list_page(folder, after=after)
        yield from page.objects
        while page.next_token:
            page = self._bucket.list_page(folder, token=page.next_token)
            yield from page.objects

    def read_history(self, file: WalFile) -> str:
        return unpacked(self._bucket.read(file.ref.key), file.packing).decode()

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        prefix = self._place.key(self._server, "base", backup_id) + "/"
        found = [ref for ref in self._bucket.list(prefix) if ".tar" in ref.name]
        if not found:
            raise ObjectMissing(f"no archive under {prefix}")
        return found

    def place_in_stage(self, ref: ObjectRef) -> str:
        return ref.name

    def take_backup(self, source: Source, *, label: str, kind: Kind = Kind.FULL) -> Iterator[Step]:
        require_storage(self._bucket, self._server)
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

    def prepare_archive(self, source: Source) -> None:
        self._ask("barman-cloud-check-wal-archive")

    def archive_command(self) -> str:
        command = self._command("barman-cloud-wal-archive", "--gzip")
        return " ".join([*(_quoted(word) for word in command), "%p"])

    def archive_environment(self) -> Mapping[str, str]:
        return self._env()

    def unpack(self, backup: BackupRecord, staged: Path, postgres: Postgres) -> Iterator[Step]:
        yield from unpack_archives(backup, staged, postgres.data_dir, STAGED)

    def unpack_arriving(
        self, backup: BackupRecord, staged: Path, postgres: Postgres, arrival: Arrival
    ) -> Iterator[Step]:
        yield from unpack_archives(backup, staged, postgres.data_dir, arrival)

    def read_back(self, backup: BackupRecord, postgres: Postgres) -> Iterator[Step]:
        if backup.tablespaces:
            # Barman moves them by their names, which its catalogue's list does not tell; unmoved,
            # they would go to where they were, which may be in use.
            raise EngineFailed(
                "the backup has tablespaces",
                advice="A backup with tablespaces cannot be read back by barman's own program. "
                "Change the plan to the strategy stage or stream.",
            )
        with empty_inside(postgres.data_dir) as inside:
            command = self._command("barman-cloud-restore", last=[backup.backup_id, str(inside)])
            for _output in programs.follow(command, env=self._env()):
                yield Step(done=0)

    def _catalogue_by_itself(self) -> Sequence[BackupRecord]:
        records: list[BackupRecord] = []
        token = ""
        while True:
            folder = self._place.key(self._server, "base") + "/"
            page = self._bucket.list_page(folder, delimiter="/", token=token)
            for prefix in page.prefixes:
                backup_id = prefix.rstrip("/").rpartition("/")[2]
                try:
                    text = self._bucket.read(f"{prefix}backup.info").decode()
                except ObjectMissing:
                    # Being taken at the moment, or broken off before it was named.
                    continue
                records.append(parse_backup_info(text, backup_id))
            token = page.next_token
            if not token:
                return sorted(records, key=lambda record: record.backup_id)

    def _ask(self, program: str, *options: str, last: str = "") -> str:
        command = self._command(program, *options, last=[last] if last else [])
        # Not require_storage: whoever reads a catalogue tries again by himself.
        next(iter(self._bucket.list(self._place.key(self._server) + "/")), None)
        try:
            return programs.run(command, env=self._env(), silence_seconds=self._silence_seconds)
        except ToolSilent as silent:
            raise PassingTrouble("silent", str(silent)) from silent
        except ToolFailed as failed:
            if NETWORK_EXIT.search(str(failed)):
                raise PassingTrouble("error", str(failed)) from failed
            raise

    def _command(self, program: str, *options: str, last: Sequence[str] = ()) -> list[str]:
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
            *last,
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
