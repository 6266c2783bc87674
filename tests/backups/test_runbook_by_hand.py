"""What a runbook says for the day without Highwater, typed into bash as it stands there."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from backups import operations, queries
from backups.engines import launcher
from backups.engines.postgres import Postgres, bundled_bin_dir, launcher_command, step_out
from backups.models import Backup, Database, EngineName, RecoveryTarget
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests import lives as other_lives
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    StorageLocationFactory,
)
from tests.lives import SERVER, Life, Lives, lives
from tests.protected import PASSWORD, Protected, Rooms, free_port, rooms_for, rows_of

__all__ = ["lives"]

ROOT = Path(__file__).parents[2]
PROGRAMS = ("initdb", "pg_ctl", "pg_isready", "pg_restore", "psql")


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        operations.sync_backups(database_id=found.database.pk, at=timezone.now())
        RecoveryTarget.objects.filter(pk=found.target.pk).update(
            bin_dir=str(_programs(tmp_path / "bin", bundled_bin_dir()))
        )
        yield found


def _programs(folder: Path, real: Path) -> Path:
    """Have PostgreSQL's programs, and pgBackRest, run by another account where this is root's."""
    folder.mkdir()
    before = [*launcher_command(), step_out(), "-"] if os.geteuid() == 0 else []
    found = {name: str(real / name) for name in PROGRAMS}
    for name, program in (found | {"pgbackrest": _pgbackrest()}).items():
        line = shlex.join([*before, program])
        (folder / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def _pgbackrest() -> str:
    program = shutil.which(settings.PGBACKREST_PROGRAM)
    return program or "/bin/false"


def _typed(database: Database) -> str:
    """Return what is typed, step by step: of several ways the first."""
    row = Database.objects.select_related("storage").get(pk=database.pk)
    other_ways = ("Or", "Through a storage that breaks", "It counts")
    return "\n".join(
        command.text
        for step in queries.runbook_of(row, at=timezone.now()).by_hand
        for command in step.commands
        if not command.when.startswith(other_ways)
    )


def _run(script: str, *, programs: Path) -> None:
    if os.geteuid() == 0 and step_out() == "account":
        # What root has fetched is handed to the account that the programs run by.
        owner = launcher.unprivileged_account().pw_name
        mine = 'touch "$DATA"/postgresql.conf'
        script = script.replace(mine, f'chown -R {owner} "$DATA" "$ROOM"\n{mine}')
    # The account that the tests run by may not write where Debian's PostgreSQL has its sockets.
    script = script.replace('"-p $PORT"', '"-p $PORT -k /tmp"')
    env = {name: value for name, value in os.environ.items() if name != "AWS_ACCESS_KEY_ID"}
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=env | {"PATH": f"{programs}:{os.environ['PATH']}"}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    log = programs.parent / "work" / "by-hand" / "postgres.log"
    told = log.read_text()[-2000:] if log.exists() else ""
    assert ended.returncode == 0, told + ended.stderr[-2000:] + ended.stdout[-2000:]
    assert "NOT FETCHED" not in ended.stdout
    assert "NOT RESTORED" not in ended.stdout


@pytest.mark.django_db(transaction=True)
def test_brings_barmans_archive_back_through_a_storage_that_breaks(
    protected: Protected, rooms: Rooms, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    assert Backup.objects.get(database=rooms.database).has_manifest
    fault_proxy.faults = Faults(error_share=0.1)
    script = _typed(rooms.database)

    _run(script, programs=tmp_path / "bin")

    assert rows_of(rooms.target.port) == protected.moments[-1][1]
    keys = protected.credentials
    assert not any(word in script for word in (PASSWORD, keys.secret_key, keys.access_key))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("engine", [EngineName.PGBACKREST, EngineName.PG_DUMP])
def test_brings_back_what_the_other_engines_keep(
    engine: EngineName, lives: Lives, tmp_path: Path
) -> None:
    life = lives.of(engine)
    programs = _programs(tmp_path / "bin", life.cluster.bin_dir)
    database = _registered(life, engine, tmp_path, programs)
    restored = Postgres(
        bin_dir=life.cluster.bin_dir, data_dir=tmp_path / "data",
        port=RecoveryTarget.objects.get().port,
    )  # fmt: skip

    try:
        _run(_typed(database), programs=programs)
        expected = other_lives.rows_of(life.cluster) if life.later_at else life.rows
        assert other_lives.rows_of(restored) == expected
    finally:
        restored.stop(mode="immediate")


def _registered(life: Life, engine: EngineName, folder: Path, programs: Path) -> Database:
    place, keys = life.opening.bucket.place, life.opening.bucket.credentials()
    secrets = folder / "keys.json"
    secrets.write_text(
        json.dumps(
            {"access_key": keys.access_key, "secret_key": keys.secret_key, "password": PASSWORD}
        )
    )
    storage = StorageLocationFactory.create(
        endpoint=place.endpoint, bucket=place.bucket, prefix=place.prefix, region=place.region,
        credentials_reference=f"file:{secrets}",
    )  # fmt: skip
    database: Database = DatabaseFactory.create(
        engine=engine, storage=storage, archive_name=SERVER, password_reference=f"file:{secrets}"
    )
    BackupFactory.create(database=database, engine_id=life.full.backup_id)
    RecoveryTargetFactory.create(
        port=free_port(), data_dir=str(folder / "data"), work_dir=str(folder / "work"),
        bin_dir=str(programs),
    )  # fmt: skip
    return database
