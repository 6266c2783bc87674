"""Dumps of each database: a new cluster, its roles, then the databases. There is no log."""

import shlex
from collections.abc import Sequence

from backups.runbook.engines.common import START, look_and_open
from backups.runbook.proving import NOT_PROVEN
from backups.runbook.shell import fetch_all
from backups.runbook.values import Command, Facts, Newest, Step


def steps(facts: Facts, newest: Newest) -> Sequence[Step]:
    """Return fetch, a new cluster, its roles and databases, and the end."""
    own, user = facts.own, shlex.quote(facts.superuser)
    manifest = own.key("highwater", "manifests", facts.archive, f"{newest.engine_id}.json")
    fetched = fetch_all(
        facts.places,
        f"{facts.archive}/dumps/{newest.engine_id}/",
        '"$ROOM"/dump',
        manifest=manifest if newest.has_manifest else "",
    )
    made = (
        '(umask 077 && printf "%s\\n" "$PGPASSWORD" > "$ROOM"/password)\n'
        f'"$BIN"/initdb --pgdata="$DATA" --username={user} --encoding=UTF8 \\\n'
        '  --auth=scram-sha-256 --pwfile="$ROOM"/password\n'
        f'rm "$ROOM"/password\n{START} --wait start'
    )
    reach = f'--host=127.0.0.1 --port="$PORT" --username={user}'
    roles = f'"$BIN"/psql {reach} --dbname=postgres --file="$ROOM"/dump/roles.sql'
    databases = (
        'for folder in "$ROOM"/dump/databases/*/; do\n'
        f'  "$BIN"/pg_restore {reach} --dbname=template1 --clean --if-exists --create \\\n'
        '    --no-tablespaces --exit-on-error "$folder" || echo "NOT RESTORED: $folder"\n'
        "done"
    )
    return [
        Step(
            code="hand-fetch",
            title="Fetch the dumps",
            words=["If it breaks off, give it again: it goes on where it was."],
            commands=[Command(text=fetched, proof=NOT_PROVEN)],
        ),
        Step(
            code="hand-cluster",
            title="Make a new cluster",
            words=["The lost cluster's configuration is not in it: set what this machine needs."],
            commands=[Command(text=made, proof=NOT_PROVEN)],
        ),
        Step(
            code="hand-databases",
            title="Bring roles and databases back",
            words=[
                (
                    f"That the role {facts.superuser} exists already is no fault. Everything is as "
                    "it was when the dump began; what was written later is lost."
                ),
            ],
            commands=[
                Command(text=roles, proof=NOT_PROVEN),
                Command(text=databases, proof=NOT_PROVEN),
            ],
        ),
        look_and_open(facts, replays=False),
    ]
