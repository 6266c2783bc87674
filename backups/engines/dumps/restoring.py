"""Bringing a dump back, into a database beside the one that customers use."""

import hashlib
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from backups.engines import programs
from backups.engines.dumps.description import Description, read_description
from backups.engines.dumps.dumping import told
from backups.engines.dumps.progress import Progress
from backups.engines.dumps.server import Connection, Server, count_rows, tables_of
from backups.errors import EngineFailed, ObjectDamaged, ToolFailed
from backups.steps import Step

LONGEST_NAME = 63
SUFFIX = "__restoring"
# Lists, whose stored text is several literals: the server has to take it as it is.
_LISTS = {
    "search_path",
    "session_preload_libraries",
    "local_preload_libraries",
    "temp_tablespaces",
}
_ITEM = re.compile(r"^(\d+); \d+ \d+ TABLE DATA (.+)$")
_FINISHED = re.compile(rb"finished item (\d+) ")
_BEGUN = re.compile(rb"processing data for table ")


class RowsDiffer(ObjectDamaged):
    """A database came back with other rows than it was dumped with."""

    code = "rows-differ"
    advice = (
        "A restored database has other rows than its dump (the log names the tables), and was not "
        "put in place. Let it be tried again; if it stays so, read the server's log."
    )


class DumpUnfit(EngineFailed):
    """The server lacks something that a dump needs; the advice names it."""

    code = "dump-unfit"


def restoring_name(name: str) -> str:
    """Return the name under which a database comes back, before it is swapped in."""
    return beside(name, SUFFIX)


def beside(name: str, suffix: str) -> str:
    """Return a name made of two that PostgreSQL does not cut off, unlike for other names."""
    if len((name + suffix).encode()) <= LONGEST_NAME:
        return name + suffix
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    room = LONGEST_NAME - len(suffix.encode()) - len(mark)
    return name.encode()[:room].decode(errors="ignore") + mark + suffix


def restore_database(
    server: Server, folder: Path, name: str, *, jobs: int = 2
) -> Generator[Step, None, dict[str, int | None]]:
    """Restore a dump as ``restoring_name(name)``, ready to be swapped in: nobody's data is touched.

    Owners, grants and settings are the dumped database's, and so are tablespaces if all of them are
    here; statistics are gathered. An earlier attempt's half is dropped. Steps are in bytes of the
    dump's data files. ``jobs`` connections copy, one more watches; with one job, the server's own
    parallel workers are left out too. Closing the iterator ends it and
    leaves a half. It returns the rows of each table that came back, by ``schema.table``; None
    stands for a table that could not be counted, here or when it was dumped.

    :raises ObjectMissing: if the folder holds no finished dump of ours
    :raises DumpUnfit: if the server lacks a role, an extension, a locale or is too old, naming it
    :raises RowsDiffer: naming the tables, if they are not those that the dump's own moment had
    :raises ServerUnreachable: if the server does not let us in
    :raises ToolFailed: if pg_restore gave up
    """
    server = server.frugal() if jobs == 1 else server
    description = read_description(folder)
    place = restoring_name(name)
    tables = yield from _table_of_contents(server, folder)
    with server.connect() as connection:
        require_fit(connection, description)
        options = _options_for(connection, description)
        _create(connection, description, place)
    with server.connect(place) as watch:
        progress = Progress(_weights(folder, tables), description.rows, watch)
        yield from _followed(
            server, folder, place, progress, tables=tables, jobs=jobs, options=options
        )
        yield Step(done=progress.total, total=progress.total)
    yield from _analyzed(server, place, jobs=jobs, total=progress.total)
    rows = yield from _compared(server, place, description, total=progress.total)
    with server.connect() as connection:
        _configure(connection, description, place)
    yield Step(done=progress.total, total=progress.total)
    return rows


def require_fit(connection: Connection, description: Description) -> None:
    """Make sure that a server can hold a database, before anything is done.

    :raises DumpUnfit: if it lacks something, naming all of it
    """
    roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
    known = {row[0] for row in connection.execute("select name from pg_available_extensions")}
    lacks = [
        *(f"the role {role}" for role in description.roles if role not in roles),
        *(f"the extension {name}" for name in description.extensions if name not in known),
    ]
    ours = connection.info.server_version // 10000
    if ours < description.server_version // 10000:
        lacks.append(f"PostgreSQL {description.server_version // 10000} (it is {ours})")
    if lacks:
        raise DumpUnfit(
            ", ".join(lacks),
            advice=f"The server lacks what the database {description.name} needs: "
            f"{', '.join(lacks)}. Add it there, then resume.",
        )


def _options_for(connection: Connection, said: Description) -> list[str]:
    """Let everything lie in the usual place, if a tablespace that was used is not here."""
    here = {row[0] for row in connection.execute("select spcname from pg_tablespace")}
    return [] if here.issuperset(said.tablespaces) else ["--no-tablespaces"]


