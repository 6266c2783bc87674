"""A record as long as a large company's after years, the same each time it is made."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models
from psycopg import sql

from accounts.models import User
from incidents.models import (
    ActionItem,
    Component,
    Evidence,
    Impact,
    Incident,
    IncidentFigures,
    Measure,
    Postmortem,
    ProgressReport,
    Promise,
    RoleAssignment,
    RootCause,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import (
    ActionState,
    CauseKind,
    EntryKind,
    ImpactKind,
    IncidentKind,
    Milestone,
    Outcome,
    Phase,
    Precision,
    ProgressPhase,
    PromiseKind,
    PromiseOutcome,
    Role,
    Severity,
    UpdateState,
    Visibility,
)

# Entries an incident, on the average.
ENTRIES = 20
# Words that one entry in twelve has, and two of them together one in 144; one that a dozen entries
# have; and two that are common and never stand in one entry.
COMMON, ALSO_COMMON, RARE, APART = "storage", "restarted", "quokka", "vendor+relocated"
_LONG, _SHORT = "All that an incident can hold", "Little of all that"
_OPEN, _PEOPLE, _COMPONENTS = 30, 30, 24
_RARE_AT = 90_000
_SEED = 41
_FIRST = datetime(2016, 1, 1, tzinfo=UTC)
_DAYS = 3650
_ZONE = "Europe/Amsterdam"
_SUBJECTS = (
    "the proxy", "the storage", "the primary database", "a replica", "the queue", "the vendor",
    "the cache", "the load balancer", "the certificate", "the import", "a tenant", "the search",
)  # fmt: skip
_DEEDS = (
    "was restarted", "does not answer", "answers again", "has been moved", "fills its disk",
    "times out", "was rolled back", "is being watched", "was restored", "rejects writes",
    "called back", "has caught up",
)  # fmt: skip
_REASONS = (
    "after the deployment", "since midnight", "in one region", "because of a full disk",
    "for large customers only", "as the runbook says", "without effect", "for the second time",
    "while the backup ran", "by hand",
)  # fmt: skip


def fill(count: int) -> User:
    """Make so many incidents with their entries, and two to be looked at; return a person."""
    chance = random.Random(_SEED)  # noqa: S311 - the same data each time
    people = User.objects.bulk_create(
        User(username=f"person{n}", first_name=f"Person {n}", is_staff=True) for n in range(_PEOPLE)
    )
    parts = Component.objects.bulk_create(
        Component(name=f"Component {n}", position=n + 1, created_at=_FIRST, updated_at=_FIRST)
        for n in range(_COMPONENTS)
    )
    words = [
        (model, index)
        for model in (Incident, TimelineEntry, RootCause, ActionItem, Postmortem)
        for index in model._meta.indexes
        if index.name.endswith("_words")
    ]
    with connection.schema_editor() as editor:
        # An index of words is built many times as quickly as it grows.
        for model, index in words:
            editor.remove_index(model, index)
    _copy(Incident, _incidents(count, chance))
    incidents = list(Incident.objects.order_by("pk").values_list("pk", "started_at"))
    _copy(
        Incident.components.through,
        ({"incident_id": pk, "component_id": parts[pk % _COMPONENTS].pk} for pk, _at in incidents),
    )
    _copy(IncidentFigures, _figures(list(Incident.objects.order_by("pk")), chance))
    _copy(TimelineEntry, _entries(incidents, chance, [person.pk for person in people]))
    _copy(RootCause, _learned(incidents[::2], chance, kind=CauseKind.CONTRIBUTING))
    _copy(ActionItem, _learned(incidents, chance, state=ActionState.PROPOSED))
    _copy(Postmortem, _postmortems(incidents[::10], chance))
    with connection.schema_editor() as editor:
        for model, index in words:
            editor.add_index(model, index)
    for title, entries in ((_SHORT, 12), (_LONG, 300)):
        _lead(title, entries, people, parts, chance)
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    return people[0]


def long_incident() -> Incident:
    """Return the incident with 300 entries and all else that one can hold."""
    return Incident.objects.get(title=_LONG)


def short_incident() -> Incident:
    """Return the same with 12 entries."""
    return Incident.objects.get(title=_SHORT)


def _copy(model: type[models.Model], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows that say what matters, with the defaults of the model for the rest."""
    # The number of a row is counted up by PostgreSQL, unless it is that of another's.
    fields = [
        field for field in model._meta.concrete_fields if not field.primary_key or field.is_relation
    ]
    names = [field.attname for field in fields]
    defaults = {field.attname: field.get_default() for field in fields}
    with connection.cursor() as cursor:
        into = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(model._meta.db_table),
            sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in fields),
        )
        with cursor.copy(into) as copy:
            for row in rows:
                whole = defaults | row
                copy.write_row([whole[name] for name in names])


