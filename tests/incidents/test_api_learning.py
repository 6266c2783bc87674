"""Causes and action items by API: what a program lists, adds, changes and moves."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from incidents import operations, queries
from incidents.models import ActionItem, Incident, RootCause
from incidents.values import ActionState, CauseKind, Severity, Visibility
from tests.factories import NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

ACTIONS, CAUSES = "/api/desk/v1/actions/", "/api/desk/v1/causes/"
OK, CREATED, NO_CONTENT, BAD, NOT_FOUND, CONFLICT = 200, 201, 204, 400, 404, 409


def _send(desk: Client, way: str, url: str, body: dict[str, Any]) -> Any:
    return getattr(desk, way)(url, body, content_type="application/json")


@pytest.fixture
def secret() -> Incident:
    return operations.declare_incident(
        title="A key has leaked", severity=Severity.SEV1, visibility=Visibility.PRIVATE, at=NOON,
        author=ResponderFactory.create(username="keeper"),
    )  # fmt: skip


class TestActions:
    def _add(self, desk: Client, incident: Incident, **more: Any) -> Any:
        return _send(desk, "post", ACTIONS, {"incident": incident.pk, "text": "x", **more})

    def test_one_is_added_changed_and_moved_to_done_with_proof(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        due = {"at": "2026-02-01T00:00:00+01:00", "precision": "month"}
        added = self._add(desk, incident, owner=responder.username, due=due)
        assert added.status_code == CREATED
        one = f"{ACTIONS}{added.json()['id']}/"

        row = ActionItem.objects.get()
        assert (row.owner, row.due_precision, row.due_tz) == (responder, "month", incident.tz)
        changed = _send(desk, "patch", one, {"text": "y", "due": None, "version": 1}).json()
        assert (changed["text"], changed["due_at"], changed["version"]) == ("y", None, 2)
        stale = _send(desk, "patch", one, {"text": "z", "version": 1})
        assert (stale.status_code, stale.json()["code"]) == (CONFLICT, "edited-meanwhile")

        bare = _send(desk, "post", f"{one}move/", {"state": "wont_do", "version": 2})
        assert bare.json()["code"] == "wont-do-needs-a-reason"
        done = {"at": "2026-01-15T00:00:00+01:00", "until": "2026-01-17T00:00:00+01:00"}
        moved = _send(
            desk, "post", f"{one}move/",
            {"state": "done", "done": done, "proof": "seen", "version": 2},
        ).json()  # fmt: skip
        assert (moved["state"], moved["done_precision"], moved["proof"]) == ("done", "day", "seen")

    def test_the_list_is_narrowed_and_read_in_pages(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        for _number in range(51):
            self._add(desk, incident)
        mine = self._add(desk, incident, owner=responder.username, kind="detect").json()["id"]
        over = operations.add_action_item(
            incident_id=incident.pk, text="z", at=NOON, author=None,
            state=ActionState.WONT_DO, state_reason="too dear",
        )  # fmt: skip

        first = desk.get(ACTIONS).json()
        second = desk.get(first["next"]).json()
        assert (len(first["results"]), len(second["results"])) == (50, 2)
        assert [row["id"] for row in desk.get(ACTIONS, {"owner": "me"}).json()["results"]] == [mine]
        asked = {"state": "wont_do", "incident": str(incident.pk)}
        assert [row["id"] for row in desk.get(ACTIONS, asked).json()["results"]] == [over.pk]
        assert desk.get(ACTIONS, {"owner": "nobody-here"}).status_code == BAD
        assert desk.get(ACTIONS, {"words": "&"}).json()["code"] == "nothing-to-find"

    def test_the_private_ones_of_others_are_not_there(self, desk: Client, secret: Incident) -> None:
        row = operations.add_action_item(incident_id=secret.pk, text="x", at=NOON, author=None)

        assert self._add(desk, secret).status_code == BAD
        assert desk.get(ACTIONS).json()["results"] == []
        assert desk.get(f"{ACTIONS}{row.pk}/").status_code == NOT_FOUND
        move = _send(desk, "post", f"{ACTIONS}{row.pk}/move/", {"state": "planned", "version": 1})
        assert move.status_code == NOT_FOUND


class TestCauses:
    def test_one_is_added_linked_moved_removed_and_brought_back(
        self, desk: Client, incident: Incident
    ) -> None:
        action = operations.add_action_item(incident_id=incident.pk, text="x", at=NOON, author=None)
        first, second = (
            _send(desk, "post", CAUSES, {"incident": incident.pk, "kind": kind, "text": kind})
            for kind in ("trigger", "luck")
        )
        assert second.status_code == CREATED
        one = f"{CAUSES}{second.json()['id']}/"

        said = {"addressed_by": [action.pk], "version": 1}
        assert _send(desk, "patch", one, said).json()["addressed_by"] == [action.pk]
        assert _send(desk, "patch", one, said).status_code == CONFLICT
        assert desk.get(f"{ACTIONS}{action.pk}/").json()["addresses"] == [second.json()["id"]]
        _send(desk, "post", f"{one}move/", {"direction": "up"})
        listed = desk.get(CAUSES, {"incident": incident.pk}).json()["results"]
        assert [row["text"] for row in listed] == ["luck", "trigger"]
        assert desk.delete(one).status_code == NO_CONTENT
        assert [row["id"] for row in desk.get(CAUSES).json()["results"]] == [first.json()["id"]]
        assert desk.get(f"{ACTIONS}{action.pk}/").json()["addresses"] == []
        assert _send(desk, "patch", one, {"text": "y", "version": 3}).status_code == CONFLICT
        assert _send(desk, "post", f"{one}restore/", {}).json()["deleted_at"] is None

    def test_a_vendors_case_is_read_with_it(self, desk: Client, incident: Incident) -> None:
        cause = operations.record_root_cause(
            incident_id=incident.pk, kind=CauseKind.RISK, text="x", at=NOON, author=None
        )
        operations.write_vendor_case(cause_id=cause.pk, provider="Nimbus", at=NOON, author=None)

        assert desk.get(f"{CAUSES}{cause.pk}/").json()["vendor_case"]["provider"] == "Nimbus"

    def test_the_private_ones_of_others_are_not_there(self, desk: Client, secret: Incident) -> None:
        cause = RootCause.objects.create(incident=secret, kind="risk", text="x", created_at=NOON)

        assert desk.get(CAUSES).json()["results"] == []
        assert desk.delete(f"{CAUSES}{cause.pk}/").status_code == NOT_FOUND
        added = _send(desk, "post", CAUSES, {"incident": secret.pk, "kind": "risk", "text": "y"})
        assert added.status_code == BAD

    def test_lists_cost_the_same_for_one_or_ten(self, desk: Client) -> None:

        def cost(url: str) -> int:
            with CaptureQueriesContext(connection) as captured:
                desk.get(url)
            return len(captured)

        def fill() -> None:
            home = IncidentFactory.create()
            cause = RootCause.objects.create(incident=home, kind="risk", text="x", created_at=NOON)
            operations.add_action_item(
                incident_id=home.pk, text="x", at=NOON, author=None, addresses=[cause.pk]
            )

        fill()
        before = [cost(ACTIONS), cost(CAUSES)]
        for _again in range(9):
            fill()

        assert [cost(ACTIONS), cost(CAUSES)] == before
        assert queries.open_actions().count() == 10
