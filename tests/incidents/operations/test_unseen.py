"""Incidents that customers do not see: what staff write there is no word to customers."""

from typing import Any

import pytest

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, SeverityRule, StatusUpdate
from incidents.spans import Span
from incidents.values import (
    IncidentKind,
    Milestone,
    Phase,
    ProgressPhase,
    ProgressState,
    PromiseKind,
    PromiseOutcome,
    Severity,
    UpdateState,
    Visibility,
    When,
)
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


def _declare(author: User, visibility: Visibility = Visibility.INTERNAL, **more: Any) -> Incident:
    return operations.declare_incident(
        title="Errors above 5 %", severity=Severity.SEV1, visibility=visibility, at=NOON,
        author=author, **more,
    )  # fmt: skip


def _post(incident: Incident, minutes: int, **more: Any) -> StatusUpdate:
    return operations.post_status_update(
        incident_id=incident.pk, body=f"News of minute {minutes}.", phase=Phase.IDENTIFIED,
        at=NOON + minutes * MINUTE, author=incident.created_by, **more,
    )  # fmt: skip


def _show(
    incident: Incident, visibility: Visibility = Visibility.PUBLIC, minutes: int = 30
) -> None:
    incident.refresh_from_db()
    operations.edit_incident(
        incident_id=incident.pk, title="Tours do not open", summary="",
        severity=Severity(incident.severity), visibility=visibility, at=NOON + minutes * MINUTE,
        author=incident.created_by,
    )  # fmt: skip
    incident.refresh_from_db()


@pytest.mark.parametrize("visibility", [Visibility.INTERNAL, Visibility.PRIVATE])
class TestUpdatesThatStaffRead:
    def test_are_no_milestone_no_promise_and_no_figure(
        self, robin: User, visibility: Visibility
    ) -> None:
        incident = _declare(robin, visibility)

        update = _post(incident, 5, eta=When(at=NOON + HOUR))
        _post(incident, 50)

        incident.refresh_from_db()
        figures = queries.figures(incident, at=NOON + HOUR)
        assert update.state == UpdateState.PUBLISHED
        assert (incident.phase, incident.published_at) == (Phase.IDENTIFIED, None)
        assert (figures.first_update, figures.longest_silence) == (None, None)
        assert not incident.entries.filter(milestone=Milestone.FIRST_UPDATE).exists()
        assert not incident.promises.exists()
        assert update.entry is not None
        assert not update.entry.is_public

    def test_nor_are_those_that_somebody_approves(
        self, robin: User, visibility: Visibility
    ) -> None:
        SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
        incident = _declare(robin, visibility)
        update = _post(incident, 5, next_update_at=NOON + HOUR)

        operations.approve_update(
            update_id=update.pk, at=NOON + 6 * MINUTE,
            approver=ResponderFactory.create(username="approver"),
        )  # fmt: skip

        incident.refresh_from_db()
        assert incident.first_update_at is None
        assert not incident.promises.exists()

    def test_promise_nothing_by_hand_or_by_a_job_either(
        self, robin: User, visibility: Visibility
    ) -> None:
        incident = _declare(robin, visibility)
        progress = operations.Progress(
            phase=ProgressPhase.FETCHING, state=ProgressState.RUNNING, done=1, total=2,
            unit="bytes", eta_low_at=NOON + HOUR, eta_high_at=NOON + 2 * HOUR, eta_basis="last:60",
        )  # fmt: skip

        operations.report_progress(
            incident_id=incident.pk, key="restore-1", title="Restore", progress=progress, at=NOON
        )
        with pytest.raises(operations.NotForCustomers):
            operations.make_promise(
                incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + HOUR), at=NOON,
                author=robin,
            )  # fmt: skip

        assert not incident.promises.exists()


class TestShowing:
    def test_begins_with_the_first_update_that_customers_read(self, robin: User) -> None:
        incident = _declare(robin)
        _post(incident, 5)

        _show(incident)
        assert not queries.public_incidents().exists()
        real = _post(incident, 40)

        shown = queries.public_incidents().get()
        incident.refresh_from_db()
        figures = queries.figures(incident, at=NOON + 40 * MINUTE)
        assert shown.told == [real]
        assert shown.title == "Tours do not open"
        assert figures.first_update == Span.exactly(40 * MINUTE)
        assert incident.promises.get().kind == PromiseKind.NEXT_UPDATE

    def test_again_tells_nothing_of_what_staff_said_meanwhile(self, robin: User) -> None:
        incident = _declare(robin, Visibility.PUBLIC)
        told = _post(incident, 1)
        _show(incident, Visibility.INTERNAL, 2)
        _post(incident, 3)

        _show(incident, minutes=4)

        assert queries.public_incidents().get().told == [told]


def test_what_customers_see_no_longer_keeps_no_promise_to_them(robin: User) -> None:
    incident = _declare(robin, Visibility.PUBLIC)
    _post(incident, 1, eta=When(at=NOON + HOUR))

    _show(incident, Visibility.INTERNAL, 2)

    outcomes = set(incident.promises.values_list("outcome", flat=True))
    assert outcomes == {PromiseOutcome.WITHDRAWN}
    assert queries.promises_kept(incident.pk) == (0, 0)


def test_a_drill_is_held_as_if_customers_read_it(robin: User) -> None:
    drill = _declare(robin, Visibility.PUBLIC, kind=IncidentKind.DRILL)

    _post(drill, 7)

    drill.refresh_from_db()
    assert drill.first_update_at == NOON + 7 * MINUTE
    assert drill.promises.open().count() == 1
    assert not queries.public_incidents().exists()
