"""What a publish reads does not grow with history: rows are counted, in every plan and object."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import (
    Component,
    Incident,
    ProgressReport,
    Promise,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import (
    ComponentStatus,
    EntryKind,
    IncidentKind,
    Phase,
    Severity,
    UpdateState,
)
from statuspage import publisher
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

PAST = 2000
# Far more than the page lists, and than three months hold; far less than there is.
FEW = 400
APART = timedelta(hours=44)


def _add_past(component: Component) -> None:
    """Write ten years of incidents down, all of one component, two updates each."""
    incidents = Incident.objects.bulk_create(
        Incident(
            title=f"Past {number}",
            phase=Phase.RESOLVED,
            kind=IncidentKind.BACKFILLED,
            created_at=at,
            updated_at=at + HOUR,
            published_at=at,
            started_at=at,
            resolved_at=at + HOUR,
        )
        for number in range(PAST)
        for at in [NOON - (number + 1) * APART]
    )
    through: Any = Incident.components.through
    through.objects.bulk_create(
        through(incident=incident, component=component) for incident in incidents
    )
    for phase, after in ((Phase.INVESTIGATING, 0 * HOUR), (Phase.RESOLVED, HOUR)):
        _add_updates(incidents, phase, after)
    with connection.cursor() as cursor:
        # What PostgreSQL does by itself within a minute.
        cursor.execute("ANALYZE")
        # Tables as small as these it would rather read as a whole, whatever indexes there are.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")


def _add_updates(incidents: list[Incident], phase: Phase, after: timedelta) -> None:
    entries = TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident=incident,
            at=incident.created_at + after,
            recorded_at=incident.created_at + after,
            position=1.0,
            kind=EntryKind.UPDATE,
            text="We are on it.",
            is_public=True,
        )
        for incident in incidents
    )
    StatusUpdate.objects.bulk_create(
        StatusUpdate(
            incident=entry.incident,
            entry=entry,
            body=entry.text,
            phase=phase,
            state=UpdateState.PUBLISHED,
            created_at=entry.recorded_at,
            published_at=entry.at,
        )
        for entry in entries
    )


def _declare(component: Component, *, at: timedelta = 0 * HOUR) -> Incident:
    return operations.declare_incident(
        title="Tours do not open",
        severity=Severity.SEV1,
        at=NOON + at,
        author=None,
        body="We are looking into it.",
        components={component.pk: ComponentStatus.MAJOR_OUTAGE},
    )


def _tell(incident: Incident, number: int, *, at: timedelta) -> None:
    operations.post_status_update(
        incident_id=incident.pk,
        body=f"Update {number}: we are still on it.",
        phase=Phase.IDENTIFIED,
        at=NOON + at,
        author=None,
    )


def _most_read(deed: Callable[[], object]) -> dict[str, float]:
    """Return, by query of the deed, the most rows that any step of its plan went through."""
    with CaptureQueriesContext(connection) as asked:
        deed()
    found = {}
    for sql in [query["sql"] for query in asked.captured_queries]:
        if sql.startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
                plan = cursor.fetchone()[0]
            plan = plan if isinstance(plan, list) else json.loads(plan)
            found[sql] = max(_rows(plan[0]["Plan"]))
    return found


def _rows(node: dict[str, Any]) -> Iterator[float]:
    dropped = sum(count for name, count in node.items() if name.startswith("Rows Removed"))
    yield (node["Actual Rows"] + dropped) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from _rows(child)


def test_no_query_goes_through_history(public_root: Path, visitor: Visitor) -> None:
    tours = ComponentFactory.create()
    _add_past(tours)
    open_one = _declare(tours)
    publisher.publish_now(now=lambda: NOON)

    def update() -> None:
        _tell(open_one, 1, at=MINUTE)
        publisher.request_publish(open_one.pk, now=lambda: NOON + MINUTE)

    def declare() -> None:
        # One more than the lists hold: what falls off them is looked up; the days are drawn anew.
        another = _declare(tours, at=2 * MINUTE)
        publisher.request_publish(another.pk, now=lambda: NOON + 2 * MINUTE)

    for deed in (update, declare):
        read = _most_read(deed)
        assert len(read) > 15
        assert [(rows, sql) for sql, rows in read.items() if rows > FEW] == []
    assert "Update 1: we are still on it." in visitor.get("/").text
    assert len(visitor.get("/api/v2/incidents.json").json["incidents"]) == 50


def _loads(after: timedelta) -> list[int]:
    """Return how many promises and reports a publish loads."""
    with ExitStack() as stack:
        loads = [
            stack.enter_context(mock.patch.object(kind, "from_db", wraps=kind.from_db))
            for kind in (Promise, ProgressReport)
        ]
        publisher.publish_now(now=lambda: NOON + after)
        return [load.call_count for load in loads]


def test_what_belongs_to_incidents_that_are_over_is_not_loaded(
    public_root: Path, visitor: Visitor
) -> None:
    tours = ComponentFactory.create()
    over = _declare(tours)
    for number in range(5):
        _tell(over, number, at=number * MINUTE)
    operations.resolve_incident(incident_id=over.pk, body="Over.", at=NOON + HOUR, author=None)
    publisher.publish_now(now=lambda: NOON + HOUR)

    assert Promise.objects.filter(incident=over).count() > 1
    assert _loads(HOUR + MINUTE) == [0, 0]

    # A change of one of them that nobody asked to publish is seen, and it is rendered again.
    Promise.objects.filter(incident=over).update(basis="what the carrier said")
    assert _loads(HOUR + 2 * MINUTE)[0] > 1
    assert _loads(HOUR + 3 * MINUTE) == [0, 0]
