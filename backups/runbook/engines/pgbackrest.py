"""pgBackRest's repository: its own program restores and says where the log comes from."""

import shlex
from collections.abc import Sequence

from backups.runbook.engines.common import REPLAY, REPLAY_WORDS, UNTIL_OPEN, look_and_open
from backups.runbook.proving import NOT_PROVEN
from backups.runbook.shell import source
from backups.runbook.values import Command, Facts, Newest, Step

# In the environment: every account of the machine may read command lines.
_KEYS = """export PGBACKREST_REPO1_S3_KEY="$AWS_ACCESS_KEY_ID"
export PGBACKREST_REPO1_S3_KEY_SECRET="$AWS_SECRET_ACCESS_KEY"
if [ -n "$AWS_SESSION_TOKEN" ]; then export PGBACKREST_REPO1_S3_TOKEN="$AWS_SESSION_TOKEN"; fi"""


def steps(facts: Facts, newest: Newest) -> Sequence[Step]:
    """Return the restore straight from the storage, the one by the relay, and the end."""
    return [
        Step(
            code="hand-restore",
            title="Restore",
            words=[
                (
                    "pgBackRest writes recovery.signal and restore_command by itself. The program "
                    "has to stay within PostgreSQL's reach, with these variables, until it is open."
                ),
                (
                    "Tablespaces come to lie beside the directory. If it broke off, give it again "
                    "with --delta: what is there is kept."
                ),
                (
                    "For an earlier moment add --type=time --target='2026-11-22 23:41:07+00' "
                    "--target-action=promote."
                ),
            ],
            commands=[
                Command(
                    text=f"{_KEYS}\n{_restore(facts, newest, _storage(facts))}",
                    proof=NOT_PROVEN,
                    when="Straight from the storage",
                ),
                Command(
                    text=f"{_relay(facts)}\n{_restore(facts, newest, _repository(facts))}",
                    proof=NOT_PROVEN,
                    when="Through a storage that breaks: by the relay, which fetches in parts and "
                    "goes on where it broke. It has to run until the cluster is open; then: "
                    "kill $RELAY",
                ),
            ],
        ),
        Step(
            code="hand-replay",
            title="Have PostgreSQL replay the log",
            words=[REPLAY_WORDS],
            commands=[
                Command(
                    text=f'cat >> "$DATA"/postgresql.auto.conf <<EOF\n{UNTIL_OPEN}\nEOF',
                    proof=NOT_PROVEN,
                ),
                REPLAY,
            ],
        ),
        look_and_open(facts, replays=True),
    ]


def _storage(facts: Facts) -> str:
    own = facts.own
    return (
        f"{_repository(facts)} --repo1-s3-endpoint={shlex.quote(own.url)} "
        f"--repo1-s3-uri-style={'path' if own.is_path_style else 'host'} "
        '${AWS_CA_BUNDLE:+"--repo1-storage-ca-file=$AWS_CA_BUNDLE"}'
    )


def _repository(facts: Facts) -> str:
    own = facts.own
    return (
        f"--repo1-type=s3 --repo1-path={shlex.quote('/' + own.key())} "
        f"--repo1-s3-bucket={shlex.quote(own.bucket)} --repo1-s3-region={shlex.quote(own.region)}"
    )


def _relay(facts: Facts) -> str:
    """Return the lines that start the relay and take from it where it answers, and by which keys.

    Of a repository's thousands of files each would cost a start of the fetcher. The storage's own
    keys stay as they are: the relay may be started again.
    """
    sources = " ".join(f"--source {source(place, place.key())}" for place in facts.places)
    return (
        f'.venv/bin/python -m backups.storage.relay {sources} \\\n  --folder "$ROOM"/relay --tls '
        '> "$ROOM"/relay.env 2> "$ROOM"/relay.log & RELAY=$!\n'
        'until grep -q PGBACKREST_ "$ROOM"/relay.env || ! kill -0 "$RELAY"; do sleep 1; done\n'
        'eval "$(grep PGBACKREST_ "$ROOM"/relay.env)"; unset PGBACKREST_REPO1_S3_TOKEN'
    )


def _restore(facts: Facts, newest: Newest, repository: str) -> str:
    return (
        # By the environment: what a command line says goes into restore_command, and fails there.
        'export PGBACKREST_LOCK_PATH="$ROOM"/lock PGBACKREST_SPOOL_PATH="$ROOM"/spool\n'
        f"pgbackrest --config=/dev/null --stanza={shlex.quote(facts.archive)} {repository} \\\n"
        f'  --pg1-path="$DATA" --set={shlex.quote(newest.engine_id)} '
        '--tablespace-map-all="$DATA-tablespaces" \\\n  '
        "--log-level-file=off --log-level-console=info restore"
    )
