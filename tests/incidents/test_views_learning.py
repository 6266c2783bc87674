"""Causes and action items at the desk, of one incident and across them."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations
from incidents.models import (
    ActionItem,
    Incident,
)
from incidents.values import (
    ActionState,
    When,
)
from tests.factories import HOUR, NOON, TimelineEntryFactory

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


class TestCausesAndActions:
    def test_a_cause_has_its_evidence_and_is_edited(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident)

        desk.post(
            _url("cause-add", incident.pk),
            {"kind": "contributing", "text": "The storage was slow", "evidence": [entry.pk]},
        )
        cause = incident.causes.get()
        desk.post(_url("cause-edit", cause.pk), {"kind": "risk", "text": "It was known to be slow"})

        assert list(cause.evidence.all()) == []
        cause.refresh_from_db()
        assert (cause.kind, cause.text) == ("risk", "It was known to be slow")

    def test_a_cause_is_written_on_a_page_of_its_own(
        self, desk: Client, incident: Incident
    ) -> None:
        TimelineEntryFactory.create(incident=incident, text="The storage said 503")
        address = _url("cause-add", incident.pk)

        assert f'href="{address}"' in desk.get(incident.get_absolute_url()).content.decode()
        assert "The storage said 503" in desk.get(address).content.decode()
        refused = desk.post(address, {"kind": "risk", "text": ""})
        assert refused.status_code == INVALID
        assert "This field is required" in refused.content.decode()
        assert not incident.causes.exists()

    def test_the_list_is_read_in_stretches_those_without_a_due_date_last(
        self, desk: Client, incident: Incident
    ) -> None:
        for number in range(60):
            due = {"due_at": NOON + number // 4 * HOUR, "due_precision": "minute"}
            incident.actions.create(
                text=f"Deed {number:02}", created_at=NOON, **(due if number < 40 else {})
            )

        seen, address = [], _url("action-list") + "?state=any"
        while address:
            page = desk.get(address).content.decode()
            seen += re.findall(r'<p class="prose">(Deed \d\d)', page)
            way = re.search(r'rel="next" href="([^"]*)"', page)
            address = _url("action-list") + unescape(way[1]) if way else ""

        assert seen == [f"Deed {number:02}" for number in range(60)]
        # What the list is narrowed to goes along.
        assert "state=any" in page

    def test_an_action_has_a_fuzzy_due_date(self, desk: Client, incident: Incident) -> None:
        desk.post(
            _url("action-add", incident.pk),
            {"text": "Try a restore every week", "priority": "high", "owner_label": "Database team",
             "due": "February 2026"},
        )  # fmt: skip

        action = ActionItem.objects.get()
        assert (action.due_precision, action.due_said) == ("month", "February 2026")
        assert action.owner_name == "Database team"

    def test_a_due_date_that_is_not_understood_is_answered_with_the_forms(
        self, desk: Client, incident: Incident
    ) -> None:
        answer = desk.post(
            _url("action-add", incident.pk),
            {"text": "x", "priority": "high", "due": "next friday"},
        )

        assert answer.status_code == INVALID
        assert "“next friday” is not understood" in answer.content.decode()
        assert not ActionItem.objects.exists()

    def test_done_asks_for_the_day_and_wont_do_for_the_reason(
        self, desk: Client, incident: Incident
    ) -> None:
        action = operations.add_action_item(
            incident_id=incident.pk, text="x", at=timezone.now(), author=None
        )
        url = _url("action-move", action.pk)

        undated = desk.post(url, {"state": "done"})
        bare = desk.post(url, {"state": "wont_do"})
        desk.post(url, {"state": "done", "done": "2026-01-15 to 2026-01-17"})

        assert "on which day" in undated.content.decode()
        assert "why it will not be done" in bare.content.decode()
        assert (undated.status_code, bare.status_code) == (INVALID, INVALID)
        action.refresh_from_db()
        assert action.state == ActionState.DONE
        assert action.done_until is not None

    def test_an_action_is_edited_and_its_history_kept(
        self, desk: Client, incident: Incident
    ) -> None:
        action = operations.add_action_item(
            incident_id=incident.pk, text="Before", at=timezone.now(), author=None
        )

        desk.post(_url("action-edit", action.pk), {"text": "After", "priority": "low"})

        action.refresh_from_db()
        assert action.text == "After"
        assert "Before" in desk.get(_url("action-edit", action.pk)).content.decode()


class TestActionList:
    def _add(self, incident: Incident, text: str, **fields: Any) -> ActionItem:
        return operations.add_action_item(
            incident_id=incident.pk, text=text, at=timezone.now(), author=None, **fields
        )

    def test_is_narrowed_by_state_owner_and_overdue(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        past = When(at=timezone.now() - timedelta(days=60), precision="month")
        self._add(incident, "Late one", due=past)
        self._add(incident, "Robin has it", owner=responder)
        self._add(incident, "Planned", state=ActionState.PLANNED)
        url = _url("action-list")

        everything = desk.get(url).content.decode()
        late = desk.get(url, {"overdue": "on"}).content.decode()
        mine = desk.get(url, {"owner": responder.pk}).content.decode()
        planned = desk.get(url, {"state": "planned"}).content.decode()
        none = desk.get(url, {"state": "done"}).content.decode()

        assert all(text in everything for text in ("Late one", "Robin has it", "Planned"))
        assert "Late one" in late
        assert "Robin has it" not in late
        assert "Robin has it" in mine
        assert "Late one" not in mine
        assert "Late one" not in planned
        assert "No action item fits" in none

    def test_moving_one_there_comes_back_there(self, desk: Client, incident: Incident) -> None:
        action = self._add(incident, "x")
        back = _url("action-list") + "?state=any"

        answer = desk.post(_url("action-move", action.pk), {"state": "planned", "back": back})
        away = desk.post(
            _url("action-move", action.pk), {"state": "planned", "back": "//evil.example"}
        )

        slipped = desk.get(
            _url("action-edit", action.pk), {"back": "javascript:alert(1)"}
        ).content.decode()
        assert "javascript:" not in slipped
        assert answer["Location"] == f"{back}&moved={action.pk}"
        assert away["Location"].startswith("/desk/")

    def test_costs_the_same_for_one_item_or_ten(
        self,
        desk: Client,
        incident: Incident,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _again in range(10):
            self._add(incident, "x")
            with django_assert_max_num_queries(7):
                desk.get(_url("action-list"))
