"""The list of action items, the board, their file and saved views: who sees what, at what cost."""

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import operations
from incidents.models import ActionItem, ActionView, Incident, SeverityRule
from incidents.values import ActionState, Precision, Severity, Visibility, When
from tests.factories import NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
NOT_FOUND = 404
DAY = timedelta(days=1)


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _add(incident: Incident, text: str, **fields: Any) -> ActionItem:
    fields = {"at": timezone.now(), **fields}
    return operations.add_action_item(incident_id=incident.pk, text=text, author=None, **fields)


def _listed(desk: Client, **asked: Any) -> set[str]:
    page = desk.get(_url("action-list"), asked).content.decode()
    return set(re.findall(r'<p class="prose">([^<]*)</p>', page))


def _rows(desk: Client, **asked: Any) -> list[dict[str, str]]:
    answer = desk.get(_url("action-file"), asked)
    body = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(body)))


class TestNarrowing:
    def test_every_filter_narrows(self, desk: Client, incident: Incident, responder: User) -> None:
        grave = IncidentFactory.create(severity=Severity.SEV1)
        soon = When(at=timezone.now() + 3 * DAY, precision=Precision.DAY)
        _add(incident, "mine", owner=responder, priority="high", kind="detect")
        _add(incident, "team", owner_label="Storage")
        _add(grave, "grave one", due=soon)
        _add(incident, "seen outside", is_public=True)
        day_after = f"{timezone.now() + 5 * DAY:%Y-%m-%d}"

        assert _listed(desk, owner="me") == {"mine"}
        assert _listed(desk, owner="none") == {"grave one", "seen outside"}
        assert _listed(desk, priority="high") == _listed(desk, kind="detect") == {"mine"}
        assert _listed(desk, severity="sev1") == {"grave one"}
        assert _listed(desk, due_before=day_after) == {"grave one"}
        assert _listed(desk, public="on") == {"seen outside"}
        assert _listed(desk, q="outs") == {"seen outside"}
        assert _listed(desk, q=grave.ref) == {"grave one"}
        assert _listed(desk, q="&") == set()
        # What cannot be meant narrows nothing, and is said.
        wrong = desk.get(_url("action-list"), {"due_before": "soon"}).content.decode()
        assert "Write the day as in" in wrong
        assert "grave one" in wrong

    def test_what_is_beyond_the_policy_is_marked_and_found(
        self, desk: Client, incident: Incident
    ) -> None:
        SeverityRule.objects.create(severity=incident.severity, action_days=10)
        late = {"at": timezone.now() - 11 * DAY}
        _add(incident, "slow", due=When(at=timezone.now() + DAY), **late)
        _add(incident, "quick")
        _add(incident, "dropped", state=ActionState.WONT_DO, state_reason="x", **late)

        page = desk.get(_url("action-list"), {"state": "any"}).content.decode()

        assert page.count("Beyond the policy</span>") == 1
        assert _listed(desk, beyond="on", state="any") == {"slow"}
        assert _listed(desk, overdue="on") == set()
        closing = desk.get(_url("action-closing")).content.decode()
        assert "1 beyond the policy" in closing


class TestBoard:
    def test_counts_and_the_first_of_each_state_with_a_way_to_the_others(
        self, desk: Client, incident: Incident
    ) -> None:
        for number in range(12):
            due = When(at=NOON + number * DAY, precision=Precision.DAY)
            _add(incident, f"deed {number:02}", due=due)
        _add(incident, "over", state=ActionState.WONT_DO, state_reason="too dear")

        page = desk.get(_url("action-board"), {"severity": incident.severity}).content.decode()

        assert re.findall(r">(deed \d\d)<", page) == [f"deed {number:02}" for number in range(10)]
        assert '<span class="muted small">12</span>' in page
        more = f"{_url('action-list')}?severity={incident.severity}&amp;state=proposed"
        assert re.search(rf'href="{re.escape(more)}">2 more', page)
        assert "too dear" in page

    def test_a_card_is_moved_asked_for_its_proof_and_moved_back(
        self, desk: Client, incident: Incident
    ) -> None:
        action = _add(incident, "x")
        back = _url("action-board") + "?q=x"
        form = {"back": back, "version": "1"}

        asked = desk.post(_url("action-move", action.pk), {"state": "done", **form})
        assert asked.status_code == INVALID
        assert 'name="proof"' in asked.content.decode()
        assert f'value="{back}"' in asked.content.decode()
        answer = desk.post(
            _url("action-move", action.pk),
            {"state": "done", "done": "2026-01-15", "proof": "https://ci.example.org/7", **form},
        )
        page = desk.get(answer["Location"]).content.decode()
        version = re.search(
            r'name="version" value="(\d+)">\s*<span class="notice__words">Done', page
        )
        assert version
        undone = desk.post(
            _url("action-undo", action.pk), {"back": answer["Location"], "version": version[1]}
        )

        assert undone["Location"] == back
        action.refresh_from_db()
        assert (action.state, action.proof, action.done_at) == ("proposed", "", None)

    def test_a_card_that_somebody_else_moved_is_not_moved_unread(
        self, desk: Client, incident: Incident
    ) -> None:
        action = _add(incident, "x")
        operations.move_action_item(
            action_id=action.pk, state=ActionState.DELAYED, at=NOON, author=None
        )

        answer = desk.post(_url("action-move", action.pk), {"state": "planned", "version": "1"})

        assert "Somebody else has changed this meanwhile" in answer.content.decode()
        action.refresh_from_db()
        assert action.state == ActionState.DELAYED


