"""The next update: from the cadence, at a long incident's pace, and through the night."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from incidents import operations, queries
from incidents.models import Cadence, DeskRules, Incident
from incidents.operations.promises import next_update_due, quiet_until
from incidents.values import Confidence, Phase, PromiseKind, PromiseOutcome, Severity, When
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory
from tests.incidents.promised import open_promise

pytestmark = pytest.mark.django_db

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def incident() -> Incident:
    found: Incident = IncidentFactory.create(severity=Severity.SEV1, tz="Europe/Amsterdam")
    return found


class TestNextUpdateDue:
    def test_follows_staffs_own_figure(self, incident: Incident) -> None:
        Cadence.objects.create(severity=Severity.SEV1, phase=Phase.IDENTIFIED, minutes=25)

        assert next_update_due(incident, Phase.INVESTIGATING, at=NOON) == NOON + 10 * MINUTE
        assert next_update_due(incident, Phase.IDENTIFIED, at=NOON) == NOON + 25 * MINUTE

    def test_of_a_long_incident_is_four_hours_away_by_day(self, incident: Incident) -> None:
        incident.is_long = True

        assert next_update_due(incident, Phase.IDENTIFIED, at=NOON) == NOON + 4 * HOUR
        assert quiet_until(incident, at=NOON) is None

    def test_of_a_long_incident_waits_for_the_morning(self, incident: Incident) -> None:
        incident.is_long = True
        evening = datetime(2026, 1, 12, 21, 3, tzinfo=AMSTERDAM)

        due = next_update_due(incident, Phase.IDENTIFIED, at=evening)

        assert due == datetime(2026, 1, 13, 8, 0, tzinfo=AMSTERDAM)
        assert quiet_until(incident, at=evening) == due

    def test_staff_say_when_the_night_is_and_how_long_is_long(self, incident: Incident) -> None:
        incident.is_long = True
        DeskRules.objects.create(pk=1, night_begins="20:00", night_ends="06:30")
        Cadence.objects.create(severity=Severity.SEV1, phase="", minutes=120)

        assert next_update_due(incident, Phase.MONITORING, at=NOON) == NOON + 2 * HOUR
        assert next_update_due(
            incident, Phase.MONITORING, at=datetime(2026, 1, 12, 19, 0, tzinfo=AMSTERDAM)
        ) == datetime(2026, 1, 13, 6, 30, tzinfo=AMSTERDAM)


class TestSetLong:
    def test_counts_from_the_next_update_on_and_stands_on_the_timeline(
        self, incident: Incident
    ) -> None:
        operations.set_long(incident_id=incident.pk, is_long=True, at=NOON, author=None)
        operations.set_long(incident_id=incident.pk, is_long=True, at=NOON, author=None)
        operations.post_status_update(
            incident_id=incident.pk, body="It takes long.", phase=Phase.IDENTIFIED, at=NOON,
            author=None,
        )  # fmt: skip

        promise = open_promise(incident.pk, PromiseKind.NEXT_UPDATE)
        assert promise is not None
        assert promise.due_at == NOON + 4 * HOUR
        notes = [entry.text for entry in queries.timeline(incident.pk) if entry.kind == "note"]
        assert notes == ["From now on a long incident: fewer updates, none by night."]

    def test_is_refused_once_it_is_over(self) -> None:
        over = IncidentFactory.create(over=True)

        with pytest.raises(operations.IncidentResolved):
            operations.set_long(incident_id=over.pk, is_long=True, at=NOON, author=None)


class TestPromisesKept:
    def test_counts_those_that_came_true_or_did_not(self, incident: Incident) -> None:
        for minutes in (5, 30, 60):
            operations.post_status_update(
                incident_id=incident.pk, body="News.", phase=Phase.IDENTIFIED,
                at=NOON + minutes * MINUTE, author=None,
            )  # fmt: skip

        # The first was due ten minutes later and is missed, as is the second; the last is open.
        figures = queries.figures(incident, at=NOON + HOUR)
        assert (figures.promises_kept, figures.promises_settled) == (0, 2)

    def test_leaves_out_what_was_replaced_in_time(self, incident: Incident) -> None:
        for hours in (1, 2):
            operations.make_promise(
                incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + hours * HOUR),
                at=NOON, author=None, confidence=Confidence.LOW,
            )  # fmt: skip

        assert queries.promises_kept(incident.pk) == (0, 0)

    def test_nothing_else_is_said_of_confidence(self, incident: Incident) -> None:
        promise = operations.make_promise(
            incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + HOUR), at=NOON,
            author=None,
        )  # fmt: skip
        promise.confidence = "absolutely"[:8]

        with pytest.raises(IntegrityError), transaction.atomic():
            promise.save()


@pytest.mark.parametrize(("kind", "hours"), [(PromiseKind.NEXT_UPDATE, 0), (PromiseKind.ETA, 2)])
def test_what_the_clock_settles_nobody_calls_kept(kind: PromiseKind, hours: int) -> None:
    promise = operations.make_promise(
        incident_id=IncidentFactory.create().pk, kind=kind, due=When(at=NOON + HOUR), at=NOON,
        author=None,
    )  # fmt: skip

    with pytest.raises(operations.ClockSettles):
        operations.settle_promise(
            promise_id=promise.pk, outcome=PromiseOutcome.MET,
            at=NOON + hours * HOUR, author=None,
        )  # fmt: skip
