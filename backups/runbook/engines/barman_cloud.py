"""Barman's archive in object storage: archives unpacked, then PostgreSQL replays the log."""

import shlex
from collections.abc import Sequence

from backups.runbook.engines.common import REPLAY, REPLAY_WORDS, UNTIL_OPEN, look_and_open
from backups.runbook.proving import NOT_PROVEN
from backups.runbook.shell import fetch_all
from backups.runbook.values import Command, Facts, Newest, Step

# Into a directory of its own making: what lies in another may be all that is left of the cluster.
# Links to where the log and tablespaces were lead to what is somebody else's now.
_UNPACK = """mkdir -p "$(dirname "$DATA")" && { rmdir "$DATA" 2> /dev/null || true; }
if mkdir -m 700 "$DATA"; then
  for part in "$ROOM"/base/data*.tar*; do
    tar --extract --file="$part" --directory="$DATA" --anchored \\
      --exclude={./,}pg_wal --exclude={./,}pg_tblspc/\\* || echo "NOT UNPACKED: $part"
  done
  mkdir -p -m 700 "$DATA"/pg_wal "$DATA"/pg_tblspc
  for part in "$ROOM"/base/[0-9]*.tar*; do
    test -e "$part" || continue
    oid=${part##*/}; oid=${oid%%[._]*}
    mkdir -p -m 700 "$DATA.tablespaces/$oid"
    tar --extract --file="$part" --directory="$DATA.tablespaces/$oid" || echo "NOT UNPACKED: $part"
    ln -sfn "$DATA.tablespaces/$oid" "$DATA/pg_tblspc/$oid"
  done
  rm -f "$DATA"/standby.signal "$DATA"/recovery.done "$DATA"/postmaster.pid
else
  echo "NOT UNPACKED: $DATA is there, and not empty"
fi"""
# The log is packed or not, as it was archived. From 1 to 125 PostgreSQL takes any exit code for the
# log's end, and opens: of a file that is there and cannot be had, it is told by 255, and stops.
_CONFIGURE = f"""touch "$DATA"/postgresql.conf "$DATA"/pg_ident.conf "$DATA"/recovery.signal
test -e "$DATA"/pg_hba.conf || echo "host all all 127.0.0.1/32 scram-sha-256" > "$DATA"/pg_hba.conf
cat >> "$DATA"/postgresql.auto.conf <<EOF
{UNTIL_OPEN}
restore_command = 'if [ -e "$ROOM/wal/%f" ]; then cp "$ROOM/wal/%f" "%p" || exit 255; \\
elif [ -e "$ROOM/wal/%f.gz" ]; then gunzip -c "$ROOM/wal/%f.gz" > "%p" || exit 255; \\
else exit 1; fi'
recovery_target_timeline = 'latest'
EOF"""

# Of a file that is not there PostgreSQL believes that the log ends, and opens: so it is told here.
_HOLES = """each=$("$BIN"/pg_controldata "$DATA" | sed -n 's/^Bytes per WAL segment: *//p')
ls "$ROOM"/wal | sed -n -E 's/^([0-9A-F]{24})([.](gz|bz2|xz|zst|lz4|snappy))?$/\\1/p' |
  LC_ALL=C sort -u | {
    line=${first:0:8}; next=0
    test -z "$line" || next=$(( 16#${first:8:8} * (4294967296 / each) + 16#${first:16:8} ))
    while read -r name; do
      at=$(( 16#${name:8:8} * (4294967296 / each) + 16#${name:16:8} ))
      if [ "$line" = "${name:0:8}" ] && [ "$at" != "$next" ] ||
         [ -n "$line" ] && [ "$at" -gt "$next" ]; then echo "A HOLE IN THE LOG before $name"; fi
      line=${name:0:8}; next=$(( at + 1 ))
    done
  }"""


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
                    "The directory has to be empty: where it is not, nothing is unpacked. To begin "
                    "anew, empty it first, and the one beside it that ends in .tablespaces."
                ),
                (
                    "An archive that is named by a number (16401.tar) is a tablespace. It comes to "
                    "lie beside the directory, and pg_tblspc/16401 leads to it."
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
                    "gunzip, and its own ending in place of .gz."
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
    first = shlex.quote(newest.begin_wal)
    since = f'[[ "${{name##*/}}" == *.history* || ! "${{name##*/}}" < {first} ]]'
    loop = fetch_all(
        facts.places,
        f"{facts.archive}/wals/",
        '"$ROOM"/wals',
        only=since if newest.begin_wal else "",
    )
    flat = 'mkdir -p "$ROOM"/wal && find "$ROOM"/wals -type f -exec ln -f -t "$ROOM"/wal {} +'
    words = [
        (
            "Go on only when nothing of it was NOT FETCHED or NOT LISTED, and there is no HOLE: "
            "PostgreSQL takes the first file that is missing for the end of the log, and opens "
            "without all that came later. Of a hole that stays, no place has the file: what comes "
            "before it is all that can be had from this backup."
        )
    ]
    if newest.begin_wal:
        words.insert(
            0, f"Only what the backup {newest.name} needs is fetched, from its first file on."
        )
    return Step(
        code="hand-log",
        title="Fetch the log",
        words=words,
        commands=[
            Command(text=f"{loop}\n{flat}", proof=NOT_PROVEN),
            Command(text=f"first={first}\n{_HOLES}", proof=NOT_PROVEN),
            Command(
                text=_direct(facts),
                proof=NOT_PROVEN,
                when="Or, where the storage answers well, nothing is fetched ahead, and this line "
                "stands at the end of postgresql.auto.conf before it is started: of two, the last "
                "one counts",
            ),
        ],
    )


def _direct(facts: Facts) -> str:
    """Return the restore_command that fetches each file as PostgreSQL asks for it.

    Barman says 1 of a file that is not there, and something else where it could not tell.
    """
    own = facts.own
    words = [
        "barman-cloud-wal-restore",
        *("--endpoint-url", own.url),
        *(("--addressing-style", "path") if own.is_path_style else ()),
        f"s3://{own.bucket}/{own.key()}".rstrip("/"),
        facts.archive,
    ]
    command = shlex.join(words).replace("%", "%%")
    guarded = f'{command} "%f" "%p" || exit $(( $? == 1 ? 1 : 255 ))'
    return "restore_command = '" + guarded.replace("'", "''") + "'"
