"""Uptime as it is published: on the front page, on a page of its own, at a cost that stays flat."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from unittest import mock

import brotli
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Component, StatusInterval
from incidents.operations.history import move_component
from incidents.operations.maintenance.planning import Plan
from incidents.values import ComponentStatus, Phase, Severity, Visibility
from statuspage import publisher
from statuspage.operations import set_up_page
from statuspage.publisher import histories
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_root")]

DAY = timedelta(days=1)
START = date(2024, 1, 1)


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    """Give a process that has packed nothing yet."""
    with mock.patch.dict(histories._packed, clear=True):
        yield


def _component(name: str = "Tours", **values: Any) -> Component:
    return operations.add_component(name=name, at=NOON - 400 * DAY, start_on=START, **values)


def _down(
    component: Component,
    since: datetime,
    length: timedelta,
    status: ComponentStatus = ComponentStatus.MAJOR_OUTAGE,
) -> None:
    component.refresh_from_db()
    move_component(component, status, at=since)
    move_component(component, ComponentStatus.OPERATIONAL, at=since + length)


def _publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


def _cut(text: str, anchor: str) -> str:
    """Return what stands under an anchor, as words."""
    found = re.search(rf'<(section|tr)[^>]* id="{anchor}"[^>]*>(.*?)</\1>', text, re.DOTALL)
    assert found, anchor
    return " ".join(re.sub(r"<[^>]+>", " ", found[2]).split())


class TestTheFrontPage:
    def test_draws_a_component_and_says_its_figure(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - 2 * DAY, HOUR)
        _publish()

        page = visitor.get("/").text

        assert "Uptime over 90 days: 99.95 %. 1 day with trouble." in page
        assert f'href="/uptime#c-{tours.public_id}"' in page
        assert '<path class="is-major_outage" d="M87 24h1"/>' in page

    def test_draws_a_group_as_its_worst_member(self, visitor: Visitor) -> None:
        group = _component("Europe", is_group=True)
        for name in ("API", "Web"):
            _component(name, group_id=group.pk)
        _down(Component.objects.get(name="API"), NOON - 2 * DAY, HOUR)
        _publish()

        page = visitor.get("/").text

        head = page[page.index("<summary>") : page.index("</summary>")]
        assert "99.97 %" in head
        assert "1 day with trouble." in head

    def test_says_nothing_of_what_has_no_history(self, visitor: Visitor) -> None:
        Component.objects.create(name="API", created_at=NOON, updated_at=NOON)
        _publish()

        page = visitor.get("/").text

        assert "API" in page
        assert "<path class=" not in page
        assert "The last 90 days" not in page

    def test_counts_days_in_its_own_zone(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, datetime(2026, 1, 10, 22, 30, tzinfo=NOON.tzinfo), HOUR)
        set_up_page(name="A", url="http://a.test", at=NOON, time_zone="Europe/Berlin")
        _publish()

        assert '<path class="is-major_outage" d="M87 24h2"/>' in visitor.get("/").text

    def test_a_thousand_quiet_components_cost_little_over_the_wire(self, visitor: Visitor) -> None:
        parts = Component.objects.bulk_create(
            Component(name=f"Part {number}", position=number, created_at=NOON, updated_at=NOON)
            for number in range(1000)
        )
        _publish()
        without = len(brotli.compress(visitor.get("/").body, quality=6))

        StatusInterval.objects.bulk_create(
            StatusInterval(component=part, status="operational", began_at=NOON - 400 * DAY)
            for part in parts
        )
        Component.objects.update(history_version=1)
        _publish(MINUTE)
        drawn = visitor.get("/")

        assert drawn.text.count('class="bars"') == 1000
        # Eight bytes a component: the drawing of a quiet one is the drawing of any other.
        assert len(brotli.compress(drawn.body, quality=6)) - without < 8_000


class TestThePageOfUptime:
    def test_says_that_there_is_nothing_yet(self, visitor: Visitor) -> None:
        _publish()

        assert "There is no history to show yet." in visitor.get("/uptime").text

    def test_has_every_figure_as_text(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - 50 * DAY, 3 * HOUR)
        _component("Web")
        _publish()

        page = visitor.get("/uptime").text

        row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*Tours.*?</tr>", page, re.DOTALL)
        assert row
        assert re.findall(r"<td>(.*?)</td>", row[0]) == ["100.00 %", "99.86 %", "99.96 %"]
        assert page.count("100.00 %") == 4

    def test_has_each_day_that_is_drawn_with_what_went_on(self, visitor: Visitor) -> None:
        tours = _component()
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON - 2 * DAY,
            author=None,
            body="Looking.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )
        operations.post_status_update(
            incident_id=incident.pk,
            body="Back.",
            phase=Phase.RESOLVED,
            at=NOON - 2 * DAY + 80 * MINUTE,
            author=None,
        )
        _publish()

        page = visitor.get("/uptime").text

        said = _cut(page, f"c-{tours.public_id}")
        assert "10 January 2026 Major outage: 1 hour 20 minutes" in said
        assert f'href="/incidents/{incident.public_id}"' in page

    def test_names_the_members_of_a_group_that_were_not_well(self, visitor: Visitor) -> None:
        group = _component("Europe", is_group=True)
        api = _component("API", group_id=group.pk)
        _component("Web", group_id=group.pk)
        _down(api, NOON - 2 * DAY, HOUR, ComponentStatus.PARTIAL_OUTAGE)
        _publish()

        said = _cut(visitor.get("/uptime").text, f"c-{group.public_id}")

        assert "10 January 2026 API : Partial outage" in said
        assert "Web" not in said

    def test_names_the_work_for_which_a_component_was_down(self, visitor: Visitor) -> None:
        tours = _component()
        work = operations.schedule_maintenance(
            plan=Plan(title="New disks", components=[tours.pk]),
            scheduled_for=NOON - 3 * HOUR,
            scheduled_until=NOON - HOUR,
            at=NOON - DAY,
            author=None,
        )
        operations.start_maintenance(maintenance_id=work.pk, at=NOON - 3 * HOUR, author=None)
        operations.finish_maintenance(maintenance_id=work.pk, at=NOON - HOUR, author=None)
        _publish()

        page = visitor.get("/uptime").text

        assert "Under maintenance: 2 hours New disks" in _cut(page, f"c-{tours.public_id}")
        assert f'href="/maintenances/{work.public_id}"' in page
        assert page.count("100.00 %") == 4

    def test_says_of_an_outage_since_when_it_goes_on(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - 9 * HOUR, HOUR)
        move_component(tours, ComponentStatus.MAJOR_OUTAGE, at=NOON - 2 * HOUR)
        _publish()

        said = _cut(visitor.get("/uptime").text, f"c-{tours.public_id}")

        assert "Major outage: 1 hour, and again since 10:00 UTC" in said

    def test_says_since_when_there_is_a_history(self, visitor: Visitor) -> None:
        operations.add_component(name="Young", at=NOON - 5 * DAY)
        _publish()

        assert "since 7 January 2026" in visitor.get("/uptime").text

    def test_every_drawing_leads_to_its_place(self, visitor: Visitor) -> None:
        group = _component("Europe", is_group=True)
        down = _component("API", group_id=group.pk)
        _component("Web")
        _down(down, NOON - DAY, HOUR)
        _publish()

        wanted = set(re.findall(r'href="/uptime#(c-\w+)"', visitor.get("/").text))
        there = re.findall(r' id="(c-\w+)"', visitor.get("/uptime").text)

        assert len(wanted) == 3
        assert wanted == set(there)
        assert len(there) == len(set(there))

    def test_counts_nothing_before_the_start_date(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - 20 * DAY, 10 * DAY)

        operations.edit_component(
            component_id=tours.pk, name="Tours", at=NOON, start_on=date(2026, 1, 5)
        )
        _publish()

        page = visitor.get("/uptime").text
        assert page.count("100.00 %") == 3
        assert "since 5 January 2026" in page

    def test_counts_nothing_that_nobody_recorded(self, visitor: Visitor) -> None:
        tours = operations.add_component(name="Tours", at=NOON - HOUR, start_on=date(2025, 1, 12))
        _down(tours, NOON - HOUR / 2, HOUR / 4)
        _publish()
        assert "75.00 %" in visitor.get("/uptime").text
        assert "100.00 %" not in visitor.get("/uptime").text
        assert "since 12 January 2026" in visitor.get("/uptime").text

        operations.rewrite_history(
            component_id=tours.pk,
            status=ComponentStatus.OPERATIONAL,
            since=NOON - 365 * DAY,
            until=NOON - HOUR,
            at=NOON,
            author=None,
        )
        _publish(MINUTE)
        assert "75.00 %" not in visitor.get("/uptime").text

    def test_names_no_maintenance_that_was_only_noted_as_over(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - DAY, HOUR)
        for title, ends_by_itself in (("Nobody came", True), ("Took longer", False)):
            operations.schedule_maintenance(
                plan=operations.Plan(
                    title=title, components=[tours.pk], ends_by_itself=ends_by_itself
                ),
                scheduled_for=NOON - DAY,
                scheduled_until=NOON - DAY + MINUTE,
                at=NOON - 2 * DAY,
                author=None,
            )
        operations.advance_maintenances(at=NOON - DAY + HOUR / 2)
        _publish()

        page = visitor.get("/uptime").text
        assert "Took longer" in page
        assert "Nobody came" not in page


class TestWhatIsShownOnlyWhileSomethingIsWrong:
    def _hidden(self, group: Component | None = None) -> Component:
        extra = {"group_id": group.pk} if group else {}
        return _component("Payments", only_show_if_degraded=True, **extra)

    def test_is_nowhere_while_it_works(self, visitor: Visitor) -> None:
        _down(self._hidden(), NOON - DAY, HOUR)
        _publish()

        assert "Payments" not in visitor.get("/uptime").text
        assert "Payments" not in visitor.get("/").text

    def test_is_there_while_it_does_not(self, visitor: Visitor) -> None:
        move_component(self._hidden(), ComponentStatus.MAJOR_OUTAGE, at=NOON - HOUR)
        _publish()

        assert "Payments" in visitor.get("/uptime").text

    def test_counts_in_its_group_all_the_same(self, visitor: Visitor) -> None:
        group = _component("Europe", is_group=True)
        _component("Web", group_id=group.pk)
        payments = self._hidden(group)
        _down(payments, NOON - DAY, HOUR)
        _publish()

        said = _cut(visitor.get("/uptime").text, f"c-{group.public_id}")
        assert "Payments : Major outage" in said
        assert f"#c-{payments.public_id}" not in visitor.get("/uptime").text


def _reads(deed: Callable[[], None]) -> list[str]:
    """Return the queries of a deed that read histories."""
    with CaptureQueriesContext(connection) as asked:
        deed()
    table = StatusInterval._meta.db_table
    return [query["sql"] for query in asked if table in query["sql"]]


class TestTheCost:
    def test_a_publish_reads_only_histories_that_were_written_since_the_last(self) -> None:
        tours, web = _component(), _component("Web")
        for days in range(300, 0, -1):
            _down(tours, NOON - days * DAY, HOUR)
            _down(web, NOON - days * DAY, MINUTE)

        first = _reads(_publish)
        second = _reads(lambda: _publish(MINUTE))
        _down(tours, NOON + MINUTE, MINUTE)
        third = _reads(lambda: _publish(3 * MINUTE))

        assert len(first) == 1
        assert second == []
        assert len(third) == 1
        assert f"IN ({tours.pk})" in third[0]

    def test_a_new_day_reads_once(self) -> None:
        _component()
        _publish()

        assert len(_reads(lambda: _publish(DAY))) == 1
        assert _reads(lambda: _publish(DAY + MINUTE)) == []

    def test_another_start_date_reads_anew(self) -> None:
        tours = _component()
        _publish()

        operations.edit_component(
            component_id=tours.pk, name="Tours", at=NOON, start_on=date(2026, 1, 5)
        )

        assert len(_reads(lambda: _publish(MINUTE))) == 1

    def test_a_publish_asks_as_much_after_a_year_as_after_a_day(self) -> None:
        tours = _component()

        def asked() -> int:
            _publish()
            with CaptureQueriesContext(connection) as context:
                _publish(MINUTE)
            return len(context)

        before = asked()
        for days in range(360, 0, -1):
            _down(tours, NOON - days * DAY, HOUR)

        assert asked() == before
        assert tours.intervals.count() == 721

    def test_the_page_of_uptime_is_kept_while_nothing_of_it_changes(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - DAY, HOUR)
        _publish()
        before = visitor.get("/uptime").text

        _publish(MINUTE)
        kept = visitor.get("/uptime").text
        _down(tours, NOON + MINUTE, 2 * MINUTE)
        _publish(5 * MINUTE)

        assert kept == before
        assert visitor.get("/uptime").text != before

    def test_the_page_of_uptime_follows_the_title_of_an_incident(self, visitor: Visitor) -> None:
        tours = _component()
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV1,
            at=NOON - HOUR,
            author=None,
            body="Looking.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )
        _publish()
        assert "Tours do not open" in visitor.get("/uptime").text

        operations.edit_incident(
            incident_id=incident.pk,
            title="All is slow",
            summary="",
            severity=Severity.SEV1,
            visibility=Visibility.PUBLIC,
            at=NOON,
            author=None,
        )
        _publish(MINUTE)

        assert "All is slow" in visitor.get("/uptime").text

    def test_a_correction_shows_at_once(self, visitor: Visitor) -> None:
        tours = _component()
        _down(tours, NOON - 2 * DAY, HOUR)
        _publish()

        operations.rewrite_history(
            component_id=tours.pk,
            status=ComponentStatus.OPERATIONAL,
            since=NOON - 3 * DAY,
            until=NOON - DAY,
            at=NOON,
            author=None,
        )
        _publish(MINUTE)

        assert "100.00 %. No day with trouble." in visitor.get("/").text
        assert "Major outage" not in visitor.get("/uptime").text
