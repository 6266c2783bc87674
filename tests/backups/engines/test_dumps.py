"""One database dumped, brought back beside, and swapped in, on a real server."""

import dataclasses
import json
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest

from backups.engines.dumps import (
    Server,
    counts_of,
    dump_database,
    read_description,
    restore_database,
    restoring_name,
    swap_in,
)
from backups.engines.dumps.restoring import LONGEST_NAME, DumpUnfit
from backups.engines.dumps.server import ServerUnreachable
from backups.engines.dumps.swapping import DatabaseBusy, NothingToSwap
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.errors import DirectoryForeign, ObjectDamaged, ObjectMissing
from backups.steps import Step
from tests.backups.engines.test_postgres import free_port

NAME = 'dumped "one"'
KEPT = "dumped before"
PASSWORD = "only-for-tests"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a cluster for the dumps of this file."""
    folder = tmp_path_factory.mktemp("dumps")
    made = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "data", port=free_port())
    made.create(password=PASSWORD)
    made.start(log=folder / "log", settings={"fsync": "off", "max_prepared_transactions": "2"})
    yield Server(
        host="127.0.0.1",
        port=made.port,
        user="postgres",
        password=PASSWORD,
        bin_dir=made.bin_dir,
    )
    made.stop(mode="immediate")


@pytest.fixture
def server(cluster: Server) -> Server:
    """Give a server with one database that has a bit of everything."""
    found = cluster
    _drop(found)
    with found.connect() as connection:
        connection.execute('create role "the owner"')
        connection.execute(f'create database {_quoted(NAME)} owner "the owner" template template0')
        connection.execute(f"revoke connect on database {_quoted(NAME)} from public")
        connection.execute(f'grant connect on database {_quoted(NAME)} to "the owner"')
        connection.execute(
            f"alter database {_quoted(NAME)} set search_path to shop, public; "
            f"alter database {_quoted(NAME)} set work_mem to '5MB'"
        )
    with found.connect(NAME) as connection:
        connection.execute("create extension pgcrypto; create schema shop")
        for table in ("shop.notes", "public.notes", "shop.orders"):
            connection.execute(f"create table {table} (id int primary key, words text)")
            connection.execute(
                f"insert into {table} "  # noqa: S608
                "select n, md5(n::text) from generate_series(1, 5000) n"
            )
        connection.execute("create index on shop.notes (words); delete from public.notes")
    return found


def _drop(server: Server) -> None:
    with server.connect() as connection:
        for name in (NAME, KEPT, restoring_name(NAME)):
            connection.execute(f"drop database if exists {_quoted(name)} with (force)")
        connection.execute('drop role if exists "the owner"')


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("jobs", [1, 3])
class TestThereAndBack:
    def test_a_database_comes_back_as_it_was(
        self, server: Server, tmp_path: Path, jobs: int
    ) -> None:
        before = counts_of(server, NAME)

        taken = list(dump_database(server, NAME, tmp_path / "dump", jobs=jobs))
        with server.connect(NAME) as connection:
            connection.execute("insert into shop.orders values (0, 'after the dump')")
        brought = list(restore_database(server, tmp_path / "dump", NAME, jobs=jobs))
        swap_in(server, NAME, keep_as=KEPT)

        assert before == {"public.notes": 0, "shop.notes": 5000, "shop.orders": 5000}
        assert counts_of(server, NAME) == before
        assert read_description(tmp_path / "dump").rows == before
        assert counts_of(server, KEPT) == {**before, "shop.orders": 5001}
        for steps in (taken, brought):
            assert steps[-1].done == steps[-1].total
            told = [step.done for step in steps]
            assert told == sorted(told)
        with server.connect(NAME) as connection:
            assert connection.execute("show work_mem").fetchone() == ("5MB",)
            assert connection.execute("select count(words) from notes").fetchone() == (5000,)
            owner = connection.execute(
                "select pg_get_userbyid(datdba), has_database_privilege('public', oid, 'connect'), "
                "has_database_privilege('public', oid, 'temporary') from pg_database "
                "where datname = current_database()"
            ).fetchone()
            # What was revoked stays revoked, the rest stays granted.
            assert owner == ("the owner", False, True)


def dumped(server: Server, folder: Path) -> Path:
    list(dump_database(server, NAME, folder / "dump"))
    return folder / "dump"


def closed(steps: Iterator[Step]) -> None:
    assert isinstance(steps, Generator)
    steps.close()


def busy_programs(server: Server) -> list[tuple[object, ...]]:
    """Name the sessions of dump and restore programs that are still there."""
    with server.connect() as connection:
        return connection.execute(
            "select application_name, query from pg_stat_activity "
            "where application_name like 'pg_%' or application_name = 'highwater' "
            "and pid <> pg_backend_pid()"
        ).fetchall()


class TestDumpDatabase:
    def test_closing_it_leaves_no_program_and_no_dump(self, server: Server, tmp_path: Path) -> None:
        with server.connect(NAME) as holder, holder.transaction():
            # The dump has to wait for this lock: it is caught in the middle.
            holder.execute("lock table shop.orders in access exclusive mode")
            steps = dump_database(server, NAME, tmp_path / "dump")
            for step in steps:
                if step.total is not None:
                    break
            assert busy_programs(server)
            closed(steps)

        assert not (tmp_path / "dump").exists()
        assert busy_programs(server) == []

    def test_takes_the_place_of_a_half_and_never_of_a_whole(
        self, server: Server, tmp_path: Path
    ) -> None:
        half = tmp_path / "dump.part"
        half.mkdir()
        (half / "toc.dat").write_text("cut")

        whole = dumped(server, tmp_path)

        assert not half.exists()
        with pytest.raises(DirectoryForeign, match="is there already"):
            next(dump_database(server, NAME, whole))

    def test_names_a_server_that_refuses(self, server: Server, tmp_path: Path) -> None:
        stranger = dataclasses.replace(server, password="a guess")

        with pytest.raises(ServerUnreachable, match="password authentication failed"):
            next(dump_database(stranger, NAME, tmp_path / "dump"))
        assert "a guess" not in repr(stranger)

    def test_holds_one_moment(self, server: Server, tmp_path: Path) -> None:
        steps = dump_database(server, NAME, tmp_path / "dump")
        next(steps)  # The snapshot is taken.
        with server.connect(NAME) as connection:
            connection.execute("delete from shop.orders")
        list(steps)

        list(restore_database(server, tmp_path / "dump", NAME))

        assert counts_of(server, restoring_name(NAME))["shop.orders"] == 5000


class TestRestoreDatabase:
    def test_names_everything_that_the_server_lacks(self, server: Server, tmp_path: Path) -> None:
        folder = dumped(server, tmp_path)
        description = (folder / "database.json").read_text()
        (folder / "database.json").write_text(
            description.replace('"pgcrypto"', '"no_such_thing"').replace("the owner", "the heir")
        )

        with pytest.raises(DumpUnfit) as told:
            list(restore_database(server, folder, NAME))

        assert "the role the heir, the extension no_such_thing" in told.value.advice

    def test_names_a_locale_that_is_not_here(self, server: Server, tmp_path: Path) -> None:
        folder = dumped(server, tmp_path)
        description = json.loads((folder / "database.json").read_text())
        description |= {"collate": "tlh_QX.UTF-8", "ctype": "tlh_QX.UTF-8"}
        (folder / "database.json").write_text(json.dumps(description))

        with pytest.raises(DumpUnfit) as told:
            list(restore_database(server, folder, NAME))

        assert "whose locale is tlh_QX.UTF-8" in told.value.advice

    def test_a_damaged_data_file_fails_it(self, server: Server, tmp_path: Path) -> None:
        folder = dumped(server, tmp_path)
        largest = max(folder.glob("*.dat*"), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[:-50])

        with pytest.raises(ObjectDamaged, match=r"rows instead of 5000|pg_restore"):
            list(restore_database(server, folder, NAME))

    def test_goes_over_the_half_of_an_earlier_attempt(self, server: Server, tmp_path: Path) -> None:
        folder = dumped(server, tmp_path)
        steps = restore_database(server, folder, NAME)
        for _number in range(3):
            next(steps)
        closed(steps)
        assert busy_programs(server) == []

        list(restore_database(server, folder, NAME))

        assert counts_of(server, restoring_name(NAME)) == counts_of(server, NAME)

    def test_refuses_a_folder_that_is_no_dump(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(ObjectMissing, match="no finished dump"):
            next(restore_database(server, tmp_path, NAME))


class TestSwapIn:
    def test_sends_out_who_is_inside(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        with server.connect(NAME) as customer:
            customer.execute("select 1")

            swap_in(server, NAME, keep_as=KEPT)

            with pytest.raises(psycopg.OperationalError):
                customer.execute("select 1")
        assert counts_of(server, NAME) == counts_of(server, KEPT)

    def test_done_already_it_does_nothing(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        swap_in(server, NAME, keep_as=KEPT)
        with server.connect(NAME) as connection:
            connection.execute("delete from shop.orders")

        swap_in(server, NAME, keep_as=KEPT)

        assert counts_of(server, NAME)["shop.orders"] == 0

    def test_puts_it_where_there_was_none(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        with server.connect() as connection:
            connection.execute(f"drop database {_quoted(NAME)}")

        swap_in(server, NAME, keep_as=KEPT)

        assert counts_of(server, NAME)["shop.orders"] == 5000

    def test_goes_on_after_death_in_the_middle(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        with server.connect() as connection:
            # As far as it comes before the renames, which are one transaction.
            for name in (NAME, restoring_name(NAME)):
                connection.execute(f"alter database {_quoted(name)} allow_connections false")

        swap_in(server, NAME, keep_as=KEPT)

        assert counts_of(server, NAME) == counts_of(server, KEPT)

    def test_lets_sessions_in_again_where_it_cannot(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        with server.connect(NAME) as connection:
            connection.execute("begin; delete from shop.orders; prepare transaction 'held'")
        try:
            with pytest.raises(DatabaseBusy, match="prepared transaction"):
                swap_in(server, NAME, keep_as=KEPT)
            assert counts_of(server, NAME)["shop.orders"] == 5000
        finally:
            with server.connect(NAME) as connection:
                connection.execute("rollback prepared 'held'")

    def test_overwrites_nothing_that_was_kept(self, server: Server, tmp_path: Path) -> None:
        list(restore_database(server, dumped(server, tmp_path), NAME))
        with server.connect() as connection:
            connection.execute(f"create database {_quoted(KEPT)}")

        with pytest.raises(NothingToSwap) as told:
            swap_in(server, NAME, keep_as=KEPT)

        assert f"kept as {KEPT}, which exists already" in told.value.advice

    def test_refuses_without_a_restored_one(self, server: Server) -> None:
        with pytest.raises(NothingToSwap) as told:
            swap_in(server, NAME, keep_as=KEPT)

        assert "Restore it first." in told.value.advice


def test_two_long_names_stay_two() -> None:
    names = {restoring_name("x" * 60 + letter) for letter in ("aé", "bé")}

    assert len(names) == 2
    assert all(len(name.encode()) <= LONGEST_NAME for name in names)
