"""Incidents by the management API: declared, told, ended, as clients of status pages do it."""

import pytest
from django.test import Client
from django.utils import timezone

from incidents import operations
from incidents.models import Component, Incident, SeverityRule, StatusUpdate
from incidents.values import IncidentKind, Phase, Severity, Visibility
from statuspage.models import Page
from tests.factories import IncidentFactory, StatusUpdateFactory
from tests.statuspage.api.conftest import Program

pytestmark = pytest.mark.django_db


def declared(program: Program, tours: Component, **more: object) -> str:
    incident = {
        "name": "Tours do not open",
        "status": "investigating",
        "body": "We are looking into it.",
        "components": {tours.public_id: "partial_outage"},
    } | more
    found: str = program.post("/incidents.json", {"incident": incident})["id"]
    return found


class TestDeclaring:
    def test_answers_with_the_incident_and_changes_the_component(
        self, program: Program, tours: Component
    ) -> None:
        found = program.post(
            "/incidents",
            {
                "incident": {
                    "name": "Tours do not open",
                    "status": "identified",
                    "body": "A disk is full.",
                    "components": {tours.public_id: "major_outage"},
                    "metadata": {"jira": {"issue": "OPS-7"}},
                }
            },
        )

        assert found["name"] == "Tours do not open"
        assert found["status"] == "identified"
        assert found["impact"] == "critical"
        assert found["metadata"] == {"jira": {"issue": "OPS-7"}}
        assert [part["status"] for part in found["components"]] == ["major_outage"]
        update = found["incident_updates"][0]
        assert update["body"] == "A disk is full."
        assert update["affected_components"][0]["old_status"] == "operational"
        tours.refresh_from_db()
        assert tours.status == "major_outage"

    def test_takes_form_fields_with_brackets(self, program: Program, tours: Component) -> None:
        fields = (
            "incident[name]=Slow&incident[status]=monitoring&incident[body]=Faster"
            f"&incident[components][{tours.public_id}]=degraded_performance"
            f"&incident[component_ids][]={tours.public_id}"
        )

        answer = program.ask(
            "POST", "/incidents", fields, content_type="application/x-www-form-urlencoded"
        )

        assert answer.status_code == 201
        assert answer.json()["impact"] == "minor"
        assert answer.json()["components"][0]["id"] == tours.public_id

    def test_says_the_usual_words_where_a_program_says_none(self, program: Program) -> None:
        found = program.post("/incidents", {"incident": {"name": "Slow"}})

        assert found["incident_updates"][0]["body"] == "We are looking into this."
        assert found["impact"] == "none"

    def test_writes_down_what_is_over(self, program: Program) -> None:
        incident = {
            "name": "It was slow",
            "backfilled": True,
            "backfill_date": "2026-01-09",
            "body": "It was slow.",
        }

        found = program.post("/incidents", {"incident": incident})

        assert found["status"] == "resolved"
        assert found["created_at"].startswith("2026-01-09")

    @pytest.mark.parametrize(
        ("incident", "message"),
        [
            ({}, "Send"),
            ({"body": "x"}, "name can't be blank."),
            ({"name": "x" * 256}, "name has 255 characters at most"),
            ({"name": "x", "status": "postmortem"}, "status must be one of"),
            ({"name": "x", "components": {"nobody": "operational"}}, "nobody: this page has no"),
            ({"name": "x", "components": "operational"}, "components must be an object"),
            ({"name": "x", "metadata": {"a": 1}}, "metadata must be an object"),
            ({"name": "\x00"}, "NUL"),
            ({"name": "\ud800"}, "half of a character"),
            ({"name": "x", "impact_override": "huge"}, "impact_override must be one of"),
            ({"name": "x", "backfilled": True}, "backfill_date is missing"),
            ({"name": "x", "backfill_date": "2199-01-01", "body": "x"}, "still to come"),
            ({"name": "x", "scheduled_for": "2999-01-01T00:00:00Z"}, "scheduled_until"),
        ],
    )
    def test_says_what_is_wrong(
        self, program: Program, incident: dict[str, object], message: str
    ) -> None:
        answer = program.ask("POST", "/incidents", {"incident": incident} if incident else {})

        assert answer.status_code == (422 if incident else 400)
        assert message in answer.json()["message"]
        assert not Incident.objects.exists()

    def test_leaves_nothing_behind_when_a_later_part_is_refused(
        self, program: Program, tours: Component
    ) -> None:
        incident = {
            "name": "x",
            "components": {tours.public_id: "major_outage"},
            "metadata": {"a": {"b": "\x00"}},
        }

        program.post("/incidents", {"incident": incident}, 422)

        tours.refresh_from_db()
        assert (tours.status, Incident.objects.count()) == ("operational", 0)

    @pytest.mark.parametrize("is_wanted", [True, False])
    def test_tells_subscribers_unless_told_not_to(
        self, program: Program, *, is_wanted: bool
    ) -> None:
        incident = {"name": "Slow", "body": "Slow.", "deliver_notifications": is_wanted}

        program.post("/incidents", {"incident": incident})

        assert StatusUpdate.objects.get().deliver_notifications is is_wanted


