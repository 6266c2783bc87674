"""Commands of the bare fetcher, quoted for bash, with secrets by reference alone."""

import shlex
from collections.abc import Sequence

from backups.runbook.values import Place

LIST = ".venv/bin/python -m backups.storage.listing"
FETCH = ".venv/bin/python -m backups.storage.fetch"

_READ = 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2], ""))'


def source(place: Place, key: str) -> str:
    """Return what ``--source`` takes: URL,BUCKET,KEY."""
    return shlex.quote(f"{place.url},{place.bucket},{key}".rstrip(","))


def keys_of(place: Place, number: int) -> tuple[Sequence[str], str]:
    """Return the lines that put a place's keys into the shell, and where they come from, in words.

    The second place's names end in ``_2``, and so on, as the fetcher reads them. A secret is read
    where its reference says; what cannot be read by a command is left as "…".
    """
    ending = "" if number == 1 else f"_{number}"
    kind, _colon, name = place.reference.partition(":")
    parts = {
        "AWS_ACCESS_KEY_ID": "access_key",
        "AWS_SECRET_ACCESS_KEY": "secret_key",
        "AWS_SESSION_TOKEN": "session_token",
    }
    lines = [
        f"export {variable}{ending}={_value(kind, name, part)}" for variable, part in parts.items()
    ]
    region = shlex.quote(place.region)
    # Barman's programs know the region by its other name alone.
    also = f" AWS_DEFAULT_REGION={region}" if number == 1 else ""
    lines.append(f"export AWS_REGION{ending}={region}{also}")
    return lines, f"The keys of {place.name} are in {place.reference}.{_WHERE.get(kind, '')}"


def password_of(reference: str) -> str:
    """Return the line that puts the superuser's password where PostgreSQL's programs find it."""
    kind, _colon, name = reference.partition(":")
    if kind == "env":
        return f'export PGPASSWORD="${{{name}:-}}"'
    return f"export PGPASSWORD={_value(kind, name, 'password')}"


_WHERE = {
    "settings": " That is an entry of CREDENTIALS in Highwater's settings: type them where … "
    "stands.",
    "env": " Those are variables of the workers' environment; set them first, if they are not.",
    "file": "",
}


def _value(kind: str, name: str, part: str) -> str:
    if kind == "file":
        return f'"$(python3 -c {shlex.quote(_READ)} {shlex.quote(name)} {part})"'
    if kind == "env":
        return f'"${{{name}_{part.upper()}:-}}"'
    return '""' if part == "session_token" else '"…"'


def fetch_all(
    places: Sequence[Place],
    folder: str,
    into: str,
    *,
    only: str = "",
    manifest: str = "",
) -> str:
    """Return a loop that fetches every object whose key begins with the folder's, as a tree.

    What lies in any of the places is fetched, from the first that has it. ``folder`` is below each
    place's prefix and ends in "/"; ``into`` a folder, quoted by its caller. ``only`` is a condition
    on ``$name``, the key behind the folder. The same loop again goes on where it broke.
    """
    own = places[0]
    begins = own.key(folder)
    sources = [f'--source {source(own, begins)}"$name"']
    sources += [f'--source {source(place, place.key(folder))}"$name"' for place in places[1:]]
    checked = f" --manifest {shlex.quote(manifest)}" if manifest else ""
    lines = [
        "{",
        *(_names(place, place.key(folder), number) for number, place in enumerate(places, start=1)),
        "} | LC_ALL=C sort -u | while read -r name; do",
        *([f"  {only} || continue"] if only else []),
        f'  mkdir -p "$(dirname {into}/"$name")"',
        f"  {FETCH} {' '.join(sources)}{checked} \\",
        f'    {into}/"$name" || echo "NOT FETCHED: $name"',
        "done",
    ]
    return "\n".join(lines)


def _names(place: Place, begins: str, number: int) -> str:
    """Return the line that names what lies in a place, behind the folder, with the place's keys."""
    keys = ""
    if number > 1:
        keys = "".join(
            f'{name}="${{{name}_{number}:-${{{name}:-}}}}" '
            for name in (
                "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
            )
        )  # fmt: skip
    cut = f'while read -r size key; do echo "${{key#{shlex.quote(begins)}}}"; done'
    missed = f"echo {shlex.quote(f'NOT LISTED: {place.name}')} >&2"
    return f"  {keys}{LIST} --source {source(place, begins)} | {cut} || {missed}"
