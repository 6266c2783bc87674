"""What all engines end with: a cluster that starts, is looked at, and is opened."""

import shlex

from backups.runbook.proving import NOT_PROVEN
from backups.runbook.values import Command, Facts, Step

START = '"$BIN"/pg_ctl --pgdata="$DATA" --options="-p $PORT" --log="$ROOM/postgres.log"'
# Nobody is let in before all is replayed. Else PostgreSQL refuses to begin where the lost cluster
# had more connections than this one is told of: its configuration may lie outside its directory.
UNTIL_OPEN = "archive_mode = off\nhot_standby = off"
_WAIT = (
    'while "$BIN"/pg_ctl --pgdata="$DATA" status > /dev/null && '
    '! "$BIN"/pg_isready --host=127.0.0.1 --port="$PORT"; do sleep 2; done'
)
REPLAY = Command(text=f"{START} --wait start\n{_WAIT}", proof=NOT_PROVEN)
REPLAY_WORDS = (
    "It goes to the end of the log, and opens by itself: until then it lets nobody in. How far it "
    "is stands in postgres.log in the work folder."
)


def look_and_open(facts: Facts, *, replays: bool) -> Step:
    """Return the last step: see what came back, then let everybody in."""
    ask = f'"$BIN"/psql --host=127.0.0.1 --port="$PORT" --username={shlex.quote(facts.superuser)}'
    words = [
        "Count rows that you know. Then point applications here.",
    ]
    commands = [Command(text=f"{ask} --dbname=postgres --list", proof=NOT_PROVEN)]
    if replays:
        words.append("Archive anew to a place of its own, and take a backup at once.")
        reset = (
            f"{ask} --dbname=postgres --command='alter system reset hot_standby' "
            "--command='alter system reset archive_mode' "
            "--command='alter system reset restore_command'"
        )
        commands.append(Command(text=reset, proof=NOT_PROVEN, when="It counts from a restart on"))
    else:
        words.append("Take a backup at once.")
    return Step(code="hand-open", title="Look at it, and open it", words=words, commands=commands)