class TestFile:
    def test_is_the_list_as_it_is_narrowed_and_runs_no_formula(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        month = When(at=datetime.fromisoformat("2026-02-01T00:00+01:00"), precision="month",
                     tz="Europe/Amsterdam")  # fmt: skip
        days = When(at=NOON, until=NOON + 2 * DAY, precision=Precision.DAY)
        _add(incident, '=HYPERLINK("http://evil.example")', due=month)
        _add(incident, " @SUM(1)\nsecond line, with comma", owner=responder)
        _add(incident, "over", state=ActionState.DONE, done=days, proof="-1+1")

        rows = _rows(desk, state="any")

        assert [row["action"] for row in rows] == [
            '\'=HYPERLINK("http://evil.example")', "' @SUM(1)\nsecond line, with comma", "over",
        ]  # fmt: skip
        assert [row["due"] for row in rows] == ["2026-02", "", ""]
        assert rows[1]["owner"] == responder.label()
        assert rows[2]["proof"] == "'-1+1"
        assert rows[2]["done"] == f"{NOON:%Y-%m-%d}/{NOON + 2 * DAY:%Y-%m-%d}"
        assert rows[0]["address"].startswith("http://testserver/desk/incidents/")
        assert [row["action"] for row in _rows(desk, state="done")] == ["over"]

    def test_words_that_name_nothing_lead_back_to_the_list(self, desk: Client) -> None:
        assert desk.get(_url("action-file"), {"q": "&"})["Location"] == _url("action-list")


class TestPrivacy:
    def test_what_is_private_is_nowhere_for_others(self, desk: Client) -> None:
        author = ResponderFactory.create(username="keeper")
        secret = operations.declare_incident(
            title="A key has leaked", severity=Severity.SEV1, visibility=Visibility.PRIVATE,
            at=NOON, author=author,
        )  # fmt: skip
        action = _add(secret, "renew the key")
        done = When(at=NOON + DAY, precision=Precision.DAY)
        _add(secret, "tell nobody", state=ActionState.DONE, done=done)

        assert _listed(desk, state="any") == set()
        assert "renew the key" not in desk.get(_url("action-board")).content.decode()
        assert _rows(desk, state="any") == []
        closing = desk.get(_url("action-closing")).content.decode()
        assert closing.count("No action item is on record") == len(Severity)
        moved = desk.get(_url("action-list"), {"moved": action.pk}).content.decode()
        assert "renew the key" not in moved
        assert desk.post(_url("action-undo", action.pk)).status_code == NOT_FOUND
        desk.force_login(author)
        assert _listed(desk) == {"renew the key"}


class TestSavedViews:
    def test_is_saved_used_by_others_renamed_and_removed_by_its_owner(
        self, desk: Client, responder: User
    ) -> None:
        asked = {"query": "owner=me&overdue=on&nonsense=1", "name": "Mine, late", "is_shared": "on"}
        answer = desk.post(_url("action-view-save"), asked)
        view = ActionView.objects.get()
        assert (view.owner, view.query) == (responder, "owner=me&overdue=on")
        assert answer["Location"] == _url("action-list") + "?owner=me&overdue=on"
        again = desk.post(_url("action-view-save"), asked, follow=True)
        assert "You have a view of this name" in again.content.decode()

        desk.force_login(ResponderFactory.create(username="bob"))
        assert (
            f'Mine, late <span class="muted">of {responder.label()}'
            in desk.get(_url("action-board")).content.decode()
        )
        assert desk.post(_url("action-view-edit", view.pk), {"name": "x"}).status_code == NOT_FOUND
        assert desk.post(_url("action-view-remove", view.pk)).status_code == NOT_FOUND

        desk.force_login(responder)
        desk.post(_url("action-view-edit", view.pk), {"name": "Late"})
        view.refresh_from_db()
        assert (view.name, view.is_shared) == ("Late", False)
        desk.post(_url("action-view-remove", view.pk))
        assert not ActionView.objects.exists()

    def test_of_one_that_is_not_shared_others_see_nothing(
        self, desk: Client, responder: User
    ) -> None:
        operations.save_action_view(
            owner=responder, name="For me", query="", is_shared=False, at=NOON
        )
        assert "For me" in desk.get(_url("action-list")).content.decode()

        desk.force_login(ResponderFactory.create(username="bob"))
        assert "For me" not in desk.get(_url("action-list")).content.decode()


@pytest.mark.parametrize("name", ["action-list", "action-board", "action-closing"])
def test_costs_the_same_for_one_item_or_ten_of_each_state(
    desk: Client, incident: Incident, name: str
) -> None:
    def fill() -> None:
        for state in ActionState:
            done = When(at=NOON) if state == ActionState.DONE else None
            owner = ResponderFactory.create(username=f"owner-{ActionItem.objects.count()}")
            home = IncidentFactory.create()
            _add(home, "x", state=state, state_reason="y", done=done, owner=owner)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(_url(name)).status_code == 200
        return len(captured)

    fill()
    before = cost()
    for _again in range(9):
        fill()

    assert cost() == before < 15
