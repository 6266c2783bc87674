"""What every engine owes, on real servers and with the real tool: one story, told of each."""

import dataclasses
import json
import os
import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from backups import operations, runner
from backups.engines import registry
from backups.engines.base import BackupRecord, Kind
from backups.engines.planning import Archive as Log
from backups.engines.planning import Destination
from backups.engines.points import destination_without_log
from backups.engines.postgres import Postgres
from backups.engines.replay import Replay
from backups.engines.standing import Standing
from backups.engines.wal_stage import WalStage
from backups.errors import CredentialsRefused, EngineFailed, ObjectMissing, ToolMissing
from backups.models import Backup, Database, EngineName, JobState, RecoveryTarget
from backups.steps import Step
from backups.storage.fetch import FetchItem, Manner, Unsound, fetch
from backups.storage.s3 import Credentials, Place
from tests.lives import (
    PASSWORD,
    TENANTS,
    Life,
    Lives,
    archive_log,
    connect,
    free_port,
    opening_at,
    rows_of,
)


def closed(steps: Iterator[Step]) -> None:
    assert isinstance(steps, Generator)
    steps.close()


def programs_under(folder: Path) -> list[str]:
    """Name what runs that has to do with this folder: by its command line or its environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                words = process.joinpath("cmdline").read_bytes()
                around = process.joinpath("environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words + around and b"postgres" not in words.split(b"\0")[0]:
                found.append(words.replace(b"\0", b" ").decode())
    return found


def staged(life: Life, backup: BackupRecord, folder: Path) -> Path:
    """Bring a backup's objects as a restore does, and return where they lie."""
    items = [
        FetchItem(ref=ref, to=f"base/{life.engine.place_in_stage(ref)}")
        for ref in life.engine.objects_of(backup.backup_id)
    ]
    assert items
    list(fetch(life.opening.bucket, items, folder, manner=Manner()))
    return folder / "base"


def restored(life: Life, destination: Destination, folder: Path) -> Postgres:
    """Restore to a destination in an empty directory, through every phase, and open it."""
    backup = destination.backup
    postgres = Postgres(
        bin_dir=life.cluster.bin_dir, data_dir=folder / "restored", port=free_port()
    )
    postgres.data_dir.mkdir(mode=0o700)
    (postgres.data_dir / ".highwater-restore").write_text("our mark")
    base = staged(life, backup, folder)
    steps = list(life.engine.unpack(backup, base, postgres))
    assert steps[-1].done == steps[-1].total
    replay = replay_of(life, destination, folder, postgres)
    replay.configure()
    list(replay.steps())
    replay.require_target_reached()
    if replay.is_recovering():
        replay.promote()
    replay.open()
    return postgres


def replay_of(life: Life, destination: Destination, folder: Path, postgres: Postgres) -> Replay:
    stage = WalStage(folder / "wal", system_id=destination.backup.system_id)
    files = life.engine.wal_inventory().segments
    stage.set_listing(files, budget_seconds=60)
    kind = Replay if life.engine.capabilities.keeps_log else Standing
    return kind(
        postgres=postgres,
        stage=stage,
        destination=destination,
        superuser="postgres",
        log=folder / "log",
        bring=lambda names: brought(life, stage, folder, names),
    )


def brought(life: Life, stage: WalStage, folder: Path, names: Any) -> Iterator[Step]:
    files = life.engine.wal_inventory().segments
    by_object = {files[name].ref.name: files[name] for name in names}

    def take_in(_item: FetchItem, packed: Path) -> None:
        if fault := stage.take_in(by_object[packed.name], packed):
            raise Unsound(fault)

    items = [FetchItem(ref=file.ref, to=f"packed/{name}") for name, file in by_object.items()]
    yield from fetch(
        life.opening.bucket, items, folder, manner=Manner(), finish=take_in, afresh=True
    )


def assert_as_staged(stage: Path) -> None:
    """Assert that PostgreSQL, which may have been handed these very files, wrote to none."""
    index = (stage / "index").read_text().splitlines()
    assert index
    for line in index:
        name, size, crc = line.split()
        content = (stage / "files" / name).read_bytes()
        assert (len(content), zlib.crc32(content)) == (int(size), int(crc))


