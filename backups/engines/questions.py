"""Asking a database questions that others wrote, so that nothing but an answer can come of it.

That a question only reads is the server's to enforce: it is the query of a cursor, alone in a
read-only transaction with limits on its time, asked by an account that may read everything and do
nothing else, and cannot become another one. Its words are not looked at here.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import errors, pq, sql

from backups.engines.checking import WORDS, Outcome
from backups.engines.dumps.server import Connection, Server

STATEMENT_SECONDS = 60
LOCK_SECONDS = 2
VALUE = 200
# How one begins, behind comments and brackets: the words that a cursor takes.
_BEGINS = re.compile(
    r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:select|with|values|table)\b",
    re.IGNORECASE | re.DOTALL,
)
# The account that asks, in a restored cluster that nobody else can enter.
READER = "highwater_reader"
# What every PostgreSQL from 14 on has: an account that may read everything.
_READS_ALL = "pg_read_all_data"
# Within a function that runs as its owner, PostgreSQL lets nobody change the role: what a session
# has set, it can set back.
_SHUT_IN = sql.SQL("""
    create function pg_temp.highwater_question(question text) returns setof {type}
    language plpgsql security definer as $body$
    declare
        answer {type};
        many int := 0;
    begin
        for answer in execute question loop
            return next answer;
            many := many + 1;
            exit when many = 2;
        end loop;
    end
    $body$
""")


class NoQuestion(ValueError):
    """A server cannot read it, or it is no question; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question came to: ``value`` as it is shown, ``words`` why it is not ok."""

    outcome: Outcome
    seconds: float = 0.0
    value: str = ""
    words: str = ""


def is_question(question: str) -> bool:
    """Whether it begins as a question does, by a SELECT or a WITH. No server is asked."""
    return _BEGINS.match(question) is not None


def read(connection: Connection, question: str, *, seconds: float) -> str:
    """Have a server read a question without running it; return why it could not be asked now.

    Empty if nothing is wrong with it. What is not there now may be there when it is asked.

    :raises NoQuestion: if it is not one SELECT or WITH that only reads, and gives one column
    :raises psycopg.Error: if the server cannot be asked
    """
    with connection.transaction(force_rollback=True):
        connection.execute("set transaction read only")
        _limit(connection, seconds)
        try:
            types = _types_of(connection, question)
        except (errors.SyntaxError, errors.FeatureNotSupported) as error:
            raise NoQuestion(_words_of(error)) from error
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            return _words_of(error)
        if len(types) != 1:
            raise NoQuestion(f"It has to give one column; it gives {len(types)}.")
        try:
            # Below another question nothing may stand that changes rows, however it begins.
            alone = question.rstrip().rstrip(";")
            _types_of(connection, f"select * from ({alone}\n) as question")  # noqa: S608 - not run
        except errors.FeatureNotSupported as error:
            raise NoQuestion("It changes what it should only read.") from error
        except psycopg.Error:
            # It was well by itself: a comment behind it, say.
            return ""
    return ""


def ask(connection: Connection, question: str, *, seconds: float = STATEMENT_SECONDS) -> Answer:
    """Ask one question. True is ok, false is not, any other value is ok and shown; null is not.

    An error, a table that stays locked, an answer that takes too long or is no single value: all of
    them have failed, with the server's words. Nothing is left of it in the database.
    """
    began = time.monotonic()
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("set transaction read only")
            _limit(connection, seconds)
            # First by itself: the server then shows the place of an error in these words alone.
            _types_of(connection, question)
            # The query of a cursor can be nothing but one SELECT, VALUES or WITH that only reads.
            with connection.cursor(name="highwater") as cursor:
                cursor.execute(question.encode())
                rows = cursor.fetchmany(2)
    except psycopg.Error as error:
        return _failed(_words_of(error), began)
    return _single(rows, began)


def ask_in_use(connection: Connection, question: str, *, seconds: float) -> Answer:
    """Ask one question of a cluster that is in use, entered as a superuser; else as ``ask`` does.

    It is asked with the rights of a reader, which it cannot put off: by a function of that owner,
    in a transaction that is never committed, so that no account is left there, nor anything else.

    :raises psycopg.Error: if that cannot be: the server is older than 14, or a standby
    """
    began = time.monotonic()
    with connection.transaction(force_rollback=True):
        connection.execute("set transaction read write")
        # Its words are read with these rights as well: names in them are looked up by that.
        connection.execute(f"set local role {_READS_ALL}")
        _limit(connection, seconds)
        try:
            types = _types_of(connection, question)
            # As many columns as types: that is known without asking.
            if len(types) != 1:
                return _single([types] if types else [], began)
            connection.execute("set local role none")
            rows = _ask_shut_in(connection, question, types[0])
        except psycopg.Error as error:
            return _failed(_words_of(error), began)
    return _single(rows, began)


@contextmanager
def reader(server: Server) -> Iterator[Server]:
    """Give a way into a private cluster that can read everything and nothing else.

    The account is there only meanwhile.

    :raises psycopg.Error: if it cannot be made
    """
    with server.connect() as connection:
        connection.execute("set default_transaction_read_only = off")
        _drop_reader(connection)
        connection.execute(f"create role {READER} login bypassrls in role {_READS_ALL}")
        for (name,) in connection.execute(
            "select datname from pg_database "
            "where datallowconn and not has_database_privilege(%s, oid, 'connect')",
            (READER,),
        ).fetchall():
            connection.execute(
                sql.SQL("grant connect on database {} to {}").format(
                    sql.Identifier(name), sql.Identifier(READER)
                )
            )
        try:
            yield replace(server, user=READER)
        finally:
            _drop_reader(connection)


def _limit(connection: Connection, seconds: float) -> None:
    limits = {
        "statement_timeout": f"{round(seconds * 1000)}ms",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "timezone": "UTC",
        # An account that row security hides rows from is told so, not shown less.
        "row_security": "off",
    }
    for name, value in limits.items():
        connection.execute(sql.SQL("set local {} = {}").format(sql.Identifier(name), value))


def _types_of(connection: Connection, question: str) -> list[str]:
    """Return the types of a question's columns; it is read for that, and not run."""
    inside = connection.pgconn
    for result in (inside.prepare(b"", question.encode()), inside.describe_prepared(b"")):
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise errors.error_from_result(result)
    row = connection.execute(
        "select pg_catalog.array_agg(pg_catalog.format_type(type, -1) order by place) "
        "from pg_catalog.unnest(%s::oid[]) with ordinality as found(type, place)",
        ([result.ftype(number) for number in range(result.nfields)],),
    ).fetchone()
    assert row is not None
    return row[0] or []


