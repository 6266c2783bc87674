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
BARMAN = settings.BARMAN_BIN_DIR
_OTHER_WAYS = ("Or", "Through a storage that breaks", "It counts")
PROGRAMS = ("initdb", "pg_controldata", "pg_ctl", "pg_isready", "pg_restore", "psql")


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


def _typed(database: Database, *, way: str = "") -> str:
    """Return what is typed, step by step: of several ways the first, or the one that begins so."""
    row = Database.objects.select_related("storage").get(pk=database.pk)
    typed, late = [], ""
    for step in queries.runbook_of(row, at=timezone.now()).by_hand:
        chosen = [each.text for each in step.commands if way and each.when.startswith(way)]
        if step.code == "hand-log" and chosen:
            # A line of PostgreSQL's configuration, for when there is one.
            late = f"cat >> \"$DATA\"/postgresql.auto.conf <<'EOF'\n{chosen[0]}\nEOF"
            continue
        usual = [each.text for each in step.commands if not each.when.startswith(_OTHER_WAYS)]
        typed += chosen or usual
        if step.code == "hand-replay" and late:
            typed.insert(-1, late)
    return "\n".join(typed)


def _run(script: str, *, programs: Path) -> None:
    if os.geteuid() == 0 and step_out() == "account":
        # What root has fetched is handed to the account that the programs run by.
        owner = launcher.unprivileged_account().pw_name
        mine = 'touch "$DATA"/postgresql.conf'
        script = script.replace(mine, f'chown -R {owner} "$DATA" "$ROOM"\n{mine}')
    # The account that the tests run by may not write where Debian's PostgreSQL has its sockets.
    script = script.replace('"-p $PORT"', '"-p $PORT -k /tmp"')
    # The relay of one way runs on, as it should, until the shell is closed.
    script = f"trap 'kill ${{RELAY:-}} 2> /dev/null || true' EXIT\n{script}"
    env = {name: value for name, value in os.environ.items() if name != "AWS_ACCESS_KEY_ID"}
    env["PATH"] = f"{programs}:{BARMAN}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    log = programs.parent / "work" / "by-hand" / "postgres.log"
    told = log.read_text()[-2000:] if log.exists() else ""
    assert ended.returncode == 0, told + ended.stderr[-2000:] + ended.stdout[-2000:]
    assert "NOT FETCHED" not in ended.stdout
    assert "NOT UNPACKED" not in ended.stdout
    assert "NOT RESTORED" not in ended.stdout
    assert "HOLE" not in ended.stdout


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
def test_stops_at_log_that_is_damaged_and_does_not_open_without_it(
    rooms: Rooms, tmp_path: Path
) -> None:
    begins = 'touch "$DATA"/postgresql.conf'
    last = "$(ls \"$ROOM\"/wal | grep -E '^[0-9A-F]{24}.gz$' | tail -n 1)"
    spoil = f'truncate --size=-20 "$ROOM"/wal/"{last}"'
    script = _typed(rooms.database).replace(begins, f"{spoil}\n{begins}")

    with pytest.raises(AssertionError, match="exit code 255"):
        _run(script, programs=tmp_path / "bin")

    assert not rooms.postgres.is_running()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("engine", "way"),
    [
        (EngineName.BARMAN_CLOUD, ""),
        (EngineName.BARMAN_CLOUD, "Or"),
        (EngineName.PGBACKREST, ""),
        (EngineName.PGBACKREST, "Through a storage that breaks"),
        (EngineName.PG_DUMP, ""),
    ],
)
def test_brings_back_what_each_engine_keeps(
    engine: EngineName, way: str, lives: Lives, tmp_path: Path
) -> None:
    life = lives.of(engine)
    programs = _programs(tmp_path / "bin", life.cluster.bin_dir)
    database = _registered(life, engine, tmp_path, programs)
    restored = Postgres(
        bin_dir=life.cluster.bin_dir, data_dir=tmp_path / "data",
        port=RecoveryTarget.objects.get().port,
    )  # fmt: skip

    try:
        _run(_typed(database, way=way), programs=programs)
        expected = other_lives.rows_of(life.cluster) if life.later_at else life.rows
        assert other_lives.rows_of(restored) == expected
        with other_lives.connect(restored, other_lives.TENANTS[0]) as connection:
            assert connection.execute("select count(*) from plans").fetchone() == (100,)
        # The lost cluster's own are left alone: they may be all that is left of it.
        links = list((restored.data_dir / "pg_tblspc").iterdir())
        assert len(links) == (engine != EngineName.PG_DUMP)
        assert all(tmp_path in link.resolve().parents for link in links)
    finally:
        restored.stop(mode="immediate")


@pytest.mark.django_db(transaction=True)
def test_unpacks_into_nothing_that_is_there_already(rooms: Rooms, tmp_path: Path) -> None:
    data = Path(rooms.target.data_dir)
    data.mkdir()
    (data / "postmaster.pid").write_text("of what is left of the lost cluster")
    steps = queries.runbook_of(rooms.database, at=timezone.now()).by_hand
    unpack = next(step for step in steps if step.code == "hand-unpack").commands[0].text

    said = subprocess.run(
        ["/bin/bash", "-c", unpack], env={"DATA": str(data), "ROOM": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert "NOT UNPACKED" in said.stdout
    assert [each.name for each in data.iterdir()] == ["postmaster.pid"]


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
