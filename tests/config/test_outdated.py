"""A form that comes without its token is answered in words, with what was typed."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from incidents.models import Incident
from tests.factories import IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

HERE = "http://testserver"
WORDS = "We know the cause <of it>, and mend it."


@pytest.fixture
def strict() -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def incident() -> Incident:
    return IncidentFactory.create()


def _post(strict: Client, incident: Incident, sender: str = HERE, **more: Any) -> Any:
    page = f"{sender}{incident.get_absolute_url()}"
    return strict.post(
        reverse("incidents:update-post", args=[incident.pk]),
        {"phase": "identified", "body": WORDS} | more,
        headers={"origin": sender, "referer": page},
    )


def test_it_says_what_happened_and_how_to_go_on(strict: Client, incident: Incident) -> None:
    answer = _post(strict, incident)

    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Nothing was changed." in page
    assert f'href="{incident.get_absolute_url()}"' in page
    assert answer["X-Load-Again"] == incident.get_absolute_url()
    assert "no-store" in answer["Cache-Control"]
    assert not incident.updates.exists()


def test_what_was_typed_stands_there_to_be_copied(strict: Client, incident: Incident) -> None:
    page = _post(strict, incident, new_password="open sesame now").content.decode()

    assert "We know the cause &lt;of it&gt;, and mend it.</textarea>" in page
    # Neither a choice, nor a secret.
    assert page.count("<textarea") == 1
    assert "sesame" not in page


def test_what_another_site_sent_is_not_shown(strict: Client, incident: Incident) -> None:
    answer = _post(strict, incident, sender="https://elsewhere.example")

    assert answer.status_code == 403
    assert "We know the cause" not in answer.content.decode()
    assert answer["X-Load-Again"] == incident.get_absolute_url()


def test_without_a_page_behind_it_the_desk_is_the_way_on(strict: Client) -> None:
    answer = strict.post("/desk/logout/")

    assert answer.status_code == 403
    assert answer["X-Load-Again"] == "/desk/"


def test_a_program_is_answered_as_before(strict: Client) -> None:
    answer = strict.post("/api/desk/v1/incidents/", {"title": "Down", "severity": "sev1"})

    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
