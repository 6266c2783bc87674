"""The public API against documents that real pages served."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from incidents import operations
from incidents.values import ComponentStatus, Phase, Severity
from statuspage.documents.rollup import roll_up
from statuspage.operations import set_up_page
from statuspage.publisher import publish_all
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

GITHUB = "github.summary.2026-02-09.major-2-incidents.json"
SUMMARIES = [GITHUB, "twilio.summary.2020-06-16.json", "instructure.summary.json"]
Captured = Callable[[str], Any]


@pytest.fixture
def summary(public_root: Path, visitor: Visitor, db: None) -> Any:
    """Publish a page with a group, an open incident and a resolved one; return its summary."""
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    group = operations.add_component(name="Europe", is_group=True, at=NOON)
    api = operations.add_component(name="API", group_id=group.pk, at=NOON, start_on=NOON.date())
    web = operations.add_component(name="Web", at=NOON)
    incident = operations.declare_incident(
        title="The API is slow",
        severity=Severity.SEV2,
        at=NOON,
        author=None,
        body="We are looking.\nIt may take a while.",
        components={api.pk: ComponentStatus.MAJOR_OUTAGE},
    )
    operations.post_status_update(
        incident_id=incident.pk,
        body="Found.",
        phase=Phase.IDENTIFIED,
        at=NOON + MINUTE,
        author=None,
    )
    over = operations.declare_incident(
        title="Login failed",
        severity=Severity.SEV3,
        at=NOON - 3 * HOUR,
        author=None,
        body="Looking.",
    )
    operations.resolve_incident(incident_id=over.pk, body="Over.", at=NOON - 2 * HOUR, author=None)
    assert web.status == ComponentStatus.OPERATIONAL
    publish_all(now=lambda: NOON + 2 * MINUTE)
    return visitor.get("/api/v2/summary.json").json


def _shape(ours: Any, theirs: Any) -> tuple[list[str], list[str]]:
    return list(ours), list(theirs)


class TestKeys:
    def test_are_those_of_a_captured_summary(self, summary: Any, captured: Captured) -> None:
        theirs = captured(GITHUB)

        for ours, known in (
            (summary, theirs),
            (summary["page"], theirs["page"]),
            (summary["status"], theirs["status"]),
            (summary["components"][1], theirs["components"][0]),
            (summary["incidents"][0], _without_reminders(theirs["incidents"][0])),
            (
                summary["incidents"][0]["incident_updates"][0],
                theirs["incidents"][0]["incident_updates"][0],
            ),
            (
                summary["incidents"][0]["incident_updates"][1]["affected_components"][0],
                theirs["incidents"][0]["incident_updates"][0]["affected_components"][0],
            ),
        ):
            mine, seen = _shape(ours, known)
            assert mine == seen

    def test_of_a_group_end_with_its_members(self, summary: Any, captured: Captured) -> None:
        group = next(part for part in summary["components"] if part["group"])
        known = next(
            part for part in captured("instructure.summary.json")["components"] if part["group"]
        )

        # Captures of 2020 and 2021 differ in start_date alone, which is always there since.
        assert [key for key in group if key in known] == list(known)
        member = next(part for part in summary["components"] if part["group_id"])
        assert group["components"] == [member["id"]]
        assert member["group_id"] == group["id"]

    def test_have_values_of_the_captured_types(self, summary: Any, captured: Captured) -> None:
        theirs = captured(GITHUB)

        for ours, known in (
            (summary["page"], theirs["page"]),
            (summary["components"][1], theirs["components"][0]),
            (summary["incidents"][0], theirs["incidents"][0]),
            (
                summary["incidents"][0]["incident_updates"][0],
                theirs["incidents"][0]["incident_updates"][0],
            ),
        ):
            for key, value in ours.items():
                if value is not None and known.get(key) is not None:
                    assert type(value) is type(known[key]), key


def _without_reminders(incident: dict[str, Any]) -> dict[str, Any]:
    # The key is there in every later observation, and in ours.
    return incident | {"reminder_intervals": None}


class TestValues:
    def test_affected_components_are_null_or_named_with_their_group(self, summary: Any) -> None:
        found, first = summary["incidents"][0]["incident_updates"]

        assert found["affected_components"] is None
        assert [part["name"] for part in first["affected_components"]] == ["Europe - API"]
        assert first["affected_components"][0]["old_status"] == "operational"
        assert first["affected_components"][0]["new_status"] == "major_outage"

    def test_updates_are_newest_first_and_bodies_have_their_line_breaks(self, summary: Any) -> None:
        updates = summary["incidents"][0]["incident_updates"]

        assert [update["status"] for update in updates] == ["identified", "investigating"]
        assert updates[1]["body"] == "We are looking.<br />It may take a while."

    def test_times_have_milliseconds_in_the_zone_of_the_page(
        self, summary: Any, visitor: Visitor
    ) -> None:
        assert summary["incidents"][0]["created_at"] == "2026-01-12T12:00:00.000Z"

        set_up_page(name="Acme", url="https://x.example", time_zone="America/Los_Angeles", at=NOON)
        publish_all(now=lambda: NOON + 3 * MINUTE)
        page = visitor.get("/api/v2/summary.json").json

        assert page["page"]["time_zone"] == "America/Los_Angeles"
        assert page["incidents"][0]["created_at"] == "2026-01-12T04:00:00.000-08:00"

    def test_only_unresolved_incidents_are_in_the_summary(
        self, summary: Any, visitor: Visitor
    ) -> None:
        listed = visitor.get("/api/v2/incidents.json").json["incidents"]

        assert [incident["name"] for incident in summary["incidents"]] == ["The API is slow"]
        assert [incident["name"] for incident in listed] == ["The API is slow", "Login failed"]
        assert listed[1]["resolved_at"] == "2026-01-12T10:00:00.000Z"

    def test_every_document_has_its_keys(self, summary: Any, visitor: Visitor) -> None:
        expected = {
            "summary": ["page", "components", "incidents", "scheduled_maintenances", "status"],
            "status": ["page", "status"],
            "components": ["page", "components"],
            "incidents": ["page", "incidents"],
            "incidents/unresolved": ["page", "incidents"],
            "scheduled-maintenances": ["page", "scheduled_maintenances"],
            "scheduled-maintenances/upcoming": ["page", "scheduled_maintenances"],
            "scheduled-maintenances/active": ["page", "scheduled_maintenances"],
            f"incidents/{summary['incidents'][0]['id']}": ["page", "incident"],
        }

        for name, keys in expected.items():
            assert list(visitor.get(f"/api/v2/{name}.json").json) == keys, name


class TestRollUp:
    @pytest.mark.parametrize("name", SUMMARIES)
    def test_says_of_captured_components_what_the_page_said(
        self, name: str, captured: Captured
    ) -> None:
        document = captured(name)

        found = roll_up([part["status"] for part in document["components"] if not part["group"]])

        assert {"indicator": found.indicator, "description": found.description} == (
            document["status"]
        )

    @pytest.mark.parametrize("name", [*SUMMARIES, "linode.components-problems.json"])
    def test_a_group_is_as_its_worst_member(self, name: str, captured: Captured) -> None:
        for status, members in _groups(captured(name)["components"]):
            worst = max((ComponentStatus(one) for one in members), key=lambda one: one.rank)
            assert status == worst

    def test_of_our_group_is_its_worst_members(self, summary: Any) -> None:
        groups = dict(_groups(summary["components"]))

        assert list(groups) == ["major_outage"]

    @pytest.mark.parametrize(
        ("statuses", "indicator", "description"),
        [
            ([], "none", "All Systems Operational"),
            (["operational"], "none", "All Systems Operational"),
            (["operational", "under_maintenance"], "maintenance", "Service Under Maintenance"),
            (["degraded_performance", "operational"], "minor", "Partially Degraded Service"),
            (["under_maintenance", "partial_outage"], "minor", "Minor Service Outage"),
            (["major_outage", "operational"], "major", "Partial System Outage"),
            (["major_outage", "major_outage"], "critical", "Major Service Outage"),
        ],
    )
    def test_follows_the_table(self, statuses: list[str], indicator: str, description: str) -> None:
        found = roll_up(statuses)

        assert (found.indicator, found.description) == (indicator, description)


def _groups(components: list[Any]) -> Iterator[tuple[str, list[str]]]:
    status = {part["id"]: part["status"] for part in components}
    for part in components:
        if part["group"]:
            yield part["status"], [status[member] for member in part["components"]]
