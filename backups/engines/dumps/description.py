"""What a dump was taken of: what pg_restore does not bring by itself, and what to compare with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from backups.engines.dumps.server import Connection
from backups.errors import ObjectDamaged, ObjectMissing

FILE = "database.json"

# Not the roles of extensions and templates: those that own something here or may do something.
_ROLES = """
    select rolname from pg_roles where oid in (
        select refobjid from pg_shdepend
        where refclassid = 'pg_authid'::regclass
          and dbid = (select oid from pg_database where datname = current_database())
        union select relowner from pg_class where oid >= 16384
        union select setrole from pg_db_role_setting
        where setdatabase = (select oid from pg_database where datname = current_database())
        union select datdba from pg_database where datname = current_database())
    and rolname !~ '^pg_' order by 1
"""
_GRANTS = """
    select coalesce(r.rolname, ''), a.privilege_type, a.is_grantable
    from pg_database d cross join aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee
    where d.datname = current_database() order by 1, 2
"""
_SETTINGS = """
    select coalesce(r.rolname, ''), s.setconfig
    from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
    where s.setdatabase = (select oid from pg_database where datname = current_database())
    order by 1
"""
_TABLESPACES = """
    select distinct t.spcname from pg_class c join pg_tablespace t on t.oid = c.reltablespace
    where t.spcname !~ '^pg_' order by 1
"""
_MOMENT = """
    select now(), current_setting('server_version_num')::int,
           (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
            else pg_current_wal_lsn() end)::text,
           (select system_identifier from pg_control_system()), pg_database_size(current_database())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A database as it was when it was dumped.

    ``rows`` are of the dump's own snapshot; None where counting took too long. ``grants`` (role,
    privilege, may pass it on; an empty role is everybody) is None where nothing was ever granted
    or revoked. ``settings`` are ``name=value`` by role, an empty role for every one.
    """

    name: str
    owner: str
    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str
    icu_rules: str
    connection_limit: int
    grants: Sequence[tuple[str, str, bool]] | None
    settings: Mapping[str, Sequence[str]]
    roles: Sequence[str]
    extensions: Sequence[str]
    server_version: int
    system_id: int
    taken_at: datetime
    lsn: str
    bytes: int
    rows: Mapping[str, int | None]
    tablespaces: Sequence[str] = ()


def describe(connection: Connection, rows: Mapping[str, int | None]) -> Description:
    """Describe the database that the connection is in, as its transaction sees it."""
    found = connection.execute(
        "select to_jsonb(d), pg_encoding_to_char(encoding), pg_get_userbyid(datdba) "
        "from pg_database d where datname = current_database()"
    ).fetchone()
    assert found is not None
    entry, encoding, owner = found
    moment = connection.execute(_MOMENT).fetchone()
    assert moment is not None
    taken_at, version, lsn, system_id, size = moment
    extensions = connection.execute("select extname from pg_extension order by 1")
    return Description(
        name=entry["datname"],
        owner=owner,
        encoding=encoding,
        provider=entry.get("datlocprovider", "c"),
        collate=entry["datcollate"],
        ctype=entry["datctype"],
        # Called by another name before 17.
        locale=entry.get("datlocale") or entry.get("daticulocale") or "",
        icu_rules=entry.get("daticurules") or "",
        connection_limit=entry["datconnlimit"],
        grants=connection.execute(_GRANTS).fetchall() if entry["datacl"] is not None else None,
        settings=dict(connection.execute(_SETTINGS).fetchall()),
        roles=[role for (role,) in connection.execute(_ROLES)],
        extensions=[name for (name,) in extensions],
        server_version=version,
        system_id=system_id,
        taken_at=taken_at,
        lsn=lsn,
        bytes=size,
        rows=dict(rows),
        tablespaces=[name for (name,) in connection.execute(_TABLESPACES)],
    )


def keep_description(folder: Path, description: Description) -> None:
    """Write it beside the dump's own files, which pg_restore does not mind."""
    said = asdict(description) | {"taken_at": description.taken_at.isoformat()}
    (folder / FILE).write_text(json.dumps(said, indent=1), encoding="utf-8")


def read_description(folder: Path) -> Description:
    """Read what a dump was taken of.

    :raises ObjectMissing: if it is not a dump that was taken here, and finished
    :raises ObjectDamaged: if it cannot be read
    """
    try:
        return parse_description((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ObjectMissing(f"{folder} has no {FILE}: it is no finished dump of ours") from error


def parse_description(text: str) -> Description:
    """Read a description's text.

    :raises ObjectDamaged: if it cannot be read
    """
    try:
        said = json.loads(text)
        return Description(**{**said, "taken_at": datetime.fromisoformat(said["taken_at"])})
    except (ValueError, KeyError, TypeError) as error:
        raise ObjectDamaged(f"the description of a dump cannot be read: {error!r}") from error
