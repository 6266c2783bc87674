"""In which zone an incident is read and typed: the reader's, wherever its times stand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import forms, operations
from incidents.models import ActionItem, Impact, Incident, RootCause, StatusUpdate
from incidents.plans import UpdatePlan
from incidents.values import CauseKind, ImpactKind, Phase, PromiseKind, When
from tests.factories import HOUR, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
TOKYO = "Asia/Tokyo"
AMSTERDAM = "Europe/Amsterdam"
# The night in which Amsterdam's clocks go back: 02:30 comes at 00:30 UTC and at 01:30 UTC.
FIRST, SECOND = datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
TWICE = "2025-10-26T02:30"


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def hour() -> datetime:
    """Give an hour that has gone by, in UTC; it is nine hours later in Tokyo."""
    return (timezone.now() - HOUR).replace(minute=7, second=0, microsecond=0)


@pytest.fixture
def draft(incident: Incident) -> StatusUpdate:
    return operations.draft_status_update(
        incident_id=incident.pk,
        body="Half of it is back.",
        phase=Phase.MONITORING,
        at=timezone.now(),
        author=None,
        plan=UpdatePlan(next_update_at=datetime(2100, 1, 12, 12, 0, tzinfo=UTC)),
    )


@pytest.fixture
def impact(incident: Incident, hour: datetime) -> Impact:
    return operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.OUTAGE, began_at=hour, at=timezone.now(),
        author=None,
    )  # fmt: skip


def _shown(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M}</time>"


def test_what_stands_around_the_timeline_is_in_the_zone_of_the_reader(
    desk: Client, incident: Incident, draft: StatusUpdate, impact: Impact, hour: datetime
) -> None:
    RootCause.objects.create(
        incident=incident, kind=CauseKind.TRIGGER, text="A disk", at=hour, precision="minute",
        created_at=NOON,
    )  # fmt: skip
    here = hour + timedelta(hours=9)

    page = desk.get(f"{incident.get_absolute_url()}?tz={TOKYO}").content.decode()

    # The impact and the cause; the next update that the draft promises.
    assert page.count(_shown(here)) >= 2
    assert _shown(datetime(2100, 1, 12, 21, 0, tzinfo=UTC)) in page
    assert "In Asia/Tokyo." in page
    # The choice stays, for the parts that renew themselves and for the pages behind.
    assert _shown(datetime(2100, 1, 12, 21, 0, tzinfo=UTC)) in (
        desk.get(_url("drafts-live", incident.pk)).content.decode()
    )
    edit = desk.get(_url("impact-edit", impact.pk)).content.decode()
    assert f'value="{here:%Y-%m-%dT%H:%M}"' in edit
    assert '<a href="?tz=UTC">UTC</a>' in edit
    assert 'value="2100-01-12T21:00"' in desk.get(_url("draft-edit", draft.pk)).content.decode()
    utc = desk.get(_url("impact-edit", impact.pk) + "?tz=UTC").content.decode()
    assert f'value="{hour:%Y-%m-%dT%H:%M}"' in utc


def test_action_items_are_in_it_too(desk: Client, incident: Incident, hour: datetime) -> None:
    action = operations.add_action_item(
        incident_id=incident.pk, text="Test the backups", at=timezone.now(), author=None,
        due=When(at=hour),
    )  # fmt: skip
    assert isinstance(action, ActionItem)
    here = hour + timedelta(hours=9)

    assert _shown(here) in desk.get(_url("action-list") + f"?tz={TOKYO}").content.decode()
    page = desk.get(f"{incident.get_absolute_url()}?tz={TOKYO}").content.decode()
    assert _shown(here) in page


def test_a_time_is_meant_in_the_zone_in_which_it_was_asked_for(
    desk: Client, incident: Incident, hour: datetime
) -> None:
    """The choice is changed in another tab between looking and sending."""
    desk.get(f"{incident.get_absolute_url()}?tz=UTC")

    desk.post(
        _url("impact-record", incident.pk),
        {
            "kind": "outage",
            "began_at": f"{hour + timedelta(hours=9):%Y-%m-%dT%H:%M}",
            "in_zone": TOKYO,
        },
    )
    desk.post(
        _url("promise-make", incident.pk),
        {"kind": "eta", "due_from": "2100-01-12T21:00", "in_zone": TOKYO},
    )
    desk.post(
        _url("update-save", incident.pk),
        {
            "phase": "identified",
            "body": "We know what it is.",
            "next_at": "2100-01-12T21:00",
            "in_zone": TOKYO,
        },
    )

    noon = datetime(2100, 1, 12, 12, 0, tzinfo=UTC)
    assert Impact.objects.get().at == hour
    promise = incident.promises.get(kind=PromiseKind.ETA)
    # What customers are told is told in the zone of the incident.
    assert (promise.due_at, promise.due_tz) == (noon, incident.tz)
    assert UpdatePlan.from_json(incident.updates.get(state="draft").plan).next_update_at == noon


def test_a_zone_that_there_is_not_is_passed_over(desk: Client, incident: Incident) -> None:
    desk.post(
        _url("promise-make", incident.pk),
        {"kind": "eta", "due_from": "2100-01-12T13:00", "in_zone": "Atlantis/Centre"},
    )

    assert incident.promises.get(kind=PromiseKind.ETA).due_at == datetime(
        2100, 1, 12, 12, 0, tzinfo=UTC
    )


def _impact_form(**typed: str) -> forms.ImpactForm:
    return forms.ImpactForm(
        {"kind": "outage", **typed}, now=datetime(2026, 1, 1, tzinfo=UTC), tz=AMSTERDAM
    )


class TestTheHourThatComesTwice:
    def test_is_asked_about(self) -> None:
        form = _impact_form(began_at=TWICE)

        assert not form.is_valid()
        assert form.errors["began_at"] == [
            "02:30 came twice on that day in Europe/Amsterdam. Choose which of the two you mean."
        ]
        said = str(form["began_at"])
        assert 'name="began_at_which" aria-label="Which of the two times"' in said
        assert '<option value="first">The first: 00:30 UTC</option>' in said
        assert '<option value="second">The second: 01:30 UTC</option>' in said

    @pytest.mark.parametrize(("which", "at"), [("first", FIRST), ("second", SECOND)])
    def test_is_the_one_that_was_chosen(self, which: str, at: datetime) -> None:
        form = _impact_form(began_at=TWICE, began_at_which=which)

        assert form.is_valid(), form.errors
        assert form.cleaned_data["began_at"] == at
        assert f'<option value="{which}" selected>' in str(form["began_at"])

    @pytest.mark.parametrize(("which", "at"), [("first", FIRST), ("second", SECOND)])
    def test_stays_the_one_that_it_was(self, which: str, at: datetime) -> None:
        form = forms.ImpactForm(now=at, tz=AMSTERDAM, initial={"began_at": at})

        said = str(form["began_at"])
        assert f'value="{TWICE}"' in said
        assert f'<option value="{which}" selected>' in said

    @pytest.mark.parametrize("typed", ["2025-10-26T03:00", "2025-10-26T01:59", "nonsense", ""])
    def test_nothing_else_is_asked_about(self, typed: str) -> None:
        assert "_which" not in str(_impact_form(began_at=typed)["began_at"])

    def test_an_hour_that_was_not_is_refused_and_not_asked_about(self) -> None:
        form = _impact_form(began_at="2025-03-30T02:30")

        assert form.errors["began_at"] == [
            "There is no such time on that day: the clocks go forward over it."
        ]
        assert "_which" not in str(form["began_at"])

    def test_is_asked_about_at_the_desk(self, desk: Client, incident: Incident) -> None:
        Incident.objects.filter(pk=incident.pk).update(tz=AMSTERDAM)
        typed = {"kind": "outage", "began_at": TWICE, "in_zone": AMSTERDAM}

        asked = desk.post(_url("impact-record", incident.pk), typed)
        assert asked.status_code == INVALID
        assert 'name="began_at_which"' in asked.content.decode()

        desk.post(_url("impact-record", incident.pk), typed | {"began_at_which": "second"})
        assert Impact.objects.get().at == SECOND


class TestPeople:
    def test_a_handover_is_read_and_typed_in_the_zone_of_the_reader(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        held = incident.roles.get()
        address = _url("incident-handover", incident.pk)

        page = desk.get(f"{address}?tz={TOKYO}").content.decode()

        assert _shown(held.from_at + timedelta(hours=9)) in page
        assert "In Asia/Tokyo. Empty:" in page
        assert '<a href="?tz=UTC">UTC</a>' in page
        desk.post(
            address,
            {
                "roles": held.pk,
                "holder": ResponderFactory.create(username="olive").pk,
                "resting_until_at": "2100-01-13T06:00",
                "in_zone": TOKYO,
            },
        )
        held.refresh_from_db()
        assert held.resting_until_at == datetime(2100, 1, 12, 21, 0, tzinfo=UTC)

    def test_so_are_the_times_of_a_role_and_what_they_were(
        self, desk: Client, incident: Incident, hour: datetime
    ) -> None:
        held = incident.roles.get()
        held.from_at = hour
        held.save()
        address = _url("role-correct", held.pk)
        typed = {"from_at": f"{hour + timedelta(hours=8):%Y-%m-%dT%H:%M}", "in_zone": TOKYO}

        form = desk.get(f"{address}?tz={TOKYO}").content.decode()
        assert f'value="{hour + timedelta(hours=9):%Y-%m-%dT%H:%M}"' in form
        desk.post(address, typed)

        held.refresh_from_db()
        assert held.from_at == hour - HOUR
        before = hour + timedelta(hours=9)
        assert f"{before.day} {before:%b %Y, %H:%M}" in desk.get(address).content.decode()

    def test_so_is_the_rest_of_whoever_leaves_a_role(
        self, desk: Client, incident: Incident
    ) -> None:
        held = incident.roles.get()
        address = _url("role-leave", held.pk)

        assert "In Asia/Tokyo." in desk.get(f"{address}?tz={TOKYO}").content.decode()
        desk.post(address, {"resting_until_at": "2100-01-13T06:00", "in_zone": TOKYO})

        held.refresh_from_db()
        assert held.resting_until_at == datetime(2100, 1, 12, 21, 0, tzinfo=UTC)
