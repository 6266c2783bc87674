"""The pgBackRest engine: its program for catalogue, backups and unpacking, its layout for the rest.

The program never reads from the storage here: what it has to look at is fetched first, by ranges
that go on where they broke, and it is pointed at the copy on the disk. So it finishes through a
storage that breaks it, and reads one that it could not even reach.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import psycopg

from backups.engines import programs
from backups.engines.asking import insisting, require_storage
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
from backups.engines.filling import empty_inside, tablespaces_beside
from backups.engines.packings import unpacked
from backups.engines.pgbackrest.info import Info, parse_info
from backups.engines.postgres import Postgres, launcher_command, step_out
from backups.errors import (
    DiskTooSmall,
    EngineFailed,
    ObjectDamaged,
    ObjectMissing,
    ToolFailed,
)
from backups.storage.s3 import Bucket, ObjectRef

# Both are needed by info and restore; the copies are what they fall back on.
INFO_FILES = ("backup.info", "backup.info.copy", "archive.info", "archive.info.copy")
# From this version on it speaks to object storage without TLS as well.
PLAIN_HTTP_SINCE = (2, 58)
_WAL = re.compile(r"^(?P<name>[0-9A-F]{24})-[0-9a-f]{40}(?:\.(?P<packing>gz|bz2|zst|lz4))?$")
_HISTORY = re.compile(r"^[0-9A-F]{8}\.history$")
_PERCENT = re.compile(rb" \([^()]*, (\d+(?:\.\d+)?)%\)")
_CHECKSUM, _FILE_MISSING = " ended with 26:", " ended with 55:"


class PgBackRest:
    """One stanza, in a repository under the prefix of a bucket."""

    name: ClassVar[str] = "PGBACKREST"
    capabilities: ClassVar[Capabilities] = Capabilities(
        kinds=frozenset({Kind.FULL, Kind.INCREMENTAL}), keeps_log=True
    )

    def __init__(
        self, *, program: str, config: str, bucket: Bucket, stanza: str, scratch: Path
    ) -> None:
        self._program = program
        self._config = config
        self._bucket = bucket
        self._stanza = stanza
        self._scratch = scratch
        self._info: Info | None = None

    @classmethod
    def open(cls, opening: Opening) -> Self:
        return cls(
            program=opening.programs["PGBACKREST_PROGRAM"],
            config=opening.programs["PGBACKREST_CONFIG"],
            bucket=opening.bucket,
            stanza=opening.server,
            scratch=opening.scratch,
        )

    def version(self) -> str:
        return programs.run([self._program, "version"], env=self._env()).strip()

    def catalogue(self) -> Sequence[BackupRecord]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            repository = Path(folder)
            for key, place in self._info_files():
                try:
                    content = self._bucket.read(key)
                except ObjectMissing:
                    continue
                (repository / place).parent.mkdir(parents=True, exist_ok=True)
                (repository / place).write_bytes(content)
            said = programs.run(
                [*self._stepped_out(), "info", "--output=json"], env=self._env(repository)
            )
        self._info = parse_info(said, self._stanza)
        return self._info.backups

    def wal_inventory(self) -> WalInventory:
        segments: dict[str, WalFile] = {}
        histories: dict[str, WalFile] = {}
        prefix = self._bucket.place.key("archive", self._stanza, self._known().archive_id) + "/"
        for ref in self._bucket.list(prefix) if self._known().archive_id else ():
            if found := _WAL.match(ref.name):
                name = found["name"]
                segments[name] = WalFile(name=name, ref=ref, packing=found["packing"] or "")
            elif _HISTORY.match(ref.name):
                histories[ref.name] = WalFile(name=ref.name, ref=ref)
        return WalInventory(segments=segments, histories=histories)

    def read_history(self, file: WalFile) -> str:
        return unpacked(self._bucket.read(file.ref.key), file.packing).decode()

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        found: list[ObjectRef] = []
        for label in (backup_id, *self._known().references.get(backup_id, ())):
            prefix = self._bucket.place.key("backup", self._stanza, label) + "/"
            objects = [ref for ref in self._bucket.list(prefix) if ref.name]
            if not objects:
                raise ObjectMissing(f"nothing under {prefix}")
            found += objects
        return found

    def place_in_stage(self, ref: ObjectRef) -> str:
        return ref.key.removeprefix(self._bucket.place.key("")).lstrip("/")

    def archive_command(self) -> str:
        # PostgreSQL calls it in the data directory, which pgBackRest wants to know by its path.
        program = "'" + self._program.replace("'", "'\\''").replace("%", "%%") + "'"
        return f'{program} --pg1-path="$PWD" archive-push "%p"'

    def archive_environment(self) -> Mapping[str, str]:
        return {**self._env(), **self._storage()}

    def prepare_archive(self, source: Source) -> None:
        self._require_storage()
        env = {**self._env(), **self._storage(), **self._server(source)[0]}
        programs.run([*self._stepped_out(), "stanza-create"], env=env, silence_seconds=120)

    def take_backup(self, source: Source, *, label: str, kind: Kind) -> Iterator[Step]:
        self._require_storage()
        where, total = self._server(source)
        command = [
            *self._stepped_out(),
            "backup",
            f"--type={'incr' if kind is Kind.INCREMENTAL else 'full'}",
            f"--annotation=label={label}",
            "--start-fast",
            "--process-max=2",
            "--log-level-stderr=detail",
        ]
        env = {**self._env(), **self._storage(), **where}
        yield from _followed(command, env, total=total)

    def unpack(self, backup: BackupRecord, staged: Path, postgres: Postgres) -> Iterator[Step]:
        yield from self._bring_info(staged)
        directory = postgres.data_dir
        with empty_inside(directory) as inside:
            command = [
                *self._stepped_out(),
                "restore",
                f"--set={backup.backup_id}",
                f"--pg1-path={inside}",
                f"--tablespace-map-all={tablespaces_beside(directory)}",
                # Where recovery goes and where it gets the log is our business.
                "--type=none",
                f"--process-max={os.cpu_count() or 1}",
                "--log-level-stderr=detail",
            ]
            yield from _followed(command, self._env(staged), total=backup.cluster_bytes)

    def _known(self) -> Info:
        if self._info is None:
            self.catalogue()
        assert self._info is not None
        return self._info

    def _info_files(self) -> Iterator[tuple[str, str]]:
        for name in INFO_FILES:
            place = f"{name.partition('.')[0]}/{self._stanza}/{name}"
            yield self._bucket.place.key(place), place

    def _bring_info(self, staged: Path) -> Iterator[Step]:
        """Fetch what says which backups there are: it changes with each, so no plan can name it."""
        for key, place in self._info_files():
            target = staged / place
            try:
                content = yield from insisting(partial(self._bucket.read, key))
            except ObjectMissing:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def _require_storage(self) -> None:
        """Make sure that the storage lets us in, and that this version can speak to it."""
        require_storage(self._bucket, "backup", self._stanza)
        version = re.search(r"(\d+)\.(\d+)", self.version())
        plain = self._bucket.place.endpoint.startswith("http://")
        if plain and version and (int(version[1]), int(version[2])) < PLAIN_HTTP_SINCE:
            raise EngineFailed(
                f"{self._bucket.place.endpoint} by {version[0]}",
                advice=f"pgBackRest {version[0]} reaches object storage over TLS alone, and the "
                "endpoint is plain http. Register an https endpoint, or install pgBackRest "
                f"{PLAIN_HTTP_SINCE[0]}.{PLAIN_HTTP_SINCE[1]} or newer.",
            )

    def _stepped_out(self) -> list[str]:
        # As root it would give the files to the account that owned them where they come from.
        if step_out() == "namespace":
            return [*launcher_command(), "namespace", "-", programs.found(self._program)]
        return [self._program]

    def _env(self, repository: Path | None = None) -> dict[str, str]:
        """Return its options: in the environment, because every account may read command lines."""
        given = {
            # Without one of our own, nothing of this machine's configuration may get in between.
            "PGBACKREST_CONFIG": self._config or os.devnull,
            "PGBACKREST_STANZA": self._stanza,
            "PGBACKREST_LOCK_PATH": str(self._scratch / "pgbackrest-lock"),
            "PGBACKREST_SPOOL_PATH": str(self._scratch / "pgbackrest-spool"),
            "PGBACKREST_LOG_LEVEL_FILE": "off",
            "PGBACKREST_LOG_LEVEL_CONSOLE": "off",
            "PGBACKREST_LOG_LEVEL_STDERR": "warn",
            "PGBACKREST_LOG_TIMESTAMP": "n",
        }
        if repository is not None:
            given |= {"PGBACKREST_REPO1_TYPE": "posix", "PGBACKREST_REPO1_PATH": str(repository)}
        return given

    def _storage(self) -> dict[str, str]:
        place, credentials = self._bucket.place, self._bucket.credentials()
        given = {
            "PGBACKREST_REPO1_TYPE": "s3",
            "PGBACKREST_REPO1_PATH": "/" + place.key(""),
            "PGBACKREST_REPO1_S3_BUCKET": place.bucket,
            "PGBACKREST_REPO1_S3_REGION": place.region,
            "PGBACKREST_REPO1_S3_ENDPOINT": place.endpoint or f"s3.{place.region}.amazonaws.com",
            "PGBACKREST_REPO1_S3_URI_STYLE": "path" if place.path_style else "host",
            "PGBACKREST_REPO1_S3_KEY": credentials.access_key,
            "PGBACKREST_REPO1_S3_KEY_SECRET": credentials.secret_key,
        }
        authority = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        if authority:
            given["PGBACKREST_REPO1_STORAGE_CA_FILE"] = authority
        if credentials.session_token:
            given["PGBACKREST_REPO1_S3_TOKEN"] = credentials.session_token
        return given

    def _server(self, source: Source) -> tuple[dict[str, str], int]:
        """Return how to reach the cluster, and about how large it is."""
        where = {
            "PGBACKREST_PG1_PORT": str(source.port),
            "PGBACKREST_PG1_USER": source.user,
            "PGHOST": source.host,
            "PGPASSWORD": source.password,
        }
        try:
            with psycopg.connect(
                host=source.host,
                port=source.port,
                user=source.user,
                password=source.password,
                dbname="postgres",
                connect_timeout=10,
            ) as connection:
                row = connection.execute(
                    "select current_setting('data_directory'), sum(pg_database_size(oid))::bigint "
                    "from pg_database"
                ).fetchone()
        except psycopg.OperationalError as error:
            raise ToolFailed(f"the cluster does not let pgBackRest in: {error}") from error
        assert row is not None
        # A configuration that was named knows where the cluster lies, and on which machine.
        if not self._config:
            where["PGBACKREST_PG1_PATH"] = row[0]
        return where, row[1]


def _followed(command: list[str], env: Mapping[str, str], *, total: int) -> Iterator[Step]:
    """Run it to its end; of each file that it copies it tells which part of all is done."""
    lines, done = programs.Lines(), 0
    try:
        for output in programs.follow(command, env=env):
            for line in lines.of(output):
                if found := _PERCENT.search(line):
                    done = max(done, int(total * float(found[1]) / 100))
            yield Step(done=min(done, total), total=total)
    except ToolFailed as failed:
        raise _meaning_of(failed) from failed
    yield Step(done=total, total=total)


def _meaning_of(failed: ToolFailed) -> EngineFailed:
    said = str(failed)
    if _CHECKSUM in said:
        return ObjectDamaged(said)
    if _FILE_MISSING in said:
        return ObjectMissing(said)
    if "No space left on device" in said:
        return DiskTooSmall(said)
    return failed