class TestChanging:
    def test_tells_more_and_moves_on(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)

        found = program.patch(
            f"/incidents/{pk}.json",
            {
                "incident": {
                    "status": "resolved",
                    "body": "It works again.",
                    "components": {tours.public_id: "operational"},
                }
            },
        )

        assert found["status"] == "resolved"
        assert found["resolved_at"]
        assert [row["status"] for row in found["incident_updates"]] == ["resolved", "investigating"]
        tours.refresh_from_db()
        assert tours.status == "operational"

    def test_says_the_same_end_once(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)
        end = {"incident": {"status": "resolved", "body": "It works again."}}
        program.put(f"/incidents/{pk}", end)

        found = program.put(f"/incidents/{pk}", end)

        assert len(found["incident_updates"]) == 2
        program.put(f"/incidents/{pk}", {"incident": {"body": "Something else."}}, 422)

    def test_reopens(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)
        program.patch(f"/incidents/{pk}", {"incident": {"status": "resolved"}})

        found = program.patch(
            f"/incidents/{pk}", {"incident": {"status": "identified", "body": "It is back."}}
        )

        assert found["status"] == "identified"
        assert found["resolved_at"] is None

    def test_calls_it_otherwise_and_graver(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)

        found = program.patch(
            f"/incidents/{pk}", {"incident": {"name": "All is down", "impact_override": "critical"}}
        )

        assert (found["name"], found["impact"]) == ("All is down", "critical")
        assert found["impact_override"] == "critical"
        assert len(found["incident_updates"]) == 1

    def test_corrects_what_was_said(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)
        update = program.get(f"/incidents/{pk}")["incident_updates"][0]

        found = program.patch(
            f"/incidents/{pk}/incident_updates/{update['id']}",
            {"incident_update": {"body": "A disk is full.", "display_at": update["display_at"]}},
        )

        assert found["body"] == "A disk is full."
        assert found["updated_at"] > found["created_at"]
        program.put(
            f"/incidents/{pk}/incident_updates/{update['id']}",
            {"incident_update": {"display_at": "2026-01-01T00:00:00Z"}},
            422,
        )

    def test_takes_it_off_the_page(self, program: Program, tours: Component) -> None:
        pk = declared(program, tours)

        assert program.delete(f"/incidents/{pk}")["id"] == pk

        program.get(f"/incidents/{pk}", 404)
        kept = Incident.objects.get()
        assert (kept.visibility, kept.phase) == (Visibility.INTERNAL, Phase.RESOLVED)


class TestListing:
    def test_lists_what_is_open_and_what_holds_words(
        self, program: Program, tours: Component
    ) -> None:
        open_one = declared(program, tours)
        over = declared(program, tours, name="Search is slow")
        program.patch(f"/incidents/{over}", {"incident": {"status": "resolved"}})

        assert [row["id"] for row in program.get("/incidents?limit=1&page=2")] == [open_one]
        assert [row["id"] for row in program.get("/incidents?q=SEARCH")] == [over]
        assert [row["id"] for row in program.get("/incidents/unresolved.json")] == [open_one]
        assert program.get("/incidents?page=9") == []
        program.get("/incidents?limit=many", 422)

    def test_shows_nothing_that_is_not_for_customers(self, program: Program) -> None:
        IncidentFactory.create(visibility=Visibility.PRIVATE)
        IncidentFactory.create(visibility=Visibility.INTERNAL)
        IncidentFactory.create(kind=IncidentKind.DRILL)
        IncidentFactory.create(untold=True)
        shown = StatusUpdateFactory.create().incident
        shown.updates.create(body="A secret draft", phase="identified", created_at=shown.created_at)

        found = program.get("/incidents")

        assert [row["id"] for row in found] == [shown.public_id]
        assert "secret" not in str(found)
        hidden = Incident.objects.exclude(pk=shown.pk)
        for row in hidden:
            program.get(f"/incidents/{row.public_id}", 404)
            program.patch(f"/incidents/{row.public_id}", {"incident": {"name": "x"}}, 404)

    def test_shows_its_poster_what_waits_for_approval(self, program: Program) -> None:
        SeverityRule.objects.create(severity=Severity.SEV4, needs_approval=True)

        found = program.post("/incidents", {"incident": {"name": "Slow", "body": "It is slow."}})

        assert found["incident_updates"] == []
        assert program.get(f"/incidents/{found['id']}")["name"] == "Slow"
        program.patch(f"/incidents/{found['id']}", {"incident": {"body": "More."}}, 422)


class TestANarrowPage:
    def test_knows_its_own_components_only(
        self, client: Client, program: Program, page: Page, tours: Component
    ) -> None:
        other = operations.add_component(name="Elsewhere", at=timezone.now())
        page.shows_everything = False
        page.save()
        page.components.set([tours])

        assert [row["id"] for row in program.get("/components")] == [tours.public_id]
        program.get(f"/components/{other.public_id}", 404)
        program.post("/incidents", {"incident": {"name": "x"}}, 422)
        body = {"incident": {"name": "x", "components": {other.public_id: "major_outage"}}}
        program.post("/incidents", body, 422)
        assert declared(program, tours)