def log_of(life: Life, folder: Path) -> Log:
    stage = WalStage(folder / "peek", system_id=life.full.system_id)

    def peek(names: Any) -> Path:
        list(brought(life, stage, folder / "peeked", names))
        return stage.folder / "files"

    return Log(
        backups=life.engine.catalogue(),
        inventory=life.engine.wal_inventory(),
        switches={},
        postgres=Postgres(bin_dir=life.cluster.bin_dir, data_dir=folder / "none", port=1),
        peek=peek,
    )


def destination_of(life: Life, folder: Path, **wish: Any) -> Destination:
    if life.engine.capabilities.keeps_log:
        return log_of(life, folder).plan(wish.pop("target_at", None), **wish)
    return destination_without_log(life.engine.catalogue(), None, **wish)


class TestTheCatalogue:
    def test_lists_a_finished_backup_with_what_is_known_of_it(self, life: Life) -> None:
        full = life.full

        assert full.is_finished
        assert full.label == "nightly"
        assert timezone.now() > full.began_at
        assert full.began_at <= full.ended_at
        assert full.cluster_bytes > 1_000_000
        assert full.system_id == system_id_of(life.cluster)
        assert full.major == int(life.cluster.run("postgres", "--version").stdout.split()[2][:2])
        assert full.kind in life.engine.capabilities.kinds
        assert full.end_lsn >= full.begin_lsn > 0

    def test_knows_every_object_and_gives_each_a_place_of_its_own(self, life: Life) -> None:
        refs = life.engine.objects_of(life.full.backup_id)

        places = [life.engine.place_in_stage(ref) for ref in refs]
        assert len(set(places)) == len(refs)
        assert not any(Path(place).is_absolute() or ".." in place for place in places)
        assert all(ref.key.startswith("backups/of all/") for ref in refs)

    def test_has_the_log_if_the_engine_keeps_it(self, life: Life) -> None:
        segments = life.engine.wal_inventory().segments

        assert bool(segments) == life.engine.capabilities.keeps_log
        assert all(re.fullmatch(r"[0-9A-F]{24}", name) for name in segments)
        assert life.full.begin_wal in {*segments, ""}

    def test_names_refused_credentials(self, life: Life, tmp_path: Path) -> None:
        keys = Credentials(access_key="a stranger", secret_key="a guess")
        stranger = registry.opened(
            life.engine.name, opening_at(life.opening.bucket.place, keys, tmp_path)
        )

        with pytest.raises(CredentialsRefused):
            stranger.catalogue()
        with pytest.raises(CredentialsRefused):
            list(stranger.take_backup(life.source, label="no", kind=Kind.FULL))

    def test_knows_no_backup_of_another_name(self, life: Life) -> None:
        with pytest.raises(ObjectMissing):
            life.engine.objects_of("20200101T000000")


def system_id_of(cluster: Postgres) -> int:
    with connect(cluster) as connection:
        row = connection.execute("select system_identifier from pg_control_system()").fetchone()
    assert row is not None
    return int(row[0])


