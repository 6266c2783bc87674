"""Planned work and postmortems by the management API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from incidents.models import Component, Maintenance, SeverityRule
from incidents.values import MaintenanceState, Severity, Visibility
from tests.statuspage.api.conftest import Program

pytestmark = pytest.mark.django_db


def planned(program: Program, tours: Component, **more: object) -> dict[str, object]:
    soon = timezone.now() + timedelta(hours=2)
    incident = {
        "name": "New disks",
        "scheduled_for": soon.isoformat(),
        "scheduled_until": (soon + timedelta(hours=1)).isoformat(),
        "component_ids": [tours.public_id],
        "body": "We put in new disks.",
    } | more
    found: dict[str, object] = program.post("/incidents", {"incident": incident})
    return found


class TestPlannedWork:
    def test_stands_where_it_belongs(self, program: Program, tours: Component) -> None:
        found = planned(program, tours, scheduled_remind_prior=True, scheduled_auto_completed="t")

        assert (found["status"], found["impact"]) == ("scheduled", "maintenance")
        assert found["scheduled_remind_prior"] is True
        assert found["scheduled_auto_completed"] is True
        assert found["scheduled_auto_in_progress"] is False
        for path in ("", "/scheduled", "/upcoming.json"):
            assert [row["id"] for row in program.get(f"/incidents{path}")] == [found["id"]]
        assert program.get("/incidents/active_maintenance") == []
        assert program.get("/incidents/unresolved") == []

    def test_takes_its_course(self, program: Program, tours: Component) -> None:
        path = f"/incidents/{planned(program, tours)['id']}"

        begun = program.patch(path, {"incident": {"status": "in_progress", "body": "We begin."}})

        assert begun["components"][0]["status"] == "under_maintenance"
        assert begun["incident_updates"][0]["body"] == "We begin."
        assert len(program.get("/incidents/active_maintenance")) == 1
        more = program.patch(path, {"incident": {"body": "Half done."}})
        assert more["incident_updates"][0]["body"] == "Half done."
        program.patch(path, {"incident": {"status": "scheduled"}}, 422)
        program.patch(path, {"incident": {"status": "verifying"}})
        done = program.patch(path, {"incident": {"status": "completed", "body": "Done."}})
        assert done["resolved_at"]
        assert done["components"][0]["status"] == "operational"
        again = program.patch(path, {"incident": {"status": "completed", "body": "Done."}})
        assert len(again["incident_updates"]) == len(done["incident_updates"])
        program.patch(path, {"incident": {"status": "in_progress"}}, 422)

    def test_moves_and_grows(self, program: Program, tours: Component) -> None:
        found = planned(program, tours)
        path = f"/incidents/{found['id']}"
        later = timezone.now() + timedelta(days=1)

        moved = program.put(
            path,
            {
                "incident": {
                    "name": "Larger disks",
                    "scheduled_for": later.isoformat(),
                    "scheduled_until": (later + timedelta(hours=1)).isoformat(),
                    "auto_transition_to_maintenance_state": False,
                    "metadata": {"ticket": {"id": "7"}},
                }
            },
        )

        assert moved["name"] == "Larger disks"
        assert moved["scheduled_for"] > str(found["scheduled_for"])
        assert moved["auto_transition_to_maintenance_state"] is False
        assert moved["metadata"] == {"ticket": {"id": "7"}}
        program.put(path, {"incident": {"status": "in_progress"}})
        until = (later + timedelta(hours=3)).isoformat()
        longer = program.put(path, {"incident": {"scheduled_until": until}})
        assert longer["scheduled_until"] > moved["scheduled_until"]

    def test_begins_at_once(self, program: Program, tours: Component) -> None:
        assert planned(program, tours, status="in_progress")["status"] == "in_progress"

    def test_goes_off_the_page(self, program: Program, tours: Component) -> None:
        path = f"/incidents/{planned(program, tours, status='in_progress')['id']}"

        program.delete(path)

        program.get(path, 404)
        kept = Maintenance.objects.get()
        assert (kept.visibility, kept.state) == (Visibility.INTERNAL, MaintenanceState.CANCELLED)
        tours.refresh_from_db()
        assert tours.status == "operational"

    def test_ends_after_its_start(self, program: Program, tours: Component) -> None:
        now = timezone.now().isoformat()
        incident = {"name": "x", "scheduled_for": now, "scheduled_until": now}

        program.post("/incidents", {"incident": incident}, 422)

    def test_corrects_what_was_said(self, program: Program, tours: Component) -> None:
        found = planned(program, tours)
        update = found["incident_updates"][0]["id"]  # type: ignore[index]

        said = program.patch(
            f"/incidents/{found['id']}/incident_updates/{update}",
            {"incident_update": {"body": "Larger disks."}},
        )

        assert said["body"] == "Larger disks."
        program.get(f"/incidents/{found['id']}/postmortem", 404)


class TestAPostmortem:
    def test_is_written_published_and_taken_back(self, program: Program) -> None:
        over = {"incident": {"name": "Slow", "status": "resolved", "body": "It is over."}}
        path = f"/incidents/{program.post('/incidents', over)['id']}"
        program.get(f"{path}/postmortem", 404)

        draft = program.put(
            f"{path}/postmortem", {"postmortem": {"body_draft": "A disk was full."}}
        )

        assert draft["body_draft"] == "A disk was full."
        assert (draft["body"], draft["published_at"]) == (None, None)
        published = program.put(
            f"{path}/postmortem/publish", {"postmortem": {"notify_subscribers": False}}
        )
        assert "A disk was full." in published["body"]
        assert "A disk was full." in program.get(path)["postmortem_body"]
        assert program.put(f"{path}/postmortem/publish", {}) == published
        reverted = program.put(f"{path}/postmortem/revert", {})
        assert (reverted["body"], reverted["body_draft"]) == (None, "A disk was full.")
        program.delete(f"{path}/postmortem.json", 204)
        program.get(f"{path}/postmortem", 404)
        program.put(f"{path}/postmortem", {"postmortem": {"body_draft": "Again."}})
        assert program.get(f"{path}/postmortem")["body_draft"] == "Again."

    def test_wants_somebody_else_where_that_is_agreed(self, program: Program) -> None:
        path = f"/incidents/{program.post('/incidents', {'incident': {'name': 'x'}})['id']}"
        program.put(f"{path}/postmortem", {"postmortem": {"body_draft": "A disk was full."}})
        SeverityRule.objects.create(severity=Severity.SEV4, needs_approval=True)

        program.put(f"{path}/postmortem/publish", {}, 422)

        assert program.get(f"{path}/postmortem")["published_at"] is None

    def test_needs_words(self, program: Program) -> None:
        path = f"/incidents/{program.post('/incidents', {'incident': {'name': 'x'}})['id']}"

        program.put(f"{path}/postmortem", {"postmortem": {"body_draft": " "}}, 422)
        program.put(f"{path}/postmortem/publish", {}, 404)
