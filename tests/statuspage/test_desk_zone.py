"""The zone of the page is the one with which forms at the desk begin."""

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations as record
from incidents import queries
from incidents.models import Incident
from incidents.operations import Plan
from incidents.values import AlertProvider, Severity, Visibility
from statuspage import operations
from statuspage.models import Page
from tests.factories import HOUR, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

SETTINGS = reverse("statuspage:page-settings", args=["main"])
ZONE = "Europe/Amsterdam"


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


def _plan(tz: str) -> None:
    record.schedule_maintenance(
        plan=Plan(title="New disks", tz=tz),
        scheduled_for=NOON + HOUR,
        scheduled_until=NOON + 2 * HOUR,
        at=NOON,
        author=None,
    )


def _set_up(time_zone: str) -> None:
    operations.set_up_page(
        name="Acme", url="https://status.acme.example", at=NOON, time_zone=time_zone
    )


class TestZone:
    def test_is_utc_where_nobody_said_another(self) -> None:
        assert queries.usual_zone() == "UTC"
        assert not Page.objects.exists()

    def test_is_that_of_planned_work_while_the_page_has_none_of_its_own(self) -> None:
        _set_up("Etc/UTC")
        _plan("America/Lima")

        assert queries.usual_zone() == "America/Lima"

    def test_is_that_of_the_first_page(self) -> None:
        _set_up(ZONE)
        _plan("America/Lima")

        assert queries.usual_zone() == ZONE

    @pytest.mark.parametrize("name", ["incident-declare", "incident-backfill"])
    def test_begins_each_form(self, desk: Client, name: str) -> None:
        _set_up(ZONE)

        assert f'value="{ZONE}"' in desk.get(reverse(f"incidents:{name}")).content.decode()

    def test_is_that_of_what_programs_and_alerts_declare(self, client: Client) -> None:
        _set_up(ZONE)
        api, author = APIClient(), ResponderFactory.create()
        api.force_authenticate(author)
        _hook, token = record.add_hook(
            name="Nightly", provider=AlertProvider.GENERIC, severity=Severity.SEV3,
            visibility=Visibility.INTERNAL, at=NOON, author=author,
        )  # fmt: skip
        asked = {"title": "Down", "severity": "sev1"}

        client.post(
            f"/api/alerts/{token}/",
            {"key": "backup", "title": "It failed"},
            content_type="application/json",
        )
        api.post("/api/desk/v1/incidents/", asked, format="json")
        api.post("/api/desk/v1/incidents/", asked | {"tz": "America/Lima"}, format="json")
        odd = api.post("/api/desk/v1/incidents/", asked | {"tz": "Nowhere"}, format="json")

        zones = Incident.objects.order_by("pk").values_list("tz", flat=True)
        assert list(zones) == [ZONE, ZONE, "America/Lima"]
        assert (odd.status_code, list(odd.json())) == (400, ["tz"])

    def test_begins_planned_work_and_the_history_of_a_component(self, desk: Client) -> None:
        _set_up(ZONE)
        tours = record.add_component(name="Tours", at=NOON)

        for address in (
            reverse("incidents:maintenance-schedule"),
            reverse("incidents:component-history", args=[tours.pk]),
        ):
            assert f'value="{ZONE}"' in desk.get(address).content.decode()


class TestViewers:
    def test_an_empty_list_is_a_sentence_and_says_how_to_add_people(self, desk: Client) -> None:
        page = desk.get(SETTINGS).content.decode()

        assert "There is nobody yet who has an account and is not staff." in page
        assert "/desk/admin/" in page

    def test_people_stand_in_it(self, desk: Client) -> None:
        User.objects.create_user("reader")

        page = desk.get(SETTINGS).content.decode()

        assert "reader" in page
        assert "There is nobody yet" not in page

    def test_are_asked_to_sign_in_as_readers(self, client: Client) -> None:
        page = client.get("/desk/login/?next=/viewer/").content.decode()

        assert "Sign in to read this status page" in page
        assert "Sign in to the desk" not in page
        assert "Sign in to the desk" in client.get("/desk/login/?next=/desk/").content.decode()


def test_the_settings_list_each_group_before_its_members(desk: Client) -> None:
    web = record.add_component(name="Web", is_group=True, at=NOON)
    api = record.add_component(name="Api", is_group=True, at=NOON)
    record.add_component(name="Login", group_id=api.pk, at=NOON)
    record.add_component(name="Tours", group_id=web.pk, at=NOON)

    page = desk.get(SETTINGS).content.decode()
    chosen = page[page.index('id="content_components"') :]

    places = [chosen.index(name) for name in ("Web", "Tours", "Api", "Login")]
    # A member is called by its group, too: only the first of each counts.
    assert places[0] < places[1] < places[2] < places[3]
