"""What a restored cluster needs of its new place and does not find there, in plain words.

A physical backup brings its own configuration, tablespaces and databases, made for the machine that
it was taken from. Nothing here is changed or refused: it is named, before customers find it.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from backups.engines.postgres import Postgres

Connection = psycopg.Connection[Any]

_PRELOADED = ("shared_preload_libraries", "session_preload_libraries", "local_preload_libraries")
_TLS_FILES = ("ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file")
_COLLATIONS_KNOWN_FROM = 150000
# The word before, between blanks, is the program's name, or its path.
_PROGRAM = re.compile(r"^\s*(?:'([^']+)'|\"([^\"]+)\"|(\S+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not here as it was there.

    ``subject`` is one of setting, library, extension, locale, tablespace, role, subscription.
    ``stops`` says that something will not work until it is mended; else it is to be known.
    """

    subject: str
    name: str
    words: str
    stops: bool


def findings_of_directory(postgres: Postgres) -> list[Finding]:
    """Look at a data directory that is not running: its settings, libraries and tablespaces.

    :raises PostgresFailed: if the programs cannot be run
    """
    complaint = _complaint(postgres)
    if complaint:
        # With a line that it cannot read it tells none of its settings.
        return [
            Finding(subject="setting", name="postgresql.conf", words=complaint, stops=True),
            *_tablespaces(postgres),
        ]
    return [
        *_preloaded(postgres),
        *_files(postgres),
        *_archiving(postgres),
        *_tablespaces(postgres),
    ]


def findings_of_cluster(connection: Connection) -> list[Finding]:
    """Ask a cluster that takes questions what it lacks as a whole: its roles and locales."""
    return [*_roles(connection), *_locales(connection)]


def findings_of_database(connection: Connection, postgres: Postgres) -> list[Finding]:
    """Ask one database which extensions and libraries it misses, and what it would reach for."""
    database = connection.info.dbname
    return [
        *_extensions(connection, database),
        *_libraries(connection, postgres, database),
        *_subscriptions(connection, database),
    ]


def _complaint(postgres: Postgres) -> str:
    done = postgres.run(
        "postgres", "-D", str(postgres.data_dir), "-C", "data_directory", check=False
    )
    if not done.returncode:
        return ""
    lines = [line.partition("  ")[2] or line for line in done.stderr.strip().splitlines()]
    # Its last line says only that there were errors.
    return " ".join(line for line in lines if "contains errors" not in line)[:1000]


def _asked(postgres: Postgres, name: str) -> subprocess.CompletedProcess[str]:
    return postgres.run("postgres", "-D", str(postgres.data_dir), "-C", name, check=False)


def _setting(postgres: Postgres, name: str) -> str:
    done = _asked(postgres, name)
    return "" if done.returncode else done.stdout.strip()


def _preloaded(postgres: Postgres) -> Iterator[Finding]:
    libraries = _library_folder(postgres)
    for setting in _PRELOADED:
        for name in filter(None, re.split(r"\s*,\s*", _setting(postgres, setting))):
            library = name.strip('"')
            if not _is_there(library, libraries):
                yield Finding(
                    subject="library",
                    name=library,
                    words=f"{setting} names {library}, which this PostgreSQL does not have. "
                    "Install it or take it out of the setting.",
                    stops=True,
                )


def _files(postgres: Postgres) -> Iterator[Finding]:
    names = ["hba_file", "ident_file"]
    if _setting(postgres, "ssl") == "on":
        names += _TLS_FILES
    for name in names:
        value = _setting(postgres, name)
        if value and not (postgres.data_dir / value).exists():
            yield Finding(
                subject="setting",
                name=name,
                words=f"{name} is {value}, which is not here. Bring it or change the setting.",
                stops=True,
            )
    for folder in filter(None, _setting(postgres, "unix_socket_directories").split(",")):
        place = folder.strip()
        if place.startswith("/") and not Path(place).is_dir():
            yield Finding(
                subject="setting",
                name="unix_socket_directories",
                words=f"The folder {place} for sockets is not here. Make it or change the setting.",
                stops=True,
            )


