"""The rows of a record by other numbers: from 1 in an export, by their addresses at the desk."""

import re
from collections.abc import Mapping
from dataclasses import replace

from incidents.account.record import Record
from incidents.account.references import renumbered
from incidents.account.rows import Row

Numbers = Mapping[str, Mapping[int, int]]

_SUBJECT = re.compile(r"\b(entry|update|promise|impact|cause|action):(\d+)\b")


def numbered(record: Record) -> Record:
    """Return the same record with its rows numbered from 1, each kind for itself."""
    kinds: dict[str, tuple[Row, ...]] = {
        "entry": record.entries,
        "update": record.updates,
        "promise": record.promises,
        "impact": record.impacts,
        "cause": record.causes,
        "action": record.actions,
        "dismissal": record.dismissals,
    }
    numbers = {
        kind: {row.n: place for place, row in enumerate(rows, start=1)}
        for kind, rows in kinds.items()
    }
    return replace(
        record,
        entries=tuple(replace(one, n=numbers["entry"][one.n]) for one in record.entries),
        updates=tuple(
            replace(one, n=numbers["update"][one.n], entry=numbers["entry"].get(one.entry, 0))
            for one in record.updates
        ),
        promises=tuple(
            replace(
                one,
                n=numbers["promise"][one.n],
                made_in=numbers["update"].get(one.made_in, 0),
                settled_by=numbers["entry"].get(one.settled_by, 0),
                replaced_by=numbers["promise"].get(one.replaced_by, 0),
            )
            for one in record.promises
        ),
        impacts=tuple(replace(one, n=numbers["impact"][one.n]) for one in record.impacts),
        causes=tuple(
            replace(one, n=numbers["cause"][one.n], evidence=_known(one.evidence, numbers["entry"]))
            for one in record.causes
        ),
        actions=tuple(
            replace(
                one, n=numbers["action"][one.n], addresses=_known(one.addresses, numbers["cause"])
            )
            for one in record.actions
        ),
        dismissals=tuple(
            replace(one, n=numbers["dismissal"][one.n], subject=subject_of(one.subject, numbers))
            for one in record.dismissals
        ),
        sections=tuple(
            replace(one, n=place, body=body_of(one.body, numbers))
            for place, one in enumerate(record.sections, start=1)
        ),
    )


def subject_of(subject: str, numbers: Numbers) -> str:
    """Return what a finding is about, its rows by other numbers."""
    return _SUBJECT.sub(
        lambda found: f"{found[1]}:{numbers[found[1]].get(int(found[2]), int(found[2]))}", subject
    )


def body_of(body: str, numbers: Numbers) -> str:
    """Return a section's body, the rows in its references by other numbers."""
    return renumbered(body, lambda kind, number: numbers[kind].get(number))


def _known(rows: tuple[int, ...], numbers: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(sorted(numbers[number] for number in rows if number in numbers))
