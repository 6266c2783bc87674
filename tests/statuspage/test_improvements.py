"""Action items that were chosen for customers, on the public page of their incident."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incidents import operations
from incidents.models import ActionItem, Incident
from incidents.values import ActionState, Precision, Severity, When
from statuspage import publisher
from statuspage.models import Page
from tests.factories import HOUR, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

LIVE = "/api/status/v1/live.json"
HEADING = "What we do so that it does not happen again"


def publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


@pytest.fixture
def incident(public_root: Path) -> Incident:
    Page.objects.first_page(at=NOON)
    return operations.declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None, body="We know."
    )


def _add(incident: Incident, text: str, **fields: Any) -> ActionItem:
    return operations.add_action_item(
        incident_id=incident.pk, text=text, at=NOON, author=None, **fields
    )


def _page(visitor: Visitor, incident: Incident) -> str:
    return visitor.get(f"/incidents/{incident.public_id}").text


def test_show_their_text_state_and_day_and_nothing_of_staff(
    incident: Incident, visitor: Visitor
) -> None:
    ada = ResponderFactory.create(username="ada", first_name="Adalbert", last_name="Secret")
    month = When(at=datetime(2026, 2, 1, tzinfo=UTC), precision=Precision.MONTH)
    public = _add(
        incident, "Copies <b>abroad</b>", due=month, owner=ada, check_by="We look at it",
        is_public=True,
    )  # fmt: skip
    ActionItem.objects.filter(pk=public.pk).update(tracker_url="https://git.example.org/7")
    operations.move_action_item(
        action_id=public.pk, state=ActionState.DELAYED, at=NOON, author=None,
        reason="Adalbert is ill",
    )  # fmt: skip
    _add(incident, "Fire the vendor")
    publish()

    page, front = _page(visitor, incident), visitor.get("/").text

    assert HEADING in page
    assert "Copies &lt;b&gt;abroad" in page
    assert "later than planned" in page
    assert "expected by February 2026" in page
    for secret in ("Adalbert", "git.example.org", "Fire the vendor", "We look at it"):
        assert secret not in page
    assert HEADING not in front
    assert visitor.get(LIVE).json["incidents"][0]["improvements"] == [
        {
            "text": "Copies <b>abroad</b>",
            "state": "delayed",
            "due_at": "2026-02-01T00:00:00.000Z",
            "due_precision": "month",
            "done_at": None,
        }
    ]


def test_each_change_is_on_the_page_at_the_next_publish_also_after_the_end(
    incident: Incident, visitor: Visitor
) -> None:
    action = _add(incident, "Copies abroad", is_public=True)
    operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)
    publish()
    assert "planned" in _page(visitor, incident)

    done = When(at=NOON, until=NOON + 24 * HOUR, precision=Precision.DAY)
    operations.move_action_item(
        action_id=action.pk, state=ActionState.DONE, at=NOON, author=None, done=done,
        proof="Adalbert saw it",
    )  # fmt: skip
    publish(HOUR)
    page = _page(visitor, incident)
    assert f"{(NOON + 24 * HOUR).day} " in page[page.index(HEADING) :]
    assert ">done<" in page
    assert "Adalbert" not in page

    operations.edit_action_item(action_id=action.pk, at=NOON, author=None, is_public=False)
    publish(2 * HOUR)
    assert HEADING not in _page(visitor, incident)


def test_what_is_dropped_says_so_calmly(incident: Incident, visitor: Visitor) -> None:
    due = When(at=NOON, precision=Precision.DAY)
    action = _add(incident, "Copies abroad", is_public=True, due=due)
    operations.move_action_item(
        action_id=action.pk, state=ActionState.WONT_DO, at=NOON, author=None, reason="too dear"
    )
    publish()

    page = _page(visitor, incident)
    assert "no longer planned" in page
    assert "too dear" not in page
    assert "expected by" not in page
