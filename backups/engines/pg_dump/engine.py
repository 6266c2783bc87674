"""The pg_dump engine: every database of a cluster as a dump of its own, beside the roles.

A backup is a folder of objects, PREFIX/SERVER/dumps/ID: ``roles.sql``, ``databases/NAME/`` in
pg_dump's directory format, and ``backup.json``, written last. It holds each database as it was at a
moment of that database's own, and nothing in between two backups can be restored.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

from backups.engines.asking import require_storage
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
from backups.engines.dumps import Description, Server, dump_database, read_description
from backups.engines.pg_dump.cluster import databases_of, dump_roles, facts_of, moment_at
from backups.engines.pg_dump.document import Document, parse_document
from backups.engines.pg_dump.unpacking import unpack_dumps
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.engines.uploading import upload
from backups.errors import BackupMissing, ObjectMissing
from backups.storage.s3 import Bucket, ObjectRef

DOCUMENT = "backup.json"
JOBS = 2


class PgDump:
    """One server's dumps, under ``PREFIX/SERVER/dumps`` of a bucket."""

    name: ClassVar[str] = "PG_DUMP"
    capabilities: ClassVar[Capabilities] = Capabilities(
        kinds=frozenset({Kind.LOGICAL}), keeps_log=False
    )

    def __init__(self, *, bin_dir: Path, bucket: Bucket, server: str, scratch: Path) -> None:
        self._bin_dir = bin_dir
        self._bucket = bucket
        self._server = server
        self._scratch = scratch

    @classmethod
    def open(cls, opening: Opening) -> Self:
        folder = opening.programs["PG_DUMP_BIN_DIR"]
        return cls(
            bin_dir=Path(folder) if folder else bundled_bin_dir(),
            bucket=opening.bucket,
            server=opening.server,
            scratch=opening.scratch,
        )

    def version(self) -> str:
        # Nothing runs there: only its programs are asked.
        postgres = Postgres(bin_dir=self._bin_dir, data_dir=self._scratch, port=1)
        return postgres.run("pg_dump", "--version").stdout.strip()

    def catalogue(self) -> Sequence[BackupRecord]:
        records = []
        token = ""
        while True:
            page = self._bucket.list_page(self._key() + "/", delimiter="/", token=token)
            for prefix in page.prefixes:
                try:
                    document = self._bucket.read(prefix + DOCUMENT)
                except ObjectMissing:
                    # Broken off, or being taken at the moment.
                    continue
                records.append(parse_document(document).record())
            token = page.next_token
            if not token:
                return sorted(records, key=lambda record: record.ended_at)

    def wal_inventory(self) -> WalInventory:
        return WalInventory(segments={}, histories={})

    def read_history(self, file: WalFile) -> str:
        raise ObjectMissing(f"{file.name}: dumps have no log")

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        found = list(self._bucket.list(self._key(backup_id) + "/"))
        if not any(ref.name == DOCUMENT for ref in found):
            raise ObjectMissing(f"no {DOCUMENT} under {self._key(backup_id)}")
        return found

    def place_in_stage(self, ref: ObjectRef) -> str:
        _backup_id, _, place = ref.key.removeprefix(self._key() + "/").partition("/")
        return place

    def archive_command(self) -> str:
        return ""

    def archive_environment(self) -> Mapping[str, str]:
        return {}

    def prepare_archive(self, source: Source) -> None:
        require_storage(self._bucket, self._server, "dumps")

    def take_backup(self, source: Source, *, label: str, kind: Kind) -> Iterator[Step]:
        require_storage(self._bucket, self._server, "dumps")
        server = Server(
            host=source.host,
            port=source.port,
            user=source.user,
            password=source.password,
            bin_dir=self._bin_dir,
        )
        began_at, databases = moment_at(server), databases_of(server)
        backup_id = f"{began_at:%Y%m%dT%H%M%S%f}"[:18]
        if not databases:
            raise BackupMissing("the cluster has no databases")
        self._scratch.mkdir(parents=True, exist_ok=True)
        total, before = sum(databases.values()), 0
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            folder = Path(scratch)
            yield from self._store_roles(server, backup_id, folder)
            described: dict[str, Description] = {}
            for name, size in databases.items():
                place = quote(name, safe="")
                for step in self._store_database(server, name, backup_id, folder / place):
                    part = step.done / step.total if step.total else 0
                    yield Step(done=before + int(size * part), total=total)
                described[place] = read_description(folder / place)
                shutil.rmtree(folder / place)
                before += size
            superuser, settings = facts_of(server)
            document = Document(
                backup_id=backup_id,
                label=label,
                began_at=began_at,
                ended_at=moment_at(server),
                superuser=superuser,
                settings=settings,
                databases=described,
            )
            (folder / DOCUMENT).write_bytes(document.written())
            yield from self._store(backup_id, folder, [folder / DOCUMENT])
        yield Step(done=total, total=total)

    def unpack(self, backup: BackupRecord, staged: Path, postgres: Postgres) -> Iterator[Step]:
        document = parse_document((staged / DOCUMENT).read_bytes())
        yield from unpack_dumps(document, staged, postgres)

    def _store_roles(self, server: Server, backup_id: str, folder: Path) -> Iterator[Step]:
        (folder / "roles.sql").write_text(dump_roles(server), encoding="utf-8")
        yield from self._store(backup_id, folder, [folder / "roles.sql"])

    def _store_database(
        self, server: Server, name: str, backup_id: str, folder: Path
    ) -> Iterator[Step]:
        """Dump and store one database; half of the way is the dump."""
        for step in dump_database(server, name, folder, jobs=JOBS):
            yield Step(done=step.done, total=2 * step.total if step.total else None)
        files = [path for path in folder.iterdir() if path.is_file()]
        for step in self._store(f"{backup_id}/databases", folder.parent, files):
            whole = step.total or 1
            yield Step(done=whole + step.done, total=2 * whole)

    def _store(self, place: str, above: Path, files: Sequence[Path]) -> Iterator[Step]:
        keys = {self._key(place, str(path.relative_to(above))): path for path in files}
        yield from upload(self._bucket, keys)

    def _key(self, *parts: str) -> str:
        return self._bucket.place.key(self._server, "dumps", *parts)
