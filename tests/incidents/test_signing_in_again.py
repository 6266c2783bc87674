"""Whoever was signed out in the middle of a deed goes on at a page, not at the deed's address."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from incidents.models import Incident
from tests.factories import TimelineEntryFactory

pytestmark = pytest.mark.django_db


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _goes_on_at(client: Client, address: str, came_from: str = "") -> str:
    headers = {"referer": came_from} if came_from else {}
    answer = client.post(address, {"body": "x"}, headers=headers)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer["Location"]).query)["next"][0]


@pytest.mark.parametrize(
    "name",
    ["update-post", "update-save", "update-preview", "entry-add", "entry-line", "role-take"],
)
def test_a_deed_of_an_incident_leads_back_to_the_incident(
    client: Client, incident: Incident, responder: User, name: str
) -> None:
    page = _goes_on_at(client, _url(name, incident.pk))

    assert page == incident.get_absolute_url()
    client.force_login(responder)
    assert client.get(page).status_code == 200


def test_the_page_from_which_it_was_asked_for_comes_first(
    client: Client, incident: Incident
) -> None:
    entry = TimelineEntryFactory.create(incident=incident)
    page = f"{incident.get_absolute_url()}?tz=UTC"

    here = "http://testserver"
    assert _goes_on_at(client, _url("entry-delete", entry.pk), f"{here}{page}") == page
    # A form that was refused stands at the address of its deed.
    refused = f"{here}{_url('update-post', incident.pk)}"
    assert _goes_on_at(client, _url("entry-delete", entry.pk), refused) == (
        incident.get_absolute_url()
    )


def test_nobody_is_led_elsewhere(client: Client, incident: Incident) -> None:
    away = "https://elsewhere.example/desk/incidents/1/"

    assert _goes_on_at(client, _url("update-post", incident.pk), away) == (
        incident.get_absolute_url()
    )


def test_a_form_with_a_page_of_its_own_leads_back_to_it(client: Client, incident: Incident) -> None:
    entry = TimelineEntryFactory.create(incident=incident)
    page = _url("entry-edit", entry.pk)

    assert _goes_on_at(client, page) == page
    # Nothing stands above it but the list.
    assert _goes_on_at(client, _url("entry-delete", entry.pk)) == "/desk/"


def test_looking_leads_where_it_was_to_lead(client: Client, incident: Incident) -> None:
    answer = client.get(f"{incident.get_absolute_url()}?tz=UTC")

    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == [
        f"{incident.get_absolute_url()}?tz=UTC"
    ]