def _words_of(error: psycopg.Error) -> str:
    """Return the server's words, without the statement that a question is wrapped in."""
    said = error.diag
    if said.message_primary is None:
        return str(error)
    if said.statement_position and "highwater" not in str(error):
        return str(error)
    words = [said.message_primary]
    words += [f"DETAIL:  {said.message_detail}"] if said.message_detail else []
    words += [f"HINT:  {said.message_hint}"] if said.message_hint else []
    return "\n".join(words)


def _drop_reader(connection: Connection) -> None:
    there = connection.execute("select from pg_roles where rolname = %s", (READER,)).fetchone()
    if there is not None:
        connection.execute(f"drop owned by {READER}")
        connection.execute(f"drop role {READER}")


def _ask_shut_in(connection: Connection, question: str, kind: str) -> list[tuple[Any, ...]]:
    """Ask from within a function that is a reader's; ``kind`` is as the server writes a type."""
    connection.execute(_SHUT_IN.format(type=sql.SQL(kind)))
    connection.execute(f"alter function pg_temp.highwater_question owner to {_READS_ALL}")
    connection.execute("set transaction read only")
    return connection.execute(
        "select * from pg_temp.highwater_question(%s)", (question,)
    ).fetchall()


def _single(rows: Sequence[Sequence[Any]], began: float) -> Answer:
    if len(rows) != 1 or len(rows[0]) != 1:
        return _failed(
            "The answer has to be one row with one value; it has "
            + ("no row." if not rows else "more. Ask for less, as with max() or count()."),
            began,
        )
    return _judged(rows[0][0], began)


def _judged(value: Any, began: float) -> Answer:
    seconds = time.monotonic() - began
    if value is True:
        return Answer(outcome=Outcome.OK, seconds=seconds)
    if value is False:
        return _failed("The answer is false.", began)
    if value is None:
        return _failed("The answer is null.", began)
    return Answer(outcome=Outcome.OK, seconds=seconds, value=_shown(value)[:VALUE])


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value
        return f"{at:%Y-%m-%d %H:%M:%S}" + (" UTC" if value.tzinfo else "")
    return str(value)


def _failed(words: str, began: float) -> Answer:
    return Answer(
        outcome=Outcome.FAILED, seconds=time.monotonic() - began, words=words.strip()[:WORDS]
    )