def _archiving(postgres: Postgres) -> Iterator[Finding]:
    command = _setting(postgres, "archive_command")
    found = _PROGRAM.match(command) if command and command != "(disabled)" else None
    program = next(filter(None, found.groups()), "") if found else ""
    if program.startswith("/") and not Path(program).exists():
        yield Finding(
            subject="setting",
            name="archive_command",
            words=f"archive_command calls {program}, which is not here. Archiving is off after a "
            "restore; install the program before it is switched on again.",
            stops=False,
        )


def _tablespaces(postgres: Postgres) -> Iterator[Finding]:
    for link in sorted((postgres.data_dir / "pg_tblspc").glob("*")):
        if link.is_symlink():
            yield Finding(
                subject="tablespace",
                name=link.name,
                words=f"The tablespace {link.name} lies in {link.readlink()} now, "
                "on whichever disk that is.",
                stops=not link.exists(),
            )


def _roles(connection: Connection) -> Iterator[Finding]:
    query = (
        "select rolname from pg_authid where rolcanlogin and rolpassword is null "
        "and rolname !~ '^pg_' order by 1"
    )
    for (name,) in connection.execute(query):
        yield Finding(
            subject="role",
            name=name,
            words=f"The role {name} may log in and has no password: it gets in only where "
            "pg_hba.conf asks for none.",
            stops=False,
        )


def _locales(connection: Connection) -> Iterator[Finding]:
    if connection.info.server_version < _COLLATIONS_KNOWN_FROM:
        return
    query = (
        "select datname, datcollversion, pg_database_collation_actual_version(oid) "
        "from pg_database "
        "where datcollversion <> pg_database_collation_actual_version(oid) order by 1"
    )
    for name, there, here in connection.execute(query):
        yield Finding(
            subject="locale",
            name=name,
            words=f"The database {name} was sorted by locale version {there}, and {here} is here: "
            "its indexes on text may find too little. Reindex it, then ALTER DATABASE ... REFRESH "
            "COLLATION VERSION.",
            stops=True,
        )


def _extensions(connection: Connection, database: str) -> Iterator[Finding]:
    query = (
        "select e.extname, e.extversion from pg_extension e where not exists "
        "(select from pg_available_extensions a where a.name = e.extname) order by 1"
    )
    for name, version in connection.execute(query):
        yield Finding(
            subject="extension",
            name=name,
            words=f"The database {database} uses the extension {name} {version}, which is not "
            "installed here. Install it.",
            stops=True,
        )


def _libraries(connection: Connection, postgres: Postgres, database: str) -> Iterator[Finding]:
    libraries = _library_folder(postgres)
    query = "select distinct probin from pg_proc where probin is not null order by 1"
    for (library,) in connection.execute(query):
        if not _is_there(library, libraries):
            yield Finding(
                subject="library",
                name=library,
                words=f"Functions of the database {database} need the library {library}, which "
                "this PostgreSQL does not have. Install it.",
                stops=True,
            )


def _subscriptions(connection: Connection, database: str) -> Iterator[Finding]:
    query = (
        "select subname from pg_subscription where subenabled and subdbid = "
        "(select oid from pg_database where datname = current_database()) order by 1"
    )
    for (name,) in connection.execute(query):
        yield Finding(
            subject="subscription",
            name=name,
            words=f"The database {database} subscribes to another by {name}, and goes on with that "
            "when it is opened. Disable it if the lost cluster may come back.",
            stops=False,
        )


def _library_folder(postgres: Postgres) -> Path:
    return Path(postgres.run("pg_config", "--pkglibdir").stdout.strip())


def _is_there(library: str, folder: Path) -> bool:
    name = library.replace("$libdir", str(folder))
    place = folder / name
    return any(path.is_file() for path in (place, place.with_name(place.name + ".so")))


def told(findings: Sequence[Finding]) -> list[str]:
    """Return the sentences, with those first that stop something."""
    return [each.words for each in sorted(findings, key=lambda each: not each.stops)]
