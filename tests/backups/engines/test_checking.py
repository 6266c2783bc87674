"""Damage that PostgreSQL's own checks have to find, on real clusters."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from backups.engines import checking
from backups.engines.checking import (
    Check,
    Finding,
    Outcome,
    check_manifest,
    check_pages,
    check_structure,
    sizes_of,
)
from backups.engines.dumps import Server
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.engines.wal import parse_lsn
from backups.steps import Step
from tests.backups.engines.test_postgres import free_port

NAME = 'shop "north" = 1'
PASSWORD = "only-for-tests"
TABLE, INDEX = "orders", "orders_by_words"


def server_of(cluster: Postgres) -> Server:
    return Server(
        host="127.0.0.1",
        port=cluster.port,
        user="postgres",
        password=PASSWORD,
        bin_dir=cluster.bin_dir,
    )


def found_by(check: Check) -> tuple[Finding, list[Step]]:
    steps = []
    while True:
        try:
            steps.append(next(check))
        except StopIteration as end:
            return end.value, steps


def structure(cluster: Postgres, name: str = NAME, *, is_quick: bool = False) -> Finding:
    return found_by(check_structure(server_of(cluster), name, is_quick=is_quick, jobs=2))[0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a cluster that stands still; the files of its table and its index are named."""
    folder = tmp_path_factory.mktemp("sound")
    cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "data", port=free_port())
    cluster.create(password=PASSWORD)
    cluster.start(log=folder / "log")
    try:
        server = server_of(cluster)
        with server.connect() as connection:
            connection.execute(psycopg.sql.SQL("create database {}").format(_quoted(NAME)))
        with server.connect(NAME) as connection:
            connection.execute(f"create table {TABLE} (id int primary key, words text)")
            connection.execute(f"create index {INDEX} on {TABLE} (words)")
            connection.execute(
                "insert into orders select n, md5(n::text) from generate_series(1, 20000) n"
            )
            paths = dict(
                connection.execute(
                    "select name, pg_relation_filepath(name::regclass) "
                    "from unnest(%s::text[]) name",
                    ([TABLE, INDEX, "pg_depend"],),
                ).fetchall()
            )
    finally:
        cluster.stop()
    return {"data": cluster.data_dir} | {name: Path(path) for name, path in paths.items()}


def _quoted(name: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(name)


@pytest.fixture
def cluster(sound: dict[str, Path], tmp_path: Path) -> Iterator[Postgres]:
    """Give a copy of the cluster, standing still."""
    data = tmp_path / "data"
    shutil.copytree(sound["data"], data, symlinks=True)
    copied = Postgres(bin_dir=bundled_bin_dir(), data_dir=data, port=free_port())
    yield copied
    copied.stop(mode="immediate")


@pytest.fixture
def started(cluster: Postgres, tmp_path: Path) -> Callable[[], Postgres]:
    def start() -> Postgres:
        cluster.start(log=tmp_path / "log")
        return cluster

    return start


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x01]))


