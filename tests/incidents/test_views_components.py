"""The desk's pages of components: the list, adding, editing, a status, and removing."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations
from incidents.models import Component, Incident
from incidents.values import ComponentStatus
from tests.factories import HOUR, ComponentFactory

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


class TestAccess:
    def test_whoever_is_not_signed_in_is_asked_to(self, client: Client) -> None:
        tours = ComponentFactory.create()

        for name in ("component-list", "component-add"):
            assert client.get(_url(name)).status_code == 302, name
        for name in ("component-edit", "component-status", "component-remove"):
            assert client.post(_url(name, tours.pk), {"confirm": "1"}).status_code == 302, name
        for name in ("component-history", "component-move"):
            assert client.post(_url(name, tours.pk), {"confirm": "1"}).status_code == 302, name
        assert Component.objects.filter(pk=tours.pk).exists()

    def test_an_outsider_with_a_login_is_sent_away(self, client: Client) -> None:
        client.force_login(User.objects.create_user("outsider"))

        assert client.get(_url("component-list")).status_code == 403

    def test_what_is_not_there_is_not_found(self, desk: Client) -> None:
        for name in ("component-edit", "component-status", "component-remove"):
            assert desk.get(_url(name, 404)).status_code == 404, name


class TestComponentList:
    def test_says_what_components_are_for(self, desk: Client) -> None:
        page = desk.get(_url("component-list")).content.decode()

        assert "The page lists no components" in page
        assert "parts of your service as customers know them" in page
        assert _url("component-add") in page

    def test_shows_members_in_their_group_with_its_worst_status(self, desk: Client) -> None:
        group = ComponentFactory.create(name="Europe", is_group=True)
        ComponentFactory.create(name="API", group=group, status=ComponentStatus.PARTIAL_OUTAGE)
        ComponentFactory.create(name="Uploads", position=2, only_show_if_degraded=True)

        page = desk.get(_url("component-list")).content.decode()

        assert page.index("Europe") < page.index("API") < page.index("Uploads")
        assert page.count("Partial outage") == 2
        assert "Shown only while something is wrong" in page
        assert _url("component-status", group.pk) not in page

    def test_asks_the_database_the_same_for_one_or_ten(
        self, desk: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        def look() -> None:
            # Session, user, components; and on every page of the desk, whether publishing fails.
            with django_assert_num_queries(4):
                desk.get(_url("component-list"))

        group = ComponentFactory.create(is_group=True)
        look()
        ComponentFactory.create_batch(9, group=group)
        look()


class TestAddComponent:
    def test_puts_it_on_the_page(self, desk: Client) -> None:
        group = ComponentFactory.create(name="Europe", is_group=True)

        answer = desk.post(
            _url("component-add"),
            {"name": "API", "group": group.pk, "start_on": "2020-05-01", "description": "For all"},
            follow=True,
        )

        api = Component.objects.get(name="API")
        assert (api.group, api.position) == (group, 1)
        assert "API is on the page." in answer.content.decode()

    def test_is_prepared_for_a_group_or_a_member(self, desk: Client) -> None:
        group = ComponentFactory.create(name="Europe", is_group=True)

        for_group = desk.get(_url("component-add"), {"kind": "group"})
        for_member = desk.get(_url("component-add"), {"group": group.pk}).content.decode()

        assert for_group.context["form"]["is_group"].value() is True
        assert f'<option value="{group.pk}" selected>Europe</option>' in for_member

    def test_asks_again_without_a_name(self, desk: Client) -> None:
        answer = desk.post(_url("component-add"), {"name": ""})

        assert answer.status_code == INVALID
        assert "This field is required" in answer.content.decode()

    def test_a_group_in_a_group_is_asked_about(self, desk: Client) -> None:
        group = ComponentFactory.create(is_group=True)

        answer = desk.post(
            _url("component-add"), {"name": "x", "is_group": "on", "group": group.pk}
        )

        assert answer.status_code == INVALID
        assert "cannot stand in another group" in answer.content.decode()

    def test_a_component_is_offered_as_no_group(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(_url("component-add"), {"name": "x", "group": tours.pk})

        assert answer.status_code == INVALID


class TestEditComponent:
    def test_changes_it(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(
            _url("component-edit", tours.pk), {"name": "Virtual tours", "position": 1}
        )

        tours.refresh_from_db()
        assert answer.status_code == 302
        assert tours.name == "Virtual tours"

    def test_goes_last_in_another_group(self, desk: Client) -> None:
        group = ComponentFactory.create(is_group=True)
        ComponentFactory.create(name="API", group=group)
        tours = ComponentFactory.create(position=1)

        desk.post(
            _url("component-edit", tours.pk), {"name": "Tours", "position": 1, "group": group.pk}
        )

        tours.refresh_from_db()
        assert (tours.group, tours.position) == (group, 2)

    def test_a_group_with_members_stays_one(self, desk: Client) -> None:
        group = ComponentFactory.create(is_group=True)
        ComponentFactory.create(group=group)

        answer = desk.post(_url("component-edit", group.pk), {"name": "Europe", "position": 1})

        assert answer.status_code == INVALID
        assert "The group has members" in answer.content.decode()


class TestStatus:
    def test_is_shown_before_it_is_said(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        page = desk.post(_url("component-status", tours.pk), {"status": "partial_outage"})

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL
        assert "What customers will see" in page.content.decode()
        assert "no message goes to followers" in page.content.decode()

    def test_is_said_when_it_is_confirmed(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(
            _url("component-status", tours.pk),
            {"status": "partial_outage", "confirm": "1"},
            follow=True,
        )

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.PARTIAL_OUTAGE
        assert "The page says: Tours, partial outage." in answer.content.decode()

    def test_of_what_is_shown_only_degraded_says_that_it_goes(self, desk: Client) -> None:
        tours = ComponentFactory.create(only_show_if_degraded=True, status="partial_outage")

        page = desk.post(_url("component-status", tours.pk), {"status": "operational"})

        assert "goes off the page" in page.content.decode()

    def test_points_to_the_open_incident(self, desk: Client, incident: Incident) -> None:
        tours = ComponentFactory.create()
        incident.components.add(tours)

        page = desk.get(_url("component-status", tours.pk)).content.decode()

        assert incident.get_absolute_url() in page
        assert "Post an update there instead" in page

    def test_of_a_group_is_refused(self, desk: Client) -> None:
        group = ComponentFactory.create(is_group=True)

        answer = desk.post(
            _url("component-status", group.pk), {"status": "partial_outage", "confirm": "1"}
        )

        assert answer.status_code == INVALID
        assert "worst member" in answer.content.decode()

    def test_that_nobody_knows_is_asked_again(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(_url("component-status", tours.pk), {"status": "on fire"})

        assert answer.status_code == INVALID


class TestRemoveComponent:
    def test_asks_first(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        page = desk.get(_url("component-remove", tours.pk)).content.decode()

        assert "Remove Tours?" in page
        assert Component.objects.filter(pk=tours.pk).exists()

    def test_takes_it_off_the_page(self, desk: Client) -> None:
        tours = ComponentFactory.create()

        answer = desk.post(_url("component-remove", tours.pk), follow=True)

        assert "Tours is off the page." in answer.content.decode()
        assert not Component.objects.exists()

    def test_refuses_what_was_part_of_an_incident(self, desk: Client, incident: Incident) -> None:
        tours = ComponentFactory.create()
        incident.components.add(tours)

        answer = desk.post(_url("component-remove", tours.pk))

        assert answer.status_code == INVALID
        assert "It was part of an incident" in answer.content.decode()
        assert Component.objects.exists()


class TestMoveComponent:
    def _names(self) -> list[str]:
        return list(Component.objects.in_order().values_list("name", flat=True))

    def test_moves_by_one_place_and_keeps_the_focus(self, desk: Client) -> None:
        rows = [ComponentFactory.create(name=name, position=n) for n, name in enumerate("ABC", 1)]

        answer = desk.post(_url("component-move", rows[0].pk), {"down": "1"})

        assert self._names() == ["B", "A", "C"]
        assert answer["Location"] == f"{_url('component-list')}#down-{rows[0].pk}"
        assert f'id="down-{rows[0].pk}"' in desk.get(_url("component-list")).content.decode()

    def test_stays_at_the_end(self, desk: Client) -> None:
        rows = [ComponentFactory.create(name=name, position=n) for n, name in enumerate("AB", 1)]

        desk.post(_url("component-move", rows[0].pk), {"up": "1"})
        desk.post(_url("component-move", rows[1].pk), {"down": "1"})

        assert self._names() == ["A", "B"]

    def test_moves_among_the_members_of_its_group(self, desk: Client) -> None:
        group = ComponentFactory.create(name="Europe", is_group=True)
        api = ComponentFactory.create(name="API", group=group)
        web = ComponentFactory.create(name="Web", group=group, position=2)

        desk.post(_url("component-move", web.pk), {"up": "1"})

        api.refresh_from_db()
        group.refresh_from_db()
        assert (api.position, group.position) == (2, 1)


class TestHistory:
    @pytest.fixture
    def tours(self) -> Component:
        """Give a component that was down two days ago, for two hours, one microsecond late."""
        self.start = timezone.now().replace(minute=0, second=0) - 48 * HOUR
        tours = operations.add_component(name="Tours", at=self.start - 48 * HOUR)
        for status, at in (("major_outage", self.start), ("operational", self.start + 2 * HOUR)):
            operations.set_component_status(
                component_id=tours.pk, status=ComponentStatus(status), at=at
            )
        return tours

    def _typed(self, since: datetime, until: datetime, **more: str) -> dict[str, str]:
        return {
            "status": "partial_outage",
            "since": f"{since:%Y-%m-%dT%H:%M:%S}",
            "until": f"{until:%Y-%m-%dT%H:%M:%S}",
            "tz": "UTC",
        } | more

    def test_lists_what_is_on_record(self, desk: Client, tours: Component) -> None:
        page = desk.get(_url("component-history", tours.pk)).content.decode()

        assert page.count("Major outage") >= 1
        assert "(2 h 00 min)" in page
        assert "until now" in page

    def test_shows_what_changes_before_it_changes_anything(
        self, desk: Client, tours: Component
    ) -> None:
        typed = self._typed(self.start - HOUR, self.start + HOUR)

        page = desk.post(_url("component-history", tours.pk), typed).content.decode()

        now, _heading, then = page.partition("It will say")
        assert "Operational" in now
        assert "Major outage" in now
        assert "Partial outage" in then
        assert tours.intervals.filter(status="partial_outage").count() == 0

    def test_corrects_the_record(self, desk: Client, tours: Component, responder: User) -> None:
        typed = self._typed(self.start, self.start + 2 * HOUR, confirm="1")

        page = desk.post(_url("component-history", tours.pk), typed, follow=True).content.decode()

        assert "The history is corrected" in page
        assert f"when {responder.label()} corrected it" in page

    def test_corrects_the_whole_of_a_stretch_that_was_chosen(
        self, desk: Client, tours: Component
    ) -> None:
        down = tours.intervals.get(status="major_outage")
        address = _url("component-history", tours.pk)
        form = desk.get(f"{address}?stretch={down.pk}").context["form"]
        typed = {name: form[name].value() for name in ("since", "until", "tz")}
        typed = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in typed.items()
        }

        desk.post(address, {**typed, "status": "operational", "confirm": "1"})

        assert [row.status for row in tours.intervals.all()] == ["operational"]

    def test_reads_times_in_the_zone_that_is_typed(self, desk: Client, tours: Component) -> None:
        zone = ZoneInfo("Asia/Tokyo")
        typed = self._typed(self.start.astimezone(zone), (self.start + HOUR).astimezone(zone))

        desk.post(
            _url("component-history", tours.pk), {**typed, "tz": "Asia/Tokyo", "confirm": "1"}
        )

        corrected = tours.intervals.get(status="partial_outage")
        assert corrected.ended_at == self.start.replace(microsecond=0) + HOUR

    def test_refuses_the_future_with_a_sentence(self, desk: Client, tours: Component) -> None:
        typed = self._typed(self.start, timezone.now() + HOUR)

        answer = desk.post(_url("component-history", tours.pk), typed)

        assert answer.status_code == INVALID
        assert "Only what is over can be corrected." in answer.content.decode()

    def test_a_group_has_none(self, desk: Client) -> None:
        group = ComponentFactory.create(is_group=True)

        assert desk.get(_url("component-history", group.pk)).status_code == 404

    def test_asks_the_database_the_same_for_a_quiet_and_a_restless_one(
        self, desk: Client, tours: Component
    ) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as context:
                desk.get(_url("component-history", tours.pk))
            return len(context)

        before = asked()
        for hour in range(3, 20):
            status = "degraded_performance" if hour % 2 else "operational"
            operations.set_component_status(
                component_id=tours.pk,
                status=ComponentStatus(status),
                at=self.start + hour * HOUR,
            )

        assert asked() == before
