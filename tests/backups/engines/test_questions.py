"""Questions of staff's own, asked of a real server: nothing but an answer comes of them."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backups.engines.checking import Outcome
from backups.engines.dumps import Server
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.engines.questions import READER, NoQuestion, ask, ask_in_use, is_question, read, reader
from tests.backups.engines.test_postgres import free_port

PASSWORD = "only-for-tests"

Inside = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a cluster that lets anybody in by a private socket, as a restored one does."""
    folder = tmp_path_factory.mktemp("hw-q")
    cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "data", port=free_port())
    cluster.create(password=PASSWORD)
    rules = folder / "rules"
    rules.write_text("local all all trust\n")
    cluster.start(
        log=folder / "log",
        settings={"fsync": "off", "unix_socket_directories": str(folder), "hba_file": str(rules)},
    )
    found = Server(host=str(folder), port=cluster.port, user="postgres", bin_dir=cluster.bin_dir)
    with found.connect() as connection:
        connection.execute("create database shop")
        connection.execute("revoke connect on database shop from public")
    with found.connect("shop") as connection:
        connection.execute("create table orders (id int, at timestamptz, secret text)")
        connection.execute("insert into orders values (1, '2026-11-22 23:41+00', 'x')")
        connection.execute("create domain word as text check (value <> '')")
        connection.execute("create table words as select 'x'::word as word")
        connection.execute("alter table orders enable row level security")
    yield found
    cluster.stop(mode="immediate")


@pytest.fixture
def connection(server: Server) -> Iterator[Inside]:
    with reader(server) as way, way.connect("shop") as found:
        yield found


class TestRead:
    """A server reads a question before it is kept; nothing is run."""

    @pytest.mark.parametrize(
        "question",
        [
            "select count(*) from orders",
            "select 1; -- all",
            "/* how many */ (select 1);",
            "with found as (select 1) select * from found",
        ],
    )
    def test_takes_one_question(self, connection: Inside, question: str) -> None:
        assert is_question(question)
        assert read(connection, question, seconds=5) == ""

    @pytest.mark.parametrize(
        ("question", "words"),
        [
            ("selec 1", "syntax error"),
            ("select 1; drop table orders", "multiple commands"),
            ("select 1, 2", "one column; it gives 2"),
            ("with gone as (delete from orders returning id) select id from gone", "It changes"),
        ],
    )
    def test_refuses_what_could_never_be_asked(
        self, connection: Inside, question: str, words: str
    ) -> None:
        with pytest.raises(NoQuestion, match=words):
            read(connection, question, seconds=5)

    def test_says_what_is_not_there_now(self, connection: Inside) -> None:
        assert "nowhere" in read(connection, "select id from nowhere", seconds=5)

    @pytest.mark.parametrize("question", ["selec 1", "drop table orders", "selected", "-- select"])
    def test_knows_no_question_without_a_server(self, question: str) -> None:
        assert not is_question(question)


class TestAsk:
    @pytest.mark.parametrize(
        "question", ["selec 1", "with g as (delete from orders returning id) select id from g"]
    )
    def test_shows_only_the_words_that_somebody_typed(
        self, connection: Inside, question: str
    ) -> None:
        answer = ask(connection, question)

        assert answer.outcome == Outcome.FAILED
        assert answer.words
        assert "CURSOR FOR" not in answer.words

    @pytest.mark.parametrize(
        ("question", "outcome", "value", "words"),
        [
            ("select count(*) > 0 from orders", Outcome.OK, "", ""),
            ("select max(at) from orders;", Outcome.OK, "2026-11-22 23:41:00 UTC", ""),
            ("select count(*) from orders -- all", Outcome.OK, "1", ""),
            ("select count(*) = 7 from orders", Outcome.FAILED, "", "false"),
            ("select max(at) from orders where id = 2", Outcome.FAILED, "", "null"),
            ("select id from orders where id = 2", Outcome.FAILED, "", "no row"),
            ("select * from generate_series(1, 10)", Outcome.FAILED, "", "more"),
            ("select 1, 2", Outcome.FAILED, "", "more"),
            ("select nonsense", Outcome.FAILED, "", "does not exist"),
            ("", Outcome.FAILED, "", "syntax error"),
            ("select '100 %s'", Outcome.OK, "100 %s", ""),
        ],
    )
    def test_judges_the_answer(
        self, connection: Inside, question: str, outcome: Outcome, value: str, words: str
    ) -> None:
        answer = ask(connection, question)

        assert (answer.outcome, answer.value) == (outcome, value)
        assert words in answer.words
        assert bool(answer.words) == (outcome != Outcome.OK)

    @pytest.mark.parametrize(
        "question",
        [
            "delete from orders",
            "with gone as (delete from orders returning *) select count(*) from gone",
            "select 1; delete from orders",
            "set transaction read write; delete from orders",
            "commit; delete from orders",
            "copy (select 1) to program 'touch /tmp/highwater-touched'",
            "do $$ begin delete from orders; end $$",
            "select pg_read_file('postgresql.conf')",
            "select lo_create(0) > 0",
            "select setval(pg_get_serial_sequence('orders', 'id'), 7)",
            "select set_config('transaction_read_only', 'off', true)",
            "select set_config('role', 'postgres', true)",
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
        ],
    )
    def test_lets_nothing_be_changed(
        self, server: Server, connection: Inside, question: str
    ) -> None:
        answer = ask(connection, question)

        assert answer.outcome == Outcome.FAILED
        with server.connect("shop") as inside:
            assert inside.execute("select count(*) from orders").fetchone() == (1,)

    def test_gives_up_on_what_takes_too_long(self, connection: Inside) -> None:
        answer = ask(connection, "select pg_sleep(20)", seconds=0.2)

        assert answer.outcome == Outcome.FAILED
        assert "statement timeout" in answer.words
        # The next one is asked all the same.
        assert ask(connection, "select true").outcome == Outcome.OK

    def test_does_not_wait_for_a_locked_table(self, server: Server, connection: Inside) -> None:
        with server.connect("shop") as other, other.transaction():
            other.execute("lock table orders in access exclusive mode")

            answer = ask(connection, "select count(*) from orders")

        assert answer.outcome == Outcome.FAILED
        assert "lock timeout" in answer.words

    def test_sees_what_row_security_hides(self, connection: Inside) -> None:
        assert ask(connection, "select count(*) from orders").value == "1"


