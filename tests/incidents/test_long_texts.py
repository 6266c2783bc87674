"""Every text that people write has an end; what is beyond it is refused, and stands there still."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations
from incidents.models import Incident, StatusUpdate
from incidents.values import LONGEST_TEXT, Phase

pytestmark = pytest.mark.django_db

INVALID = 422
LONG = "word " * 400_000
ENOUGH = "x" * LONGEST_TEXT


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _draft(incident: Incident, author: User) -> StatusUpdate:
    return operations.draft_status_update(
        incident_id=incident.pk, body="We look.", phase=Phase.IDENTIFIED, at=timezone.now(),
        author=author,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["update-post", "update-save", "update-preview"])
def test_an_update_has_an_end(desk: Client, incident: Incident, name: str) -> None:
    known = incident.updates.count()

    answer = desk.post(_url(name, incident.pk), {"phase": "identified", "body": LONG})

    assert answer.status_code == INVALID
    page = answer.content.decode()
    assert "at most 20000 characters, and this is 1999999. Shorten it" in page
    assert LONG.strip() in page
    assert incident.updates.count() == known


def test_so_have_drafts_and_corrections(desk: Client, incident: Incident, responder: User) -> None:
    draft, told = _draft(incident, responder), incident.updates.published().get()

    for address, body in (
        (_url("draft-edit", draft.pk), LONG),
        (_url("update-correct", told.pk), LONG),
    ):
        answer = desk.post(address, {"phase": "identified", "body": body, "version": 1})
        assert answer.status_code == INVALID, address
        assert "Shorten it" in answer.content.decode()
    draft.refresh_from_db()
    told.refresh_from_db()
    assert {draft.body, told.body} == {"We look.", "We are looking into it."}


def test_so_have_summaries_and_what_is_handed_over(
    desk: Client, incident: Incident, responder: User
) -> None:
    declared = desk.post(
        _url("incident-declare"),
        {"title": "Slow", "severity": "sev3", "body": LONG},
    )
    left = desk.post(
        _url("incident-handover", incident.pk),
        {"roles": [role.pk for role in incident.roles.all()], "holder": responder.pk,
         "reason": "rest", "handover": LONG},
    )  # fmt: skip

    edited = desk.post(
        _url("incident-edit", incident.pk),
        {"title": "Slow", "severity": "sev3", "visibility": "public", "tz": "UTC",
         "version": incident.version, "summary": LONG},
    )  # fmt: skip

    codes = [answer.status_code for answer in (declared, left, edited)]
    assert codes == [INVALID] * 3
    assert LONG.strip() in edited.content.decode()
    assert "Shorten it" in declared.content.decode()
    assert LONG.strip() in left.content.decode()


def test_what_is_as_long_as_a_text_may_be_is_told(desk: Client, incident: Incident) -> None:
    desk.post(_url("update-post", incident.pk), {"phase": "identified", "body": ENOUGH})

    assert incident.updates.published().newest_first()[0].body == ENOUGH


def test_programs_are_told_the_same(incident: Incident, responder: User) -> None:
    api, told = APIClient(), incident.updates.published().get()
    api.force_authenticate(responder)
    draft = _draft(incident, responder)
    root, said = "/api/desk/v1", {"body": ENOUGH + "x", "phase": "identified"}

    answers = [
        api.post(f"{root}/incidents/{incident.pk}/updates/", said),
        api.post(f"{root}/incidents/", {"title": "Slow", "severity": "sev3", **said}),
        api.post(f"{root}/updates/", {"incident": incident.pk, **said}),
        api.put(f"{root}/updates/{draft.pk}/", {"version": 1, **said}),
        api.post(f"{root}/updates/{told.pk}/correct/", said),
    ]

    assert [answer.status_code for answer in answers] == [400] * 5
    assert all("20000" in answer.json()["body"][0] for answer in answers)
