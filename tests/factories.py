"""Rows for tests. Defaults are valid and plain; name what matters to the test."""

from datetime import UTC, datetime, timedelta

import factory
from factory.django import DjangoModelFactory

from accounts.models import User
from incidents.models import (
    Component,
    Incident,
    Maintenance,
    ProgressReport,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import Phase, UpdateState

NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class ResponderFactory(DjangoModelFactory[User]):
    """Somebody who works at the desk."""

    class Meta:
        model = User
        django_get_or_create = ["username"]

    username = "responder"
    first_name = "Robin"
    last_name = "Responder"
    is_staff = True


class ComponentFactory(DjangoModelFactory[Component]):
    """A component that works."""

    class Meta:
        model = Component

    name = "Tours"
    created_at = NOON
    updated_at = NOON


class IncidentFactory(DjangoModelFactory[Incident]):
    """An open incident that customers know of."""

    class Meta:
        model = Incident

    title = "Tours do not open"
    created_at = NOON
    updated_at = NOON
    started_at = NOON
    published_at = NOON

    class Params:
        over = factory.Trait(phase=Phase.RESOLVED, resolved_at=NOON + 2 * HOUR)
        untold = factory.Trait(published_at=None)


class TimelineEntryFactory(DjangoModelFactory[TimelineEntry]):
    """Something that happened at noon."""

    class Meta:
        model = TimelineEntry

    incident = factory.SubFactory(IncidentFactory)
    text = "Restarted the proxy"
    at = NOON
    recorded_at = NOON
    position = factory.Sequence(float)


class StatusUpdateFactory(DjangoModelFactory[StatusUpdate]):
    """A published update, with its entry."""

    class Meta:
        model = StatusUpdate

    incident = factory.SubFactory(IncidentFactory)
    entry = factory.SubFactory(
        TimelineEntryFactory,
        incident=factory.SelfAttribute("..incident"),
        kind="update",
        is_public=True,
    )
    body = "We are looking into it."
    phase = Phase.INVESTIGATING
    state = UpdateState.PUBLISHED
    created_at = NOON
    published_at = NOON


class ProgressReportFactory(DjangoModelFactory[ProgressReport]):
    """A restore that is copying the backup, half done."""

    class Meta:
        model = ProgressReport

    incident = factory.SubFactory(IncidentFactory)
    key = factory.Sequence(lambda n: f"restore-{n}")
    title = "Restore"
    phase = "fetching"
    done = 50
    total = 100
    unit = "bytes"
    started_at = NOON
    heartbeat_at = NOON


class MaintenanceFactory(DjangoModelFactory[Maintenance]):
    """Work planned from one o'clock until three, which customers know of."""

    class Meta:
        model = Maintenance

    title = "Database upgrade"
    scheduled_for = NOON + HOUR
    scheduled_until = NOON + 3 * HOUR
    created_at = NOON
    updated_at = NOON
    published_at = NOON