class TestStructure:
    def test_finds_a_sound_database_sound(self, started: Callable[[], Postgres]) -> None:
        server = server_of(started())

        finding, steps = found_by(check_structure(server, NAME, is_quick=False, jobs=2))

        assert (finding.outcome, finding.words) == (Outcome.OK, "")
        assert finding.figures["relations"] > 200
        assert finding.figures["pages"] > 250
        assert steps[-1].done == steps[-1].total == finding.figures["pages"] * 8192

    def test_leaves_nothing_behind(self, started: Callable[[], Postgres]) -> None:
        cluster = started()

        structure(cluster)

        with server_of(cluster).connect(NAME) as connection:
            assert connection.execute(
                "select (select count(*) from pg_extension where extname = 'amcheck'), "
                "(select count(*) from pg_namespace where nspname like 'highwater%')"
            ).fetchone() == (0, 0)

    def test_leaves_what_was_there(self, started: Callable[[], Postgres]) -> None:
        cluster = started()
        with server_of(cluster).connect(NAME) as connection:
            connection.execute("create extension amcheck")

        finding = structure(cluster)

        assert finding.outcome == Outcome.OK
        with server_of(cluster).connect(NAME) as connection:
            assert connection.execute(
                "select count(*) from pg_extension where extname = 'amcheck'"
            ).fetchone() == (1,)

    def test_goes_on_where_a_death_left_the_extension(
        self, started: Callable[[], Postgres]
    ) -> None:
        cluster = started()
        with server_of(cluster).connect(NAME) as connection:
            connection.execute("create schema highwater_amcheck")
            connection.execute("create extension amcheck schema highwater_amcheck")

        finding = structure(cluster)

        assert finding.outcome == Outcome.OK
        with server_of(cluster).connect(NAME) as connection:
            assert connection.execute("select to_regnamespace('highwater_amcheck')").fetchone() == (
                None,
            )

    @pytest.mark.parametrize("damaged", [TABLE, INDEX])
    def test_finds_a_flipped_bit_by_the_page_checksum(
        self,
        started: Callable[[], Postgres],
        cluster: Postgres,
        sound: dict[str, Path],
        damaged: str,
    ) -> None:
        flip(cluster.data_dir / sound[damaged], 8192 + 8100)

        finding = structure(started())

        assert finding.outcome == Outcome.FAILED
        assert "invalid page" in finding.words
        assert damaged in finding.words

    def test_finds_a_row_that_its_index_lacks_without_checksums(
        self, started: Callable[[], Postgres], cluster: Postgres, sound: dict[str, Path]
    ) -> None:
        cluster.run("pg_checksums", "--disable", f"--pgdata={cluster.data_dir}")
        # At the end of one word in a leaf: the order holds, the word is another one.
        path = cluster.data_dir / sound[INDEX]
        words = list(re.finditer(rb"[0-9a-f]{32}", path.read_bytes()[8192:16384]))
        flip(path, 8192 + words[20].end() - 1)

        finding = structure(started())

        assert finding.outcome == Outcome.FAILED
        assert "lacks matching index tuple" in finding.words
        # Quickly, nobody compares.
        assert structure(cluster, is_quick=True).outcome == Outcome.OK

    def test_leaves_out_quickly_what_is_large(
        self, started: Callable[[], Postgres], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checking, "QUICK_BYTES", 400_000)
        cluster = started()

        quickly, fully = structure(cluster, is_quick=True), structure(cluster)

        assert quickly.outcome == Outcome.OK
        assert quickly.figures["left_out"] >= 2
        assert quickly.figures["pages"] < fully.figures["pages"]

    def test_is_not_possible_without_the_program(
        self, started: Callable[[], Postgres], tmp_path: Path
    ) -> None:
        server = server_of(started())
        bare = Server(
            host=server.host,
            port=server.port,
            user=server.user,
            password=PASSWORD,
            bin_dir=tmp_path,
        )

        finding, _steps = found_by(check_structure(bare, NAME, is_quick=False, jobs=1))

        assert finding.outcome == Outcome.NOT_POSSIBLE
        assert "pg_amcheck" in finding.words

    def test_is_not_possible_where_the_server_does_not_know_amcheck(
        self, started: Callable[[], Postgres], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The server's programs are one installation for all tests: another name stands for it.
        monkeypatch.setattr(checking, "_EXTENSION", "amcheck_of_nobody")

        finding = structure(started())

        assert finding.outcome == Outcome.NOT_POSSIBLE
        assert "does not have the extension" in finding.words

    def test_a_file_of_the_catalogue_that_is_gone_is_damage(
        self, started: Callable[[], Postgres], cluster: Postgres, sound: dict[str, Path]
    ) -> None:
        (cluster.data_dir / sound["pg_depend"]).unlink()

        finding = structure(started())

        assert finding.outcome == Outcome.FAILED
        assert "broke off" in finding.words

    def test_counts_the_indexes_that_nobody_looks_at(self, started: Callable[[], Postgres]) -> None:
        cluster = started()
        with server_of(cluster).connect(NAME) as connection:
            connection.execute(f"create index on {TABLE} using hash (id)")
            connection.execute(f"create index on {TABLE} using gin (string_to_array(words, 'a'))")

        assert structure(cluster).figures["other_indexes"] == 2

    def test_has_failed_where_the_database_cannot_be_entered(
        self, started: Callable[[], Postgres]
    ) -> None:
        finding = structure(started(), "not there")

        assert finding.outcome == Outcome.FAILED
        assert "broke off" in finding.words

    def test_knows_the_size_of_every_database(self, started: Callable[[], Postgres]) -> None:
        sizes = sizes_of(server_of(started()))

        assert set(sizes) == {NAME, "postgres", "template1"}
        assert sizes[NAME] > sizes["postgres"] > 1_000_000


class TestPages:
    def test_reads_every_page(self, cluster: Postgres) -> None:
        finding, steps = found_by(check_pages(cluster))

        assert finding.outcome == Outcome.OK
        assert finding.figures["bad"] == 0
        assert finding.figures["pages"] > 3000
        assert 0 < steps[-1].done == steps[-1].total

    @pytest.mark.parametrize("damaged", [TABLE, INDEX])
    def test_finds_a_flipped_bit(
        self, cluster: Postgres, sound: dict[str, Path], damaged: str
    ) -> None:
        flip(cluster.data_dir / sound[damaged], 2 * 8192 + 4000)

        finding, _steps = found_by(check_pages(cluster))

        assert finding.outcome == Outcome.FAILED
        assert finding.figures["bad"] == 1
        assert f"{sound[damaged]}" in finding.words

    def test_is_not_possible_without_checksums(self, cluster: Postgres) -> None:
        cluster.run("pg_checksums", "--disable", f"--pgdata={cluster.data_dir}")

        finding, _steps = found_by(check_pages(cluster))

        assert finding.outcome == Outcome.NOT_POSSIBLE
        assert "no page checksums" in finding.words

    def test_has_failed_on_a_cluster_that_runs(self, started: Callable[[], Postgres]) -> None:
        finding, _steps = found_by(check_pages(started()))

        assert finding.outcome == Outcome.FAILED
        assert "must be shut down" in finding.words


class TestManifest:
    @pytest.fixture
    def filled(self, started: Callable[[], Postgres], tmp_path: Path) -> Postgres:
        """Give a directory that a base backup has filled, with its manifest."""
        cluster = started()
        folder = tmp_path / "filled"
        cluster.run(
            "pg_basebackup",
            "--host=127.0.0.1",
            f"--port={cluster.port}",
            "--username=postgres",
            f"--pgdata={folder}",
            "--wal-method=none",
            "--checkpoint=fast",
            env={"PGPASSWORD": PASSWORD},
        )
        return Postgres(bin_dir=cluster.bin_dir, data_dir=folder, port=cluster.port)

    def begin_lsn(self, filled: Postgres) -> int:
        manifest = json.loads((filled.data_dir / "backup_manifest").read_text())
        return parse_lsn(manifest["WAL-Ranges"][0]["Start-LSN"])

    def test_holds_the_files_to_it(self, filled: Postgres) -> None:
        (filled.data_dir / ".highwater-restore").write_text("{}")

        finding, _steps = found_by(check_manifest(filled, begin_lsn=self.begin_lsn(filled)))

        assert (finding.outcome, finding.words) == (Outcome.OK, "")

    def test_finds_a_flipped_bit(self, filled: Postgres, sound: dict[str, Path]) -> None:
        flip(filled.data_dir / sound[TABLE], 5000)

        finding, _steps = found_by(check_manifest(filled, begin_lsn=self.begin_lsn(filled)))

        assert finding.outcome == Outcome.FAILED
        assert f"{sound[TABLE]}" in finding.words

    def test_does_not_take_another_backups_for_its_own(
        self, filled: Postgres, sound: dict[str, Path]
    ) -> None:
        # As in every cluster that was once made from a base backup, and was backed up since.
        flip(filled.data_dir / sound[TABLE], 5000)

        finding, _steps = found_by(check_manifest(filled, begin_lsn=self.begin_lsn(filled) + 8))

        assert finding.outcome == Outcome.NOT_POSSIBLE
        assert "another backup" in finding.words

    def test_is_not_possible_without_one(self, filled: Postgres) -> None:
        begin = self.begin_lsn(filled)
        (filled.data_dir / "backup_manifest").unlink()

        finding, _steps = found_by(check_manifest(filled, begin_lsn=begin))

        assert finding.outcome == Outcome.NOT_POSSIBLE
        assert "no manifest" in finding.words

    @pytest.mark.parametrize("damage", ["{", "[]\n", '{"WAL-Ranges": []}\n', ""])
    def test_one_that_cannot_be_read_is_damage(self, filled: Postgres, damage: str) -> None:
        begin = self.begin_lsn(filled)
        (filled.data_dir / "backup_manifest").write_text(damage)

        finding, _steps = found_by(check_manifest(filled, begin_lsn=begin))

        assert finding.outcome == Outcome.FAILED
        assert "damaged" in finding.words

    def test_a_flipped_position_is_damage_and_not_another_backup(self, filled: Postgres) -> None:
        begin = self.begin_lsn(filled)
        manifest = filled.data_dir / "backup_manifest"
        flip(manifest, manifest.read_bytes().index(b"Start-LSN") + len('Start-LSN": "0/'))

        finding, _steps = found_by(check_manifest(filled, begin_lsn=begin))

        assert finding.outcome == Outcome.FAILED
        assert "own checksum" in finding.words