def _incidents(count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yield ten years of incidents. The newest are open, one in a hundred is private."""
    for number in range(count):
        at = _FIRST + timedelta(days=_DAYS * number / count, minutes=chance.randrange(600))
        over = at + timedelta(minutes=chance.randrange(20, 2000))
        is_open = number >= count - _OPEN
        yield {
            "public_id": f"b{number:011}",
            "title": _sentence(chance).capitalize(),
            "summary": _sentence(chance) if number % 3 else "",
            "severity": Severity.values[min(chance.randrange(9) // 2, 3)],
            "kind": IncidentKind.DRILL if number % 40 == 0 else IncidentKind.LIVE,
            "visibility": Visibility.INTERNAL if number % 100 else Visibility.PRIVATE,
            "phase": Phase.IDENTIFIED if is_open else Phase.RESOLVED,
            "tz": _ZONE,
            "created_at": at,
            "updated_at": over,
            "started_at": at,
            "detected_at": at,
            "resolved_at": None if is_open else over,
        }


def _entries(
    incidents: Sequence[tuple[int, Any]], chance: random.Random, people: list[int]
) -> Iterator[dict[str, Any]]:
    """Yield the entries of each, few of most and hundreds of some: twenty on the average."""
    left = len(incidents) * ENTRIES
    written = 0
    for number, (pk, started_at) in enumerate(incidents, start=1):
        waiting = len(incidents) - number
        size = min(int(chance.paretovariate(1.2) * 5), 1500, left - waiting)
        # What the long tail leaves goes to the last ones.
        size = max(size, 1, left // (waiting + 1) if number * 10 > len(incidents) * 9 else 1)
        left -= size
        for place in range(size):
            written += 1
            at = started_at + timedelta(minutes=place * 3)
            rare = f" {RARE}" if written % _RARE_AT == 0 else ""
            yield {
                "incident_id": pk,
                "at": at,
                "recorded_at": at,
                "position": float(place + 1),
                "kind": EntryKind.EVENT if place % 6 else EntryKind.NOTE,
                "text": f"{_entry_text(chance, written)} on host-{written % 9973}{rare}",
                "created_by_id": people[written % _PEOPLE],
                "tags": ["attempt"] if place % 9 == 3 else [],
            }


def _entry_text(chance: random.Random, number: int) -> str:
    # Every fourth entry has this word, and never the vendor.
    if number % 4 == 0:
        return f"relocated {chance.choice(_SUBJECTS[:5])} {chance.choice(_REASONS)}"
    return _sentence(chance)


def _sentence(chance: random.Random) -> str:
    return f"{chance.choice(_SUBJECTS)} {chance.choice(_DEEDS)} {chance.choice(_REASONS)}"


def _learned(
    incidents: Sequence[tuple[int, Any]], chance: random.Random, **more: Any
) -> Iterator[dict[str, Any]]:
    for pk, at in incidents:
        yield {"incident_id": pk, "text": _sentence(chance), "created_at": at, **more}


def _figures(incidents: Iterable[Incident], chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yield figures as those of a well-kept record are: most known, one in ten a range."""
    for incident in incidents:
        row = {
            "incident_id": incident.pk,
            "began_at": incident.started_at,
            "severity": incident.severity,
            "kind": incident.kind,
            "is_duplicate": incident.pk % 50 == 1,
            "is_false_alarm": incident.pk % 70 == 1,
            "promises_kept": incident.pk % 4,
            "promises_settled": incident.pk % 4 + incident.pk % 3,
        }
        for place, measure in enumerate(Measure.values):
            low = int(chance.lognormvariate(6 + place / 2, 1.2))
            high = low + (3600 if chance.randrange(10) == 0 else 0)
            if chance.randrange(8):
                row |= {f"{measure}_low": low, f"{measure}_high": high}
        yield row


def _postmortems(
    incidents: Sequence[tuple[int, Any]], chance: random.Random
) -> Iterator[dict[str, Any]]:
    for pk, at in incidents:
        document = "\n".join(f"{line:02}:00 {_sentence(chance)}" for line in range(60))
        yield {"incident_id": pk, "document": document, "created_at": at}


def _lead(
    title: str, count: int, people: list[User], parts: list[Component], chance: random.Random
) -> None:
    """Make an open incident with so many entries, and everything else that one can hold."""
    at = _FIRST + timedelta(days=_DAYS + 1)
    incident = Incident.objects.create(
        title=title,
        summary=_sentence(chance),
        severity=Severity.SEV1,
        phase=Phase.IDENTIFIED,
        visibility=Visibility.INTERNAL,
        tz=_ZONE,
        created_by=people[0],
        created_at=at,
        updated_at=at,
        started_at=at,
        detected_at=at + timedelta(minutes=16),
    )
    incident.components.set(parts[:4])
    entries = TimelineEntry.objects.bulk_create(
        _lead_entry(incident, place, people, chance) for place in range(count)
    )
    StatusUpdate.objects.bulk_create(
        StatusUpdate(
            incident=incident,
            entry=entry,
            body=entry.text,
            phase=Phase.IDENTIFIED,
            state=UpdateState.PUBLISHED,
            author=entry.created_by,
            created_at=entry.recorded_at,
            published_at=entry.recorded_at,
        )
        for entry in entries
        if entry.kind == EntryKind.UPDATE
    )
    Evidence.objects.bulk_create(
        Evidence(entry=entry, url=f"https://graphs.example/{entry.pk}", created_at=at)
        for entry in entries[::4]
    )
    _lead_rest(incident, entries, people, parts, chance)


def _lead_entry(
    incident: Incident, place: int, people: list[User], chance: random.Random
) -> TimelineEntry:
    at = incident.created_at + timedelta(minutes=15 * place)
    kind = EntryKind.EVENT
    if place % 12 == 5:
        kind = EntryKind.UPDATE
    elif place % 20 == 7:
        kind = EntryKind.JOB
    text = f"{_sentence(chance)}, see https://runbook.example/{place}"
    return TimelineEntry(
        incident=incident,
        at=at if place % 30 != 11 else None,
        precision=Precision.MINUTE if place % 30 != 11 else Precision.UNKNOWN,
        until=at + timedelta(hours=5) if place % 10 == 4 else None,
        approx=place % 14 == 3,
        position=float(place + 1),
        kind=kind,
        text=f"**{text}**\n\n{_sentence(chance)}" if kind == EntryKind.UPDATE else text,
        tags=["attempt", "workaround"][: place % 3],
        outcome=Outcome.FAILED if place % 7 == 2 else "",
        milestone={0: Milestone.STARTED, 3: Milestone.DETECTED}.get(place, ""),
        is_public=place % 5 == 0,
        created_by=people[place % _PEOPLE],
        recorded_at=at + timedelta(minutes=place % 6),
        edited_at=at + timedelta(hours=1) if place % 25 == 9 else None,
    )


def _lead_rest(
    incident: Incident,
    entries: list[TimelineEntry],
    people: list[User],
    parts: list[Component],
    chance: random.Random,
) -> None:
    at = incident.created_at
    few = max(len(entries) // 20, 2)
    for number in range(few):
        made_at = at + timedelta(hours=number)
        is_last = number == few - 1
        Promise.objects.create(
            incident=incident,
            kind=PromiseKind.NEXT_UPDATE,
            due_at=made_at + timedelta(minutes=30),
            expires_at=made_at + timedelta(minutes=30),
            due_tz=_ZONE,
            made_at=made_at,
            outcome=PromiseOutcome.OPEN if is_last else PromiseOutcome.MET,
            settled_at=None if is_last else made_at + timedelta(minutes=25),
        )
        Impact.objects.create(
            incident=incident,
            component=parts[number % 4],
            kind=ImpactKind.DEGRADED,
            at=made_at,
            until=made_at + timedelta(minutes=50),
        )
        cause = RootCause.objects.create(
            incident=incident,
            kind=CauseKind.CONTRIBUTING,
            text=_sentence(chance),
            created_at=made_at,
        )
        cause.evidence.set(entries[number * 3 : number * 3 + 3])
        action = ActionItem.objects.create(
            incident=incident, text=_sentence(chance), owner=people[number], created_at=made_at
        )
        action.addresses.set([cause])
    for number, role in enumerate(Role):
        RoleAssignment.objects.create(
            incident=incident, role=role, holder=people[number], from_at=at
        )
    ProgressReport.objects.create(
        incident=incident,
        key=f"restore-{incident.pk}",
        title="Restore",
        phase=ProgressPhase.FETCHING,
        done=5 * 10**9,
        total=10**10,
        unit="bytes",
        started_at=at,
        heartbeat_at=at,
    )