def _create(connection: Connection, said: Description, place: str) -> None:
    parts: list[sql.Composable] = [
        sql.SQL("create database {} template template0 owner {} encoding {}").format(
            sql.Identifier(place), sql.Identifier(said.owner), sql.Literal(said.encoding)
        ),
        sql.SQL("lc_collate {} lc_ctype {}").format(
            sql.Literal(said.collate), sql.Literal(said.ctype)
        ),
    ]
    provider = {"i": "icu", "b": "builtin"}.get(said.provider)
    if provider:
        parts.append(sql.SQL("locale_provider {}").format(sql.Identifier(provider)))
        parts.append(
            sql.SQL("{} {}").format(sql.SQL(f"{provider}_locale"), sql.Literal(said.locale))
        )
    elif connection.info.server_version >= 150000:  # noqa: PLR2004 - the version that knows it
        parts.append(sql.SQL("locale_provider libc"))
    if said.icu_rules:
        parts.append(sql.SQL("icu_rules {}").format(sql.Literal(said.icu_rules)))
    connection.execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(place))
    )
    try:
        connection.execute(sql.SQL(" ").join(parts))
    except (
        psycopg.errors.WrongObjectType,
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.FeatureNotSupported,
    ) as error:
        raise DumpUnfit(
            str(error),
            advice=f"The server cannot make a database like {said.name}, whose locale is "
            f"{said.locale or said.collate}. Install that locale there, then resume.",
        ) from error


def _table_of_contents(server: Server, folder: Path) -> Generator[Step, None, dict[str, str]]:
    """List the tables of a dump by the number of their data file, in the order of the dump."""
    listing = b""
    for output in programs.follow([server.program("pg_restore"), "--list", str(folder)], env={}):
        yield Step(done=0)
        listing = bytes(output.text)
    found = {}
    for line in listing.decode(errors="replace").splitlines():
        item = _ITEM.match(line)
        if item is not None:
            # Schema, name and owner, parted by blanks.
            schema, *table, _owner = item[2].split(" ")
            found[item[1]] = f"{schema}.{' '.join(table)}"
    return found


def _weights(folder: Path, tables: dict[str, str]) -> dict[str, int]:
    sizes = {path.name.partition(".")[0]: path.stat().st_size for path in folder.glob("*.dat*")}
    return {table: sizes.get(number, 0) for number, table in tables.items()}


def _followed(
    server: Server,
    folder: Path,
    place: str,
    progress: Progress,
    *,
    tables: dict[str, str],
    jobs: int,
    options: Sequence[str],
) -> Iterator[Step]:
    command = [
        server.program("pg_restore"),
        *options,
        "--exit-on-error",
        "--verbose",
        "--no-password",
        f"--jobs={jobs}",
        f"--dbname={server.conninfo(place)}",
        str(folder),
    ]
    lines, order, begun = programs.Lines(), list(tables.values()), 0
    try:
        for output in programs.follow(command, env=server.environment):
            for line in lines.of(output):
                if jobs > 1 and (found := _FINISHED.search(line)):
                    progress.finish(tables.get(found[1].decode(), ""))
                elif jobs == 1 and _BEGUN.search(line):
                    # One after the other: where the next begins, those before have ended.
                    begun += 1
                    for table in order[: begun - 1]:
                        progress.finish(table)
            yield Step(done=progress.done(), total=progress.total)
    except ToolFailed as failed:
        raise told(failed) from failed


def _analyzed(server: Server, place: str, *, jobs: int, total: int) -> Iterator[Step]:
    command = [
        server.program("vacuumdb"),
        "--analyze-only",
        "--no-password",
        "--quiet",
        f"--jobs={jobs}",
        f"--dbname={server.conninfo(place)}",
    ]
    for _output in programs.follow(command, env=server.environment):
        yield Step(done=total, total=total)


def _compared(
    server: Server, place: str, description: Description, *, total: int
) -> Generator[Step, None, dict[str, int | None]]:
    """Count what came back: pg_restore takes the end of a cut off data file for its end."""
    wanted, found = description.rows, {}
    with server.connect(place) as connection:
        for table, _size in tables_of(connection):
            yield Step(done=total, total=total)
            found[table.full_name] = count_rows(connection, table)
    unknown = {table for table in found if found[table] is None or wanted.get(table, 0) is None}
    differ = sorted(t for t in {*wanted, *found} - unknown if wanted.get(t) != found.get(t, -1))
    if differ:
        said = (f"{t}: {found.get(t, 'no')} rows instead of {wanted.get(t)}" for t in differ[:20])
        raise RowsDiffer("; ".join(said))
    return {table: None if table in unknown else count for table, count in found.items()}


def _configure(connection: Connection, said: Description, place: str) -> None:
    """Give a database what its dump leaves out: grants on it, its limit, its settings."""
    database = sql.Identifier(place)
    with connection.transaction():
        connection.execute(
            sql.SQL("alter database {} connection limit {}").format(
                database, sql.Literal(said.connection_limit)
            )
        )
        if said.grants is not None:
            connection.execute(sql.SQL("revoke all on database {} from public").format(database))
            for role, privilege, may_pass_on in said.grants:
                connection.execute(
                    sql.SQL("grant {} on database {} to {}{}").format(
                        sql.SQL(privilege),
                        database,
                        sql.Identifier(role) if role else sql.SQL("public"),
                        sql.SQL(" with grant option" if may_pass_on else ""),
                    )
                )
        for role, settings in said.settings.items():
            for setting in settings:
                _set(connection, database, role, setting)


def _set(connection: Connection, database: sql.Identifier, role: str, setting: str) -> None:
    name, _, value = setting.partition("=")
    whose = sql.SQL("alter database {}").format(database)
    if role:
        whose = sql.SQL("alter role {} in database {}").format(sql.Identifier(role), database)
    if name in _LISTS:
        connection.execute("select set_config(%s, %s, true)", (name, value))
        to: sql.Composable = sql.SQL("from current")
    else:
        to = sql.SQL("to {}").format(sql.Literal(value))
    parts = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
    connection.execute(sql.SQL("{} set {} {}").format(whose, parts, to))