class TestReader:
    def test_is_gone_at_the_end(self, server: Server) -> None:
        with reader(server) as way, way.connect("shop"):
            pass

        with server.connect() as connection:
            assert connection.execute(
                "select count(*) from pg_roles where rolname = %s", (READER,)
            ).fetchone() == (0,)

    def test_is_made_anew_where_a_death_left_it(self, server: Server) -> None:
        with server.connect() as connection:
            connection.execute(f"create role {READER} login")
            connection.execute(f"grant connect on database shop to {READER}")

        with reader(server) as way, way.connect("shop") as inside:
            assert ask(inside, "select count(*) from orders").outcome == Outcome.OK


class TestAskInUse:
    @pytest.mark.parametrize(
        ("question", "outcome", "value", "words"),
        [
            ("select count(*) > 0 from pg_class;", Outcome.OK, "", ""),
            ("select count(*) from pg_class where oid = 1247 -- all", Outcome.OK, "1", ""),
            ("select timestamptz '2026-11-22 23:41+00'", Outcome.OK, "2026-11-22 23:41:00 UTC", ""),
            ("select word from words", Outcome.OK, "x", ""),
            ("select 'a b'::char(5)", Outcome.OK, "a b  ", ""),
            ("select '100 %s'", Outcome.OK, "100 %s", ""),
            ("select 1 = 2", Outcome.FAILED, "", "false"),
            ("select null::int", Outcome.FAILED, "", "null"),
            ("select 1 where false", Outcome.FAILED, "", "no row"),
            ("select * from generate_series(1, 10)", Outcome.FAILED, "", "more"),
            ("select 1, 2", Outcome.FAILED, "", "more"),
            ("select nonsense", Outcome.FAILED, "", "does not exist"),
            ("select $1::int", Outcome.FAILED, "", "parameter"),
            ("", Outcome.FAILED, "", "no row"),
            ("select pg_sleep(20)::text", Outcome.FAILED, "", "statement timeout"),
            ("select 1; delete from orders", Outcome.FAILED, "", "multiple commands"),
            ("delete from orders", Outcome.FAILED, "", ""),
            ("delete from orders returning id", Outcome.FAILED, "", ""),
            ("commit", Outcome.FAILED, "", "no row"),
            ("select pg_read_file('postgresql.conf')", Outcome.FAILED, "", "permission denied"),
            ("select count(*) from orders", Outcome.FAILED, "", "row-level security"),
        ],
    )
    def test_judges_the_answer(
        self, server: Server, question: str, outcome: Outcome, value: str, words: str
    ) -> None:
        with server.connect("shop") as connection:
            answer = ask_in_use(connection, question, seconds=1)

            assert (answer.outcome, answer.value) == (outcome, value)
            assert words in answer.words
            assert connection.execute("select count(*) from orders").fetchone() == (1,)

    @pytest.mark.parametrize("setting", ["role", "session_authorization"])
    @pytest.mark.parametrize("value", ["none", "postgres", "default"])
    def test_nobody_takes_the_superusers_rights_back(
        self, server: Server, setting: str, value: str
    ) -> None:
        with server.connect("shop") as victim, server.connect("shop") as connection:
            kill = f"select pg_terminate_backend({victim.info.backend_pid})"
            answer = ask_in_use(
                connection,
                f"select set_config('{setting}', '{value}', true) "
                f"|| (select query_to_xml('{kill}', true, true, ''))::text",
                seconds=5,
            )

            assert answer.outcome == Outcome.FAILED
            assert victim.execute("select 1").fetchone() == (1,)

    def test_leaves_nothing_behind(self, server: Server) -> None:
        made = (
            "select (select count(*) from pg_proc where proname like 'highwater%'), "
            "(select count(*) from pg_roles where rolname like 'highwater%')"
        )
        with server.connect("shop") as connection:
            assert ask_in_use(connection, "select true", seconds=5).outcome == Outcome.OK

            assert connection.execute(made).fetchone() == (0, 0)
            assert connection.execute("select current_user").fetchone() == ("postgres",)
