"""Components, groups, uptime, templates by the management API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from incidents import operations
from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.models import Page
from tests.statuspage.api.conftest import Program

pytestmark = pytest.mark.django_db


class TestComponents:
    def test_are_made_changed_and_removed(self, program: Program) -> None:
        made = program.post(
            "/components.json",
            {
                "component": {
                    "name": "Search",
                    "description": "Finds tours",
                    "status": "degraded_performance",
                    "start_date": "2026-01-09",
                    "showcase": False,
                    "only_show_if_degraded": True,
                }
            },
        )

        assert made["status"] == "degraded_performance"
        assert made["start_date"] == "2026-01-09"
        assert (made["showcase"], made["only_show_if_degraded"]) == (False, True)
        changed = program.patch(
            f"/components/{made['id']}", {"component": {"status": "operational"}}
        )
        assert changed == made | {
            "status": "operational", "updated_at": changed["updated_at"]
        }  # fmt: skip
        changed = program.put(
            f"/components/{made['id']}", {"component": {"name": "Find", "description": ""}}
        )
        assert (changed["name"], changed["description"]) == ("Find", None)
        program.delete(f"/components/{made['id']}.json", 204)
        program.get(f"/components/{made['id']}", 404)

    @pytest.mark.parametrize(
        "component",
        [
            {"status": "operational"},
            {"name": "x", "status": "on_fire"},
            {"name": "x", "group_id": "nobody"},
            {"name": "x", "start_date": "yesterday"},
            {"name": ["x"]},
            {"name": "x", "showcase": "perhaps"},
        ],
    )
    def test_are_refused_with_a_reason(
        self, program: Program, component: dict[str, object]
    ) -> None:
        assert program.post("/components", {"component": component}, 422)["message"]
        assert not Component.objects.exists()

    def test_keep_their_place(self, program: Program, tours: Component) -> None:
        operations.add_component(name="Search", at=timezone.now())

        program.patch(f"/components/{tours.public_id}", {"component": {"name": "Trips"}})

        assert [row["name"] for row in program.get("/components?per_page=1")] == ["Trips"]

    def test_that_the_record_names_stay(self, program: Program, tours: Component) -> None:
        incident = {"name": "x", "components": {tours.public_id: "major_outage"}}
        program.post("/incidents", {"incident": incident})

        answer = program.ask("DELETE", f"/components/{tours.public_id}")

        assert answer.status_code == 422

    def test_that_are_new_stand_on_a_page_of_chosen_ones(
        self, program: Program, page: Page, tours: Component
    ) -> None:
        page.shows_everything = False
        page.save()
        page.components.set([tours])

        made = program.post("/components", {"component": {"name": "Search"}})

        assert made["id"] in [row["id"] for row in program.get("/components")]


class TestGroups:
    def test_gather_components_and_let_them_go(self, program: Program, tours: Component) -> None:
        search = operations.add_component(name="Search", at=timezone.now())
        made = program.post(
            "/component-groups",
            {
                "component_group": {"name": "Europe", "components": [tours.public_id]},
                "description": "All of it",
            },
        )

        assert made["components"] == [tours.public_id]
        assert made["description"] == "All of it"
        changed = program.patch(
            f"/component-groups/{made['id']}",
            {"component_group": {"name": "EU", "components": [search.public_id]}},
        )
        assert (changed["name"], changed["components"]) == ("EU", [search.public_id])
        assert program.get("/component-groups.json") == [changed]
        assert program.get(f"/component-groups/{made['id']}") == changed
        assert program.delete(f"/component-groups/{made['id']}") == changed
        assert {row["group_id"] for row in program.get("/components")} == {None}

    def test_need_members(self, program: Program) -> None:
        body = {"component_group": {"name": "Europe", "components": []}}

        program.post("/component-groups", body, 422)
        program.get("/component-groups/nobody", 404)


class TestUptime:
    def test_counts_outages_by_the_second(self, program: Program) -> None:
        now = timezone.now()
        tours = operations.add_component(name="Tours", at=now - timedelta(days=10))
        operations.rewrite_history(
            component_id=tours.pk,
            status=ComponentStatus.MAJOR_OUTAGE,
            since=now - timedelta(days=5),
            until=now - timedelta(days=4),
            at=now,
            author=None,
        )

        found = program.get(f"/components/{tours.public_id}/uptime")

        assert found["major_outage"] == 24 * 3600
        assert found["partial_outage"] == 0
        assert found["uptime_percentage"] == pytest.approx(90, abs=0.5)
        assert found["related_events"] == []

    def test_of_a_group_is_that_of_its_members(self, program: Program, tours: Component) -> None:
        body = {"component_group": {"name": "Europe", "components": [tours.public_id]}}
        group = program.post("/component-groups", body)["id"]
        incident = {"name": "x", "components": {tours.public_id: "major_outage"}}
        made = program.post("/incidents", {"incident": incident})

        found = program.get(f"/component-groups/{group}/uptime")

        assert found["name"] == "Europe"
        assert found["related_events"] == [
            {"component_id": tours.public_id, "incidents": [{"id": made["id"]}]}
        ]

    @pytest.mark.parametrize(
        "asked", ["start=soon", "start=2199", "start=1999", "start=2026-13", "end=0000"]
    )
    def test_refuses_what_is_no_stretch(
        self, program: Program, tours: Component, asked: str
    ) -> None:
        program.get(f"/components/{tours.public_id}/uptime?{asked}", 422)


class TestTemplates:
    @pytest.mark.parametrize("status", ["identified", "scheduled"])
    def test_are_kept(self, program: Program, tours: Component, status: str) -> None:
        template = {
            "name": "Slow",
            "title": "Tours are slow",
            "body": "We know.",
            "update_status": status,
            "component_ids": [tours.public_id],
        }

        made = program.post("/incident_templates", {"template": template})

        assert made["update_status"] == status
        assert [part["id"] for part in made["components"]] == [tours.public_id]
        assert program.get("/incident_templates.json") == [made]
        program.post("/incident_templates", {"template": template}, 422)

    def test_need_words(self, program: Program) -> None:
        program.post("/incident_templates", {"template": {"name": "x", "title": "y"}}, 422)
