"""Barman's archive in object storage: archives unpacked, then PostgreSQL replays the log."""

import shlex
from collections.abc import Sequence

from backups.runbook.engines.common import REPLAY, REPLAY_WORDS, UNTIL_OPEN, look_and_open
from backups.runbook.proving import NOT_PROVEN
from backups.runbook.shell import fetch_all
from backups.runbook.values import Command, Facts, Newest, Step

_UNPACK = """mkdir -p -m 700 "$DATA"
for part in "$ROOM"/base/data*.tar*; do tar --extract --file="$part" --directory="$DATA"; done
mkdir -p -m 700 "$DATA"/pg_wal
rm -f "$DATA"/standby.signal "$DATA"/recovery.done "$DATA"/postmaster.pid"""
# The log is packed or not, as it was archived. An unfinished copy is none: PostgreSQL asks again.
_CONFIGURE = f"""touch "$DATA"/postgresql.conf "$DATA"/pg_ident.conf "$DATA"/recovery.signal
test -e "$DATA"/pg_hba.conf || echo "host all all 127.0.0.1/32 scram-sha-256" > "$DATA"/pg_hba.conf
cat >> "$DATA"/postgresql.auto.conf <<EOF
{UNTIL_OPEN}
restore_command = 'cp "$ROOM/wal/%f" "%p" 2> /dev/null || gunzip -c "$ROOM/wal/%f.gz" > "%p"'
recovery_target_timeline = 'latest'
EOF"""


def steps(facts: Facts, newest: Newest) -> Sequence[Step]:
    """Return fetch, unpack, the log, recovery and the end."""
    own = facts.own
    manifest = own.key("highwater", "manifests", facts.archive, f"{newest.engine_id}.json")
    base = fetch_all(
        facts.places,
        f"{facts.archive}/base/{newest.engine_id}/",
        '"$ROOM"/base',
        only='[[ "$name" == *.tar* ]]',
        manifest=manifest if newest.has_manifest else "",
    )
    return [
        Step(
            code="hand-fetch",
            title="Fetch the backup",
            words=["If it breaks off, give it again: it goes on where it was."],
            commands=[Command(text=base, proof=NOT_PROVEN)],
        ),
        Step(
            code="hand-unpack",
            title="Unpack it",
            words=[
                (
                    "An archive that is named by a number (16401.tar) is a tablespace: unpack it "
                    "where that shall lie, and link pg_tblspc/16401 in the directory to it."
                ),
            ],
            commands=[Command(text=_UNPACK, proof=NOT_PROVEN)],
        ),
        _log(facts, newest),
        Step(
            code="hand-replay",
            title="Have PostgreSQL replay the log",
            words=[
                REPLAY_WORDS,
                (
                    "For an earlier moment add the lines "
                    "recovery_target_time = '2026-11-22 23:41:07+00' and "
                    "recovery_target_action = 'promote' before you start it."
                ),
                (
                    "A log that is packed otherwise than by gzip wants its own program in place of "
                    "gunzip."
                ),
            ],
            commands=[
                Command(text=_CONFIGURE, proof=NOT_PROVEN),
                REPLAY,
            ],
        ),
        look_and_open(facts, replays=True),
    ]


def _log(facts: Facts, newest: Newest) -> Step:
    """Return how the log from the backup's beginning on is fetched, into one flat folder."""
    since = f'[[ "${{name##*/}}" == *.history* || ! "${{name##*/}}" < {newest.begin_wal} ]]'
    loop = fetch_all(
        facts.places,
        f"{facts.archive}/wals/",
        '"$ROOM"/wals',
        only=since if newest.begin_wal else "",
    )
    flat = 'mkdir -p "$ROOM"/wal && find "$ROOM"/wals -type f -exec ln -f -t "$ROOM"/wal {} +'
    own = facts.own
    direct = (
        f"restore_command = 'barman-cloud-wal-restore --endpoint-url {own.url} "
        f"s3://{own.bucket}/{own.key()} {shlex.quote(facts.archive)} %f %p'"
    )
    return Step(
        code="hand-log",
        title="Fetch the log",
        words=[f"Only what the backup {newest.name} needs is fetched, from its first file on."]
        if newest.begin_wal
        else [],
        commands=[
            Command(text=f"{loop}\n{flat}", proof=NOT_PROVEN),
            Command(
                text=direct,
                proof=NOT_PROVEN,
                when="Or, where the storage answers well, nothing is fetched ahead, and this line "
                "stands in postgresql.auto.conf in place of the one below",
            ),
        ],
    )
