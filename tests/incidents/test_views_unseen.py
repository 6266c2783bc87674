"""The desk on an incident that customers do not see: it says so, and lets them with one deed."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident
from incidents.values import IncidentKind, Severity, Visibility
from tests.factories import HOUR

pytestmark = pytest.mark.django_db

INVALID = 422
UNSEEN = "Customers do not see this incident."


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _update(body: str = "It is the database.") -> dict[str, Any]:
    return {"phase": "identified", "body": body, "next_minutes": 20}


def _declare(author: User, **more: Any) -> Incident:
    named = {"title": "Errors above 5 %", "severity": Severity.SEV2} | more
    return operations.declare_incident(at=timezone.now() - HOUR, author=author, **named)


@pytest.fixture
def internal(responder: User) -> Incident:
    return _declare(responder, visibility=Visibility.INTERNAL)


class TestTheFormSaysSo:
    def test_where_one_writes_and_where_one_resolves(
        self, desk: Client, internal: Incident
    ) -> None:
        pages = [
            desk.get(internal.get_absolute_url()).content.decode(),
            desk.get(_url("incident-resolve", internal.pk)).content.decode(),
        ]

        for page in pages:
            assert UNSEEN in page
            assert _url("incident-show", internal.pk) in page
        assert "Make a promise" not in pages[0]
        assert "tell customers</button>" not in pages[1]

    def test_a_private_one_is_not_shown_with_one_press(self, desk: Client, responder: User) -> None:
        private = _declare(responder, visibility=Visibility.PRIVATE)

        page = desk.get(private.get_absolute_url()).content.decode()

        assert UNSEEN in page
        assert _url("incident-show", private.pk) not in page

    def test_of_one_that_they_see_or_that_is_a_drill_it_says_nothing(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        drill = _declare(responder, kind=IncidentKind.DRILL)

        for each in (incident, drill):
            assert UNSEEN not in desk.get(each.get_absolute_url()).content.decode()


class TestShowing:
    def test_asks_first_and_goes_on_with_what_was_said_to_staff(
        self, desk: Client, internal: Incident
    ) -> None:
        desk.post(_url("update-post", internal.pk), _update("It is the database."))
        asked = desk.get(_url("incident-show", internal.pk)).content.decode()
        internal.refresh_from_db()
        assert 'value="Errors above 5 %"' in asked
        assert internal.visibility == Visibility.INTERNAL

        page = desk.post(
            _url("incident-show", internal.pk),
            {"title": "Tours do not open", "version": internal.version},
            follow=True,
        ).content.decode()

        internal.refresh_from_db()
        assert (internal.title, internal.visibility) == ("Tours do not open", Visibility.PUBLIC)
        assert UNSEEN not in page
        assert "It is the database.</textarea>" in page
        # Not before they were told, by this desk and now.
        assert not queries.public_incidents().exists()
        desk.post(_url("update-post", internal.pk), _update("It is the database."))
        (told,) = queries.public_incidents().get().told
        internal.refresh_from_db()
        assert internal.first_update_at == told.published_at

    def test_what_somebody_has_changed_meanwhile_is_read_first(
        self, desk: Client, internal: Incident
    ) -> None:
        url, old = _url("incident-show", internal.pk), internal.version
        Incident.objects.filter(pk=internal.pk).update(version=old + 1)

        refused = desk.post(url, {"title": "Tours", "version": old})

        assert refused.status_code == INVALID
        assert "Somebody else has changed this" in refused.content.decode()
        assert refused.context["form"]["version"].value() == str(old + 1)

    def test_what_was_said_in_private_stays_there(self, desk: Client, responder: User) -> None:
        private = _declare(responder, visibility=Visibility.PRIVATE)
        desk.post(_url("update-post", private.pk), _update())

        refused = desk.post(
            _url("incident-show", private.pk), {"title": "Tours", "version": private.version}
        )

        assert refused.status_code == INVALID
        assert "while it was private" in refused.content.decode()

    def test_what_they_see_is_shown_already(self, desk: Client, incident: Incident) -> None:
        page = desk.get(_url("incident-show", incident.pk), follow=True).content.decode()

        assert "Customers may see this incident already." in page


class TestZone:
    def _edit(self, desk: Client, incident: Incident, tz: str) -> Any:
        typed = {"version": incident.version, "title": incident.title, "severity": "sev2"}
        return desk.post(
            _url("incident-edit", incident.pk), typed | {"visibility": "internal", "tz": tz}
        )

    def test_is_changed_with_the_rest(self, desk: Client, internal: Incident) -> None:
        form = desk.get(_url("incident-edit", internal.pk)).content.decode()
        assert 'name="tz" value="UTC"' in form
        assert '<option value="Europe/Amsterdam">' in form

        self._edit(desk, internal, "Europe/Amsterdam")

        internal.refresh_from_db()
        assert internal.tz == "Europe/Amsterdam"
        assert queries.revisions(internal).get().data["tz"] == "UTC"

    def test_is_one_that_there_is(self, desk: Client, internal: Incident) -> None:
        refused = self._edit(desk, internal, "Europe/Atlantis")

        assert refused.status_code == INVALID
        assert "There is no time zone" in refused.content.decode()


class TestLong:
    @pytest.fixture
    def old(self, incident: Incident) -> Incident:
        """Give one that an alert says to be days old, and of which customers heard just now."""
        Incident.objects.filter(pk=incident.pk).update(started_at=timezone.now() - 72 * HOUR)
        return incident

    def test_counts_from_when_people_took_it_up(self, desk: Client, old: Incident) -> None:
        words = "This goes on for long"
        assert words not in desk.get(old.get_absolute_url()).content.decode()

        Incident.objects.filter(pk=old.pk).update(declared_at=timezone.now() - 3 * HOUR)

        assert words in desk.get(old.get_absolute_url()).content.decode()

    def test_is_no_matter_before_customers_have_heard(self, desk: Client, old: Incident) -> None:
        Incident.objects.filter(pk=old.pk).update(
            declared_at=timezone.now() - 3 * HOUR, first_update_at=None
        )

        assert "This goes on for long" not in desk.get(old.get_absolute_url()).content.decode()
