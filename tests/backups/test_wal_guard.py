"""PostgreSQL takes a failing restore command for the end of the log; the guard does not let it."""

import errno
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import psycopg
import pytest

from backups.engines import wal_guard
from backups.engines.postgres import Postgres, bundled_bin_dir
from tests.protected import PASSWORD, Protected, free_port, rows_of

ONE, TWO, THREE = (f"00000001000000000000000{n}" for n in (1, 2, 3))
SECOND_LINE = "000000020000000000000003"


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """Return a stage whose archive holds three segments, the first two of which are staged."""
    for folder in ("files", "wanted"):
        (tmp_path / folder).mkdir()
    (tmp_path / "listing").write_text(f"{ONE}\n{TWO}\n{THREE}\n")
    (tmp_path / "budget").write_text("0.3")
    index = ""
    for name in (ONE, TWO):
        content = name.encode() * 10
        (tmp_path / "files" / name).write_bytes(content)
        index += f"{name} {len(content)} {zlib.crc32(content)}\n"
    (tmp_path / "index").write_text(index)
    return tmp_path


def guard(stage: Path, name: str) -> int:
    command = [sys.executable, "-I", "-S", wal_guard.__file__, str(stage), name, str(stage / "out")]
    return subprocess.run(command, check=False, timeout=20).returncode


class TestTheGuard:
    def test_serves_what_is_staged_and_whole(self, stage: Path) -> None:
        assert guard(stage, ONE) == 0
        assert (stage / "out").read_bytes() == ONE.encode() * 10
        assert (stage / "served").read_text() == f"{ONE}\n"

    def test_hands_over_the_staged_file_itself(self, stage: Path) -> None:
        guard(stage, ONE)

        assert (stage / "out").samefile(stage / "files" / ONE)

    def test_never_writes_over_a_staged_file(self, stage: Path) -> None:
        guard(stage, ONE)
        assert guard(stage, TWO) == 0

        assert (stage / "files" / ONE).read_bytes() == ONE.encode() * 10
        assert (stage / "out").read_bytes() == TWO.encode() * 10

    def test_copies_to_another_file_system(
        self, stage: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_paths: str) -> None:
            raise OSError(errno.EXDEV, "another file system")

        monkeypatch.setattr(os, "link", refuse)
        assert wal_guard.serve(str(stage), ONE, str(stage / "out")) == 0

        assert (stage / "out").read_bytes() == ONE.encode() * 10
        assert not (stage / "out").samefile(stage / "files" / ONE)

    @pytest.mark.parametrize(
        "name",
        ["000000010000000000000004", "00000002.history", SECOND_LINE],
        ids=["beyond the end", "no history", "no such timeline"],
    )
    def test_tells_the_end_only_if_the_listing_proves_it(self, stage: Path, name: str) -> None:
        assert guard(stage, name) == 1

    def test_stops_postgres_for_a_file_that_does_not_come(self, stage: Path) -> None:
        assert guard(stage, THREE) == 255
        assert (stage / "wanted" / THREE).exists()

    def test_stops_postgres_at_a_hole(self, stage: Path) -> None:
        (stage / "listing").write_text(f"{ONE}\n{THREE}\n")
        (stage / "index").write_text("")

        assert guard(stage, TWO) == 255

    def test_stops_postgres_for_a_damaged_file(self, stage: Path) -> None:
        (stage / "files" / TWO).write_bytes(b"x" * len(TWO) * 10)

        assert guard(stage, TWO) == 255
        assert not (stage / "out").exists()

    def test_stops_postgres_without_a_listing(self, stage: Path) -> None:
        (stage / "listing").unlink()

        assert guard(stage, "000000010000000000000004") == 255

    def test_stops_postgres_with_an_empty_listing(self, stage: Path) -> None:
        (stage / "listing").write_text("")

        assert guard(stage, "000000010000000000000004") == 255

    def test_serves_a_file_that_is_brought_while_it_waits(self, stage: Path) -> None:
        (stage / "budget").write_text("15")
        command = [sys.executable, "-I", "-S", wal_guard.__file__, str(stage), THREE]
        with subprocess.Popen([*command, str(stage / "out")]) as waiting:
            while not (stage / "wanted" / THREE).exists():
                time.sleep(0.01)
            (stage / "files" / THREE).write_bytes(b"late")
            with (stage / "index").open("a") as index:
                index.write(f"{THREE} 4 {zlib.crc32(b'late')}\n")

            assert waiting.wait(timeout=15) == 0


@pytest.mark.faults
class TestTheDanger:
    """The same loss, with the restore command that everybody writes and with the guard's rule."""

    @pytest.fixture
    def recovering(self, protected: Protected, barman: Path, tmp_path: Path) -> Postgres:
        """Return a cluster from the real backup, ready to recover from a folder of real log."""
        engine = protected.engine(barman)
        subprocess.run(
            [
                *engine._command("barman-cloud-restore"),
                protected.backup.backup_id,
                str(tmp_path / "data"),
            ],
            env=engine._env(),
            check=True,
            timeout=60,
        )
        (tmp_path / "data").chmod(0o700)
        (tmp_path / "data" / "recovery.signal").touch()
        (tmp_path / "log").mkdir()
        names = sorted(engine.wal_inventory().segments)
        # The storage fails from the middle of the log on.
        for name in [n for n in names if n >= protected.backup.begin_wal][:3]:
            file = engine.wal_inventory().segments[name]
            content = zlib.decompress(protected.bucket().read(file.ref.key), 31)
            (tmp_path / "log" / name).write_bytes(content)
        return Postgres(bin_dir=bundled_bin_dir(), data_dir=tmp_path / "data", port=free_port())

    def test_a_plain_command_that_fails_opens_the_cluster_with_rows_missing(
        self, recovering: Postgres, protected: Protected, tmp_path: Path
    ) -> None:
        command = f"cp {tmp_path}/log/%f %p"
        self._start(recovering, tmp_path, command)

        try:
            lost = rows_of(recovering.port)
        finally:
            recovering.stop(mode="immediate")
        assert sum(lost.values()) < sum(protected.moments[-1][1].values())

    def test_the_exit_code_of_the_guard_stops_it_instead(
        self, recovering: Postgres, tmp_path: Path
    ) -> None:
        command = f"cp {tmp_path}/log/%f %p || case %f in *.history) exit 1;; *) exit 255;; esac"

        self._start(recovering, tmp_path, command)

        assert not recovering.is_running()
        # It can be started again, and goes on.
        assert (recovering.data_dir / "recovery.signal").exists()

    def _start(self, postgres: Postgres, folder: Path, command: str) -> None:
        settings = {"restore_command": command, "archive_mode": "off", "max_connections": "130"}
        postgres.start(log=folder / "pg.log", settings=settings, wait_ready=False)
        deadline = time.monotonic() + 40
        while postgres.is_running() and time.monotonic() < deadline:
            try:
                with psycopg.connect(
                    host="127.0.0.1", port=postgres.port, user="postgres", password=PASSWORD
                ) as connection:
                    row = connection.execute("select pg_is_in_recovery()").fetchone()
                    if row == (False,):
                        return
            except psycopg.OperationalError:
                pass
            time.sleep(0.1)
