"""From the commit of an update to its being served, by components and by length of history.

    python -m benchmarks.publish

A database and a server of its own; the server is the one of production, in another process. Each
figure runs from the commit to the first answer that carries the update, over HTTP: to publish, to
write the revision, and for the server to take it up.

The updates are those of nine incidents, one after the other, each with a running restore; the
first is not counted. As they end they stay on the page's lists, as they do on a bad day; those of
the line before are hidden, so that each line begins with as many. On a busy machine only the
ratios at the end say anything, and they say little: compare with another version in turns.
"""

import gc
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django

django.setup()

from django.conf import settings  # noqa: E402 - Django is set up above
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.serving import free_port, serve, wait_for  # noqa: E402
from incidents import operations  # noqa: E402
from incidents.models import (  # noqa: E402
    Component,
    Incident,
    StatusInterval,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import (  # noqa: E402
    ComponentStatus,
    EntryKind,
    IncidentKind,
    Phase,
    ProgressPhase,
    Severity,
    UpdateState,
    Visibility,
)
from statuspage.publisher import publish_all  # noqa: E402

# Updates an incident, and incidents one after the other.
UPDATES = 25
INCIDENTS = 8
WARM_UP = 2
LIMIT_MS = 250
FEW = 20
OWN = "Tours are unavailable"
BATCH = 1000
_FAILURES = (ComponentStatus.MAJOR_OUTAGE, ComponentStatus.DEGRADED_PERFORMANCE)


def main() -> int:
    call_command("migrate", verbosity=0)
    root = Path(tempfile.mkdtemp(prefix="public-", dir=settings.VAR_DIR))
    settings.PUBLIC_ROOT = root
    now = timezone.now()
    parts: list[Component] = []
    there, worst = 0, 0.0
    costs: dict[tuple[int, int], float] = {}
    # As the web process does behind its start.
    gc.collect()
    gc.freeze()
    with _served(root) as port:
        for components, past in ((20, 30), (20, 30_000), (1000, 30_000)):
            parts += _add_components(range(len(parts), components), now - timedelta(days=400))
            _add_past(past - there, parts[0], now)
            # Those of the line before: this one begins without any on the page.
            Incident.objects.filter(title=OWN).update(visibility=Visibility.PRIVATE)
            began = time.perf_counter()
            publish_all()
            everything = time.perf_counter() - began
            there = past
            _settle()
            # Once for nothing: what a process reads once is read.
            _measure(port, parts)
            times = sorted(found for _number in range(INCIDENTS) for found in _measure(port, parts))
            p50, p99 = times[len(times) // 2], times[round(len(times) * 0.99) - 1]
            costs[components, past] = p50
            worst = max(worst, p99)
            print(
                f"{components:5} components, {past:6} past incidents: commit to served "
                f"p50 {p50:5.0f} ms, p99 {p99:5.0f} ms (limit {LIMIT_MS}), "
                f"everything anew {everything:.1f} s",
                flush=True,
            )
    print(f"30,000 past incidents / 30: {costs[FEW, 30_000] / costs[FEW, 30]:.2f}")
    print(f"1,000 components / {FEW}: {costs[1000, 30_000] / costs[FEW, 30_000]:.2f}")
    return 0 if worst <= LIMIT_MS else 1


def _settle() -> None:
    """Do what PostgreSQL and the disk would else do while it is measured."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    os.sync()


def _measure(port: int, parts: list[Component]) -> list[float]:
    """Post updates to an incident with a running restore; return the milliseconds of each."""
    now = timezone.now()
    incident = operations.declare_incident(
        title=OWN,
        severity=Severity.SEV1,
        at=now,
        author=None,
        body="We are looking into it.",
        components={part.pk: ComponentStatus.PARTIAL_OUTAGE for part in parts[:3]},
    )
    operations.report_progress(
        incident_id=incident.pk,
        key=f"restore-{incident.pk}",
        title="Restore",
        progress=operations.Progress(
            phase=ProgressPhase.FETCHING,
            done=10**9,
            total=10**10,
            unit="bytes",
            rate=1e7,
            eta_low_at=now + timedelta(minutes=10),
            eta_high_at=now + timedelta(minutes=20),
            eta_basis="the last 60 s",
        ),
        at=now,
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    found = [_post(connection, incident, number) for number in range(UPDATES + WARM_UP)]
    operations.resolve_incident(
        incident_id=incident.pk, body="Over.", at=timezone.now(), author=None
    )
    return found[WARM_UP:]


def _post(connection: http.client.HTTPConnection, incident: Incident, number: int) -> float:
    words = f"Update {incident.pk}-{number}: we are still on it."
    committed: list[float] = []
    with transaction.atomic():
        # The first thing after the commit; publishing comes behind it.
        transaction.on_commit(lambda: committed.append(time.perf_counter()))
        operations.post_status_update(
            incident_id=incident.pk,
            body=words,
            phase=Phase.IDENTIFIED,
            at=timezone.now(),
            author=None,
        )
    while True:
        connection.request("GET", "/api/v2/incidents/unresolved.json")
        if words.encode() in connection.getresponse().read():
            return (time.perf_counter() - committed[0]) * 1000
        time.sleep(0.002)


def _add_components(numbers: range, at: datetime) -> list[Component]:
    """Add components with a history each, without publishing each of them."""
    parts = Component.objects.bulk_create(
        Component(
            name=f"Component {n}",
            description=f"What customer {n * 7919 % 997} works with." if n % 2 else "",
            position=n + 1,
            created_at=at,
            updated_at=at,
        )
        for n in numbers
    )
    StatusInterval.objects.bulk_create(
        interval for part in parts for interval in _history(part, at)
    )
    return parts


def _history(part: Component, at: datetime) -> Iterator[StatusInterval]:
    """Yield the stretches of 400 days: two of three components failed, hardly two alike."""
    number = part.position
    for failure in range(number % 3):
        down = at + timedelta(days=320 + 30 * failure + number % 29, minutes=number)
        up = down + timedelta(minutes=5 + number % 300)
        yield StatusInterval(
            component=part, status=ComponentStatus.OPERATIONAL, began_at=at, ended_at=down
        )
        yield StatusInterval(
            component=part, status=_FAILURES[number % 2], began_at=down, ended_at=up
        )
        at = up
    yield StatusInterval(component=part, status=part.status, began_at=at)


def _add_past(count: int, part: Component, now: datetime) -> None:
    """Add resolved incidents of the last ten years, with two updates each."""
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        incidents = Incident.objects.bulk_create(
            _past(now - timedelta(hours=24 + 8.7 * number)) for number in numbers
        )
        through: Any = Incident.components.through
        through.objects.bulk_create(
            through(incident=incident, component=part) for incident in incidents
        )
        for phase, after in ((Phase.INVESTIGATING, 0), (Phase.RESOLVED, 60)):
            _add_updates(incidents, phase, timedelta(minutes=after))


def _past(at: datetime) -> Incident:
    over = at + timedelta(hours=1)
    return Incident(
        title=f"Past incident of {at:%Y-%m-%d}",
        phase=Phase.RESOLVED,
        kind=IncidentKind.BACKFILLED,
        created_at=at,
        updated_at=over,
        published_at=at,
        started_at=at,
        resolved_at=over,
    )


def _add_updates(incidents: list[Incident], phase: Phase, after: timedelta) -> None:
    entries = TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident=incident,
            at=incident.created_at + after,
            recorded_at=incident.created_at + after,
            position=1.0,
            kind=EntryKind.UPDATE,
            text=f"{phase.label}. " * 20,
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


@contextmanager
def _served(root: Path) -> Iterator[int]:
    port = free_port()
    server: subprocess.Popen[bytes] = serve(root, port)
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