class TestARestore:
    def test_brings_back_every_row_of_a_backup(self, life: Life, tmp_path: Path) -> None:
        destination = destination_of(life, tmp_path, backup_id=life.full.backup_id)

        postgres = restored(life, destination, tmp_path)

        try:
            assert rows_of(postgres) == life.rows
            for tenant in TENANTS:
                with connect(postgres, tenant) as connection:
                    assert connection.execute("select count(*) from plans").fetchone() == (100,)
            # What lay elsewhere came back beside it, and never to where it was.
            places = [link.readlink() for link in (postgres.data_dir / "pg_tblspc").iterdir()]
            assert all(place.is_relative_to(tmp_path) for place in places)
            assert bool(places) == (Kind.LOGICAL not in life.engine.capabilities.kinds)
        finally:
            postgres.stop(mode="immediate")

    def test_goes_to_a_moment_where_there_is_a_log(self, life: Life, tmp_path: Path) -> None:
        if not life.engine.capabilities.keeps_log:
            moments = [backup.began_at for backup in life.engine.catalogue()]
            with pytest.raises(EngineFailed) as told:
                destination_without_log(life.engine.catalogue(), timezone.now())
            assert f"{max(moments):%Y-%m-%d %H:%M:%S.%f} UTC" in told.value.advice
            return
        destination = destination_of(life, tmp_path, target_at=life.later_at)

        postgres = restored(life, destination, tmp_path)

        try:
            assert rows_of(postgres) == life.later_rows
            assert_as_staged(tmp_path / "wal")
        finally:
            postgres.stop(mode="immediate")

    def test_a_damaged_object_is_never_taken_in(self, life: Life, tmp_path: Path) -> None:
        base = staged(life, life.full, tmp_path)
        # Not a list of what there is: of that there may be a second copy.
        content = [
            each for each in base.rglob("*") if each.is_file() and "manifest" not in each.name
        ]
        largest = max(content, key=size_of)
        largest.write_bytes(largest.read_bytes()[: size_of(largest) // 2])
        postgres = Postgres(bin_dir=life.cluster.bin_dir, data_dir=tmp_path / "d", port=free_port())
        postgres.data_dir.mkdir(mode=0o700)

        with pytest.raises(EngineFailed):
            list(life.engine.unpack(life.full, base, postgres))

        assert not postgres.is_running()

    def test_closing_it_leaves_nothing_running(self, life: Life, tmp_path: Path) -> None:
        base = staged(life, life.full, tmp_path)
        postgres = Postgres(bin_dir=life.cluster.bin_dir, data_dir=tmp_path / "d", port=free_port())
        postgres.data_dir.mkdir(mode=0o700)
        steps = life.engine.unpack(life.full, base, postgres)

        for _count in range(3):
            next(steps, None)
        closed(steps)

        assert not postgres.is_running()
        assert programs_under(tmp_path) == []


def size_of(path: Path) -> int:
    return path.stat().st_size


class TestTakingABackup:
    def test_closing_it_leaves_nothing_running_and_lists_nothing(self, life: Life) -> None:
        before = [each.backup_id for each in life.engine.catalogue() if each.is_finished]
        steps = life.engine.take_backup(life.source, label="stopped", kind=Kind.FULL)

        next(steps)
        closed(steps)

        assert programs_under(life.opening.scratch) == []
        finished = [each.backup_id for each in life.engine.catalogue() if each.is_finished]
        assert finished == before

    def test_an_incremental_one_builds_on_the_last_where_the_engine_can(
        self, life: Life, tmp_path: Path
    ) -> None:
        if Kind.INCREMENTAL not in life.engine.capabilities.kinds:
            assert life.engine.capabilities.kinds in ({Kind.FULL}, {Kind.LOGICAL})
            return
        rows, last = rows_of(life.cluster), life.engine.catalogue()[-1]
        list(life.engine.take_backup(life.source, label="second", kind=Kind.INCREMENTAL))

        second = life.engine.catalogue()[-1]
        assert second.label == "second"
        assert second.kind is Kind.INCREMENTAL
        assert second.parent == last.backup_id
        archive_log(life.cluster)
        destination = destination_of(life, tmp_path, backup_id=second.backup_id)
        postgres = restored(life, destination, tmp_path)
        try:
            assert rows_of(postgres) == rows
        finally:
            postgres.stop(mode="immediate")


class TestBarmanCloud:
    def test_its_catalogue_is_the_same_without_the_program(
        self, lives: Lives, tmp_path: Path
    ) -> None:
        life = lives.of("BARMAN_CLOUD")
        programs = {**life.opening.programs, "BARMAN_BIN_DIR": str(tmp_path)}
        without = registry.opened(
            "BARMAN_CLOUD", dataclasses.replace(life.opening, programs=programs)
        )

        assert without.catalogue() == life.engine.catalogue()
        with pytest.raises(ToolMissing):
            list(without.take_backup(life.source, label="no", kind=Kind.FULL))


class TestTheRegistry:
    def test_every_engine_can_be_registered(self) -> None:
        assert set(registry.known_engines()) == set(EngineName.values)

    @pytest.mark.django_db
    def test_a_database_is_registered_with_one(self, tmp_path: Path) -> None:
        operations.register_storage_location(
            name="offsite", bucket="b", credentials_reference="env:KEYS", at=timezone.now()
        )

        call_command(
            "register_database", "shop", "offsite", "--engine", "pg_dump", "--password", "env:WORD"
        )

        assert Database.objects.get(name="shop").engine == EngineName.PG_DUMP

    def test_an_unknown_one_is_named(self, tmp_path: Path) -> None:
        place = Place(bucket="none", endpoint="http://127.0.0.1:9")
        keys = Credentials(access_key="a", secret_key="b")

        with pytest.raises(ToolMissing) as told:
            registry.opened("TAPE", opening_at(place, keys, tmp_path))

        assert "knows no engine TAPE" in told.value.advice


@pytest.mark.django_db(transaction=True)
class TestARestoreJob:
    def test_finishes_whatever_the_engine(self, life: Life, tmp_path: Path) -> None:
        rooms = rooms_of(life, tmp_path)
        taken = operations.take_backup(
            database_id=rooms.database.pk, label="by-hand", by_worker=False, at=timezone.now()
        )
        runner.run_backup(backup_id=taken.pk, now=timezone.now)
        taken.refresh_from_db()
        assert taken.state == JobState.SUCCEEDED, taken.detail
        rooms.database.refresh_from_db()
        assert rooms.database.latest_restorable_at is not None

        job = operations.request_restore(
            database_id=rooms.database.pk,
            recovery_target_id=rooms.target.pk,
            by_worker=False,
            at=timezone.now(),
        )
        runner.run_restore(restore_id=job.pk, now=timezone.now)

        job.refresh_from_db()
        try:
            assert job.state == JobState.SUCCEEDED, job.failure_advice
            assert rows_of(rooms.postgres) == rows_of(life.cluster)
            if not life.engine.capabilities.keeps_log:
                configuration = (rooms.postgres.data_dir / "postgresql.conf").read_text()
                assert "# Of the cluster that was backed up" in configuration
                assert "# max_connections = '100'" in configuration
            backup = Backup.objects.get(engine_id=taken.engine_id)
            assert backup.has_manifest
            assert backup.kind in life.engine.capabilities.kinds
        finally:
            rooms.postgres.stop(mode="immediate")


@dataclass(frozen=True, slots=True)
class Rooms:
    """Registered rows: what an engine protects, and a place for it to come back to."""

    database: Database
    target: RecoveryTarget
    postgres: Postgres


def rooms_of(life: Life, folder: Path) -> Rooms:
    at = timezone.now()
    place, keys = life.opening.bucket.place, life.opening.bucket.credentials()
    secrets = folder / "keys.json"
    secrets.write_text(
        json.dumps(
            {"access_key": keys.access_key, "secret_key": keys.secret_key, "password": PASSWORD}
        )
    )
    storage = operations.register_storage_location(
        name="storage",
        bucket=place.bucket,
        prefix=place.prefix,
        endpoint=place.endpoint,
        credentials_reference=f"file:{secrets}",
        at=at,
    )
    database = operations.register_database(
        name="protected",
        engine=life.engine.name,
        host="127.0.0.1",
        port=life.cluster.port,
        storage_id=storage.pk,
        archive_name=life.opening.server,
        password_reference=storage.credentials_reference,
        tenants=[(tenant, f"customer-{number}") for number, tenant in enumerate(TENANTS)],
        at=at,
    )
    postgres = Postgres(bin_dir=life.cluster.bin_dir, data_dir=folder / "back", port=free_port())
    target = operations.register_recovery_target(
        name="target",
        port=postgres.port,
        data_dir=str(postgres.data_dir),
        work_dir=str(folder / "work"),
        bin_dir=str(postgres.bin_dir),
        at=at,
    )
    return Rooms(database, target, postgres)
