"""Whether a database took writes: what counts as one, and what the server does by itself."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from backups.engines.dumps import Server
from backups.engines.dumps.swapping import DatabaseBusy
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.engines.writes import (
    State,
    activity_of,
    let_in,
    read_state,
    shut_out,
    state_of,
    writes_since,
)
from tests.protected import PASSWORD, free_port

ROWS = {"public.notes": 100, "public.empty": 0}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("writes")
    found = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "data", port=free_port())
    found.create(password=PASSWORD)
    start(found)
    yield found
    found.stop(mode="immediate")


def start(cluster: Postgres) -> None:
    cluster.start(
        log=cluster.data_dir.with_suffix(".log"), settings={"max_prepared_transactions": "2"}
    )


@pytest.fixture
def server(cluster: Postgres) -> Server:
    found = Server(
        host="127.0.0.1",
        port=cluster.port,
        user="postgres",
        password=PASSWORD,
        bin_dir=cluster.bin_dir,
    )
    with found.connect() as control:
        control.execute("drop database if exists acme with (force)")
        control.execute("create database acme")
    with found.connect("acme") as inside:
        inside.execute("create table notes (id serial primary key, words text)")
        inside.execute("insert into notes (words) select 'x' from generate_series(1, 100)")
        inside.execute("create table empty (id int)")
        inside.execute("create function one() returns int language sql return 1")
        # A crash lets a sequence jump that was used since the last one.
        inside.execute("checkpoint")
    return found


def taken(inside: Any, rows: dict[str, int]) -> State:
    state = state_of(inside, rows)
    assert state is not None
    return state


@pytest.fixture
def state(server: Server) -> State:
    with server.connect("acme") as inside:
        return taken(inside, ROWS)


def found_by(server: Server, state: State) -> str:
    with server.connect("acme") as inside:
        return writes_since(inside, state)


class TestWrites:
    @pytest.mark.parametrize(
        ("statements", "found"),
        [
            (["insert into notes values (7000, 'y')"], "rows of public.notes"),
            (["update notes set words = 'y' where id = 1"], "rows of public.notes"),
            (["delete from notes where id = 1"], "rows"),
            (["delete from notes where id = 1", "vacuum notes"], "rows"),
            (["truncate empty"], "definitions"),
            (["truncate notes"], "definitions"),
            (["create table more (id int)"], "definitions"),
            (["drop table empty"], "definitions"),
            (["drop function one()"], "definitions"),
            (["alter table notes add more int"], "definitions"),
            (["create index on notes (words)"], "definitions"),
            (["select lo_from_bytea(0, 'x')"], "definitions"),
            (["select nextval('notes_id_seq')"], "sequences"),
            (["create temporary table t as select 1", "insert into empty values (1)"],
             "rows of public.empty"),
        ],
    )  # fmt: skip
    def test_are_seen(
        self, statements: list[str], found: str, server: Server, state: State
    ) -> None:
        with server.connect("acme") as inside:
            for statement in statements:
                inside.execute(statement)

        assert found_by(server, state) == found

    @pytest.mark.parametrize(
        "statements",
        [
            ["select count(*) from notes"],
            ["vacuum notes", "analyze notes"],
            ["vacuum (freeze, analyze)"],
            ["create temporary table t as select * from notes", "drop table t"],
            ["begin", "insert into empty values (1)", "rollback"],
            ["create database other", "drop database other"],
            ["checkpoint"],
        ],
    )
    def test_are_not_what_the_server_does_itself_nor_what_was_taken_back(
        self, statements: list[str], server: Server, state: State
    ) -> None:
        with server.connect("acme") as inside:
            for statement in statements:
                inside.execute(statement)
            # Somebody elsewhere writes: numbers are given out.
            with server.connect() as elsewhere:
                elsewhere.execute("select pg_current_xact_id()")

        assert found_by(server, state) == ""

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    @pytest.mark.parametrize("statement", ["select 1", "insert into empty values (1)"])
    def test_are_told_from_none_over_a_restart_and_a_crash(
        self, statement: str, mode: str, cluster: Postgres, server: Server
    ) -> None:
        with server.connect("acme") as inside:
            state = taken(inside, ROWS)
            inside.execute(statement)
        cluster.stop(mode=mode)
        start(cluster)

        found = found_by(server, state)
        assert found == ("rows of public.empty" if statement.startswith("insert") else "")

    def test_by_a_transaction_that_was_prepared_before_could_not_be_told(
        self, server: Server
    ) -> None:
        with server.connect("acme") as inside:
            inside.execute("begin")
            inside.execute("update notes set words = 'y' where id = 1")
            inside.execute("prepare transaction 'waits'")
            try:
                assert state_of(inside, ROWS) is None
            finally:
                inside.execute("rollback prepared 'waits'")
            assert state_of(inside, ROWS) is not None

    def test_in_a_table_that_was_too_large_to_count(
        self, cluster: Postgres, server: Server
    ) -> None:
        with server.connect("acme") as inside:
            state = taken(inside, {"public.empty": 0})
        assert state.rows is None
        assert found_by(server, state) == ""

        with server.connect("acme") as inside:
            inside.execute("delete from notes where id = 3")
        assert found_by(server, state) == "rows"

        # Its statistics are lost in a crash, and then nobody can tell.
        cluster.stop(mode="immediate")
        start(cluster)
        assert found_by(server, state) == "unknown"

    def test_of_a_state_that_is_not_of_this_cluster_cannot_be_told(
        self, server: Server, state: State
    ) -> None:
        said = state.as_json()
        assert read_state(said) == state
        said["next_transaction"] += 1_000_000
        other = read_state(said)
        assert other is not None

        assert found_by(server, other) == "unknown"
        assert read_state({}) is None

    def test_quiet_is_quiet_only_while_nothing_was_written(
        self, server: Server, state: State
    ) -> None:
        with server.connect("acme") as inside:
            quiet = activity_of(inside)
        with server.connect() as elsewhere:
            elsewhere.execute("select pg_current_xact_id()")
        with shut_out(server, "acme") as inside:
            assert writes_since(inside, state, quiet_since=quiet) == ""
        let_in(server, "acme")
        with server.connect("acme") as inside:
            inside.execute("insert into empty values (1)")

        with shut_out(server, "acme") as inside:
            assert writes_since(inside, state, quiet_since=quiet) == "rows of public.empty"
        let_in(server, "acme")


class TestShutOut:
    @pytest.fixture
    def entering(self, server: Server) -> Callable[[], Any]:
        return lambda: psycopg.connect(server.conninfo("acme"), password=PASSWORD)

    def test_nobody_is_inside_or_comes_in_until_they_are_let_in(
        self, server: Server, entering: Callable[[], Any]
    ) -> None:
        with entering() as before:
            with shut_out(server, "acme") as inside:
                assert inside.execute("select 1").fetchone() == (1,)
                with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
                    entering()
            with pytest.raises(psycopg.OperationalError):
                before.execute("select 1")
        with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
            entering()

        let_in(server, "acme")
        entering().close()

    def test_a_fault_lets_people_in_again(
        self, server: Server, entering: Callable[[], Any]
    ) -> None:
        with pytest.raises(ZeroDivisionError), shut_out(server, "acme"):
            raise ZeroDivisionError

        entering().close()

    def test_what_was_prepared_is_not_forgotten(
        self, server: Server, entering: Callable[[], Any]
    ) -> None:
        with server.connect("acme") as inside:
            inside.execute("begin")
            inside.execute("insert into empty values (1)")
            inside.execute("prepare transaction 'mine'")

        with pytest.raises(DatabaseBusy, match="mine"), shut_out(server, "acme"):
            pass

        with entering() as inside:
            inside.autocommit = True
            inside.execute("rollback prepared 'mine'")

    def test_letting_into_what_is_not_there_is_nothing(self, server: Server) -> None:
        let_in(server, "nowhere")
