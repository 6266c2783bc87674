"""The steps when Highwater itself is gone: its fetcher from a bare folder, then the engine's own.

They need a copy of Highwater's folder with its environment, and nothing else of it: no database, no
broker, no settings. Everything is typed in one shell, bash, in that folder.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence

from backups.runbook.engines import barman_cloud, pg_dump, pgbackrest
from backups.runbook.proving import NOT_PROVEN
from backups.runbook.shell import LIST, keys_of, password_of, source
from backups.runbook.values import (
    BARMAN_CLOUD,
    PG_DUMP,
    PGBACKREST,
    Command,
    Facts,
    Newest,
    Step,
)

_ENGINES: Mapping[str, Callable[[Facts, Newest], Sequence[Step]]] = {
    BARMAN_CLOUD: barman_cloud.steps,
    PGBACKREST: pgbackrest.steps,
    PG_DUMP: pg_dump.steps,
}


def steps_by_hand(facts: Facts) -> Sequence[Step]:
    """Return the steps without Highwater, in their order."""
    newest = facts.newest
    return [_shell(facts), _look(facts), *_ENGINES[facts.engine](facts, newest or _unnamed(facts))]


def _unnamed(facts: Facts) -> Newest:
    """Stand in for a backup that no catalogue has named yet: the listing says what it is called."""
    return Newest(engine_id="ID", name="ID", ended_at=facts.at, major=0)


def _shell(facts: Facts) -> Step:
    # What is unpacked by hand has no business in the directory of a standby.
    free = [target for target in facts.targets if not target.is_kept]
    ready = [target for target in free if not target.trouble]
    target = next(iter(ready or free), None)
    data, room, port = "/restore/data", "/restore/work", facts.port
    words = [
        (
            "On the machine that is to serve, as the account that runs PostgreSQL (never as root), "
            "in a copy of Highwater's folder. All that follows goes into this one shell."
        ),
    ]
    if target is not None:
        data, room, port = target.data_dir, target.work_dir, target.port
        words.append(f"This is {target.name}, on {target.host}. Elsewhere, change the folders.")
    else:
        state = "free of a standby" if facts.targets else "registered"
        words.append(f"No recovery target is {state}: choose two empty folders on one disk.")
    programs = (
        shlex.quote(target.bin_dir)
        if target is not None and target.bin_dir
        else "\"$(.venv/bin/python -c 'from backups.engines.postgres import bundled_bin_dir; "
        "print(bundled_bin_dir())')\""
    )
    lines = [
        (
            f"export DATA={shlex.quote(data)} ROOM={shlex.quote(room.rstrip('/') + '/by-hand')} "
            f"PORT={port}"
        ),
        f"export BIN={programs}",
        'mkdir -p "$ROOM"',
    ]
    lines.append(password_of(facts.password_reference))
    words.append(f"The password of {facts.superuser} is in {facts.password_reference}.")
    for number, place in enumerate(facts.places, start=1):
        exported, said = keys_of(place, number)
        lines += exported
        words.append(said)
    return Step(
        code="hand-shell",
        title="Prepare a shell",
        words=words,
        commands=[Command(text="\n".join(lines), proof=NOT_PROVEN)],
    )


def _look(facts: Facts) -> Step:
    own = facts.own
    folders = {
        BARMAN_CLOUD: own.key(facts.archive, "base") + "/",
        PGBACKREST: own.key("backup", facts.archive) + "/",
        PG_DUMP: own.key(facts.archive, "dumps") + "/",
    }
    commands = [
        Command(
            text=f"{LIST} --source {source(own, folders[facts.engine])}",
            proof=NOT_PROVEN,
            when="The backups; the last one is the newest",
        ),
    ]
    if facts.newest is not None and facts.newest.has_manifest:
        manifests = own.key("highwater", "manifests", facts.archive) + "/"
        commands.append(
            Command(
                text=f"{LIST} --source {source(own, manifests)}",
                proof=NOT_PROVEN,
                when="The manifests, by which each block is compared",
            )
        )
    commands += [
        Command(
            text=f"{LIST} --source {source(place, place.key() and place.key() + '/')}",
            proof=NOT_PROVEN,
            when=f"The copy in {place.name}, if the first does not answer: its keys are those of "
            f"AWS_ACCESS_KEY_ID_{number}",
        )
        for number, place in enumerate(facts.places[1:], start=2)
    ]
    newest = facts.newest
    known = (
        f"When this was written the newest was {newest.engine_id}"
        + (", with a manifest." if newest.has_manifest else ", without a manifest.")
        if newest is not None
        else "None was known when this was written: put its name where ID stands below."
    )
    return Step(
        code="hand-look",
        title="See what the storage holds",
        words=[known, "If there is a newer one, put its name where that stands below."],
        commands=commands,
    )
