"""Planned work at the desk and over its API: scheduled, looked at first, changed, ended."""

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations
from incidents.models import Component, Maintenance, MaintenanceTemplate
from incidents.operations import Plan
from incidents.values import MaintenanceState, Visibility
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, MaintenanceFactory

pytestmark = pytest.mark.django_db

INVALID = 422
DAY = timedelta(days=1)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
API = "/api/desk/v1/maintenances/"


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:maintenance-{name}", args=args)


def _local(at: datetime) -> str:
    return f"{at.astimezone(AMSTERDAM):%Y-%m-%dT%H:%M}"


def _asked(**changes: Any) -> dict[str, Any]:
    begins = timezone.now() + DAY
    return {
        "title": "Database upgrade",
        "scheduled_for": _local(begins),
        "scheduled_until": _local(begins + 2 * HOUR),
        "tz": "Europe/Amsterdam",
        "component_status": "under_maintenance",
        "body": "We upgrade the **database**.",
        "remind_before": "60",
        "starts_by_itself": "on",
        "ends_by_itself": "on",
        "deliver_notifications": "on",
        "visibility": "public",
    } | changes


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


@pytest.fixture
def maintenance(tours: Component) -> Maintenance:
    now = timezone.now()
    return operations.schedule_maintenance(
        plan=Plan(title="Database upgrade", components=[tours.pk], tz="Europe/Amsterdam"),
        scheduled_for=now + DAY,
        scheduled_until=now + DAY + 2 * HOUR,
        at=now,
        author=None,
    )


class TestList:
    def test_shows_what_to_do_where_there_is_nothing(self, desk: Client) -> None:
        page = desk.get(_url("list")).content.decode()

        assert "No maintenance so far" in page
        assert _url("schedule") in page

    def test_has_running_upcoming_and_past_ones(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        operations.start_maintenance(maintenance_id=maintenance.pk, at=timezone.now(), author=None)
        MaintenanceFactory.create(title="To come", scheduled_until=timezone.now() + DAY)
        MaintenanceFactory.create(title="Not needed", state="cancelled", ended_at=timezone.now())

        page = desk.get(_url("list")).content.decode()

        order = [
            page.index(words) for words in ("Running", "Upcoming", "To come", "Past", "Not needed")
        ]
        assert order == sorted(order)
        assert "Overdue" in page

    def test_turns_its_pages(self, desk: Client) -> None:
        # Several of the same time, so that a place is more than that.
        for number in range(60):
            MaintenanceFactory.create(
                title=f"Work {number:02}", state="cancelled", ended_at=timezone.now(),
                scheduled_for=NOON - number // 4 * DAY, scheduled_until=NOON + DAY,
            )  # fmt: skip

        first, seen = desk.get(_url("list")).content.decode(), []
        page = first
        while True:
            seen += re.findall(r"Work \d\d", page)
            way = re.search(r'rel="next" href="([^"]*)"', page)
            if way is None:
                break
            # Meanwhile something more is written down on top, which moves nothing.
            MaintenanceFactory.create(title="New", state="cancelled", ended_at=timezone.now())
            page = desk.get(_url("list") + unescape(way[1])).content.decode()
        assert len(seen) == len(set(seen)) == 60
        assert seen[0][5:] < seen[-1][5:]

        back = re.search(r'rel="prev" href="([^"]*)"', page)
        assert back is not None
        before = desk.get(_url("list") + unescape(back[1])).content.decode()
        assert re.findall(r"Work \d\d", before) == seen[25:50]
        assert "Work 00" in desk.get(_url("list") + "?after=nonsense&before=1.2.3").content.decode()

    def test_asks_as_much_for_one_as_for_ten(
        self, desk: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(10):
            MaintenanceFactory.create()

        with django_assert_max_num_queries(12):
            desk.get(_url("list"))

    def test_is_for_staff(self, client: Client) -> None:
        assert client.get(_url("list")).status_code == 302


class TestSchedule:
    def test_reads_times_in_the_zone_that_is_typed(self, desk: Client, tours: Component) -> None:
        asked = _asked(components=[tours.pk])

        answer = desk.post(_url("schedule"), asked)

        maintenance = Maintenance.objects.get()
        assert answer.headers["Location"] == maintenance.get_absolute_url()
        assert _local(maintenance.scheduled_for) == asked["scheduled_for"]
        assert list(maintenance.components.all()) == [tours]
        assert maintenance.remind_before == HOUR
        assert maintenance.updates.get().author is not None

    @pytest.mark.parametrize("year", ["0001", "0202", "9999"])
    def test_asks_for_a_year_that_can_be_meant(self, desk: Client, year: str) -> None:
        begins = f"{year}-12-31T23:59" if year == "9999" else f"{year}-01-01T00:00"

        answer = desk.post(
            _url("schedule"), _asked(scheduled_for=begins, scheduled_until="", minutes="90")
        )

        assert answer.status_code == INVALID
        assert "Correct the year." in answer.content.decode()

    def test_takes_the_end_as_a_duration(self, desk: Client) -> None:
        desk.post(_url("schedule"), _asked(scheduled_until="", minutes="90"))

        maintenance = Maintenance.objects.get()
        assert maintenance.scheduled_until - maintenance.scheduled_for == 90 * MINUTE

    def test_shows_first_how_it_will_look(self, desk: Client, tours: Component) -> None:
        page = desk.post(
            _url("schedule"),
            _asked(components=[tours.pk], title="<b>Up</b>", preview="1"),
        ).content.decode()

        assert "nothing has been scheduled" in page
        assert 'class="story card is-maintenance"' in page
        assert "&lt;b&gt;Up&lt;/b&gt;" in page
        assert "<strong>database</strong>" in page
        assert "\x02" not in page
        assert not Maintenance.objects.exists()

    def test_says_the_usual_words_where_none_are_given(self, desk: Client) -> None:
        page = desk.post(_url("schedule"), _asked(body="", preview="1")).content.decode()

        assert "This maintenance is planned from" in page

    def test_warns_of_what_shares_its_time_and_refuses_nothing(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        preview = desk.post(_url("schedule"), _asked(preview="1")).content.decode()
        assert "It shares time with" in preview

        page = desk.post(_url("schedule"), _asked(), follow=True).content.decode()

        assert f"It shares time with: {maintenance}" in page
        assert Maintenance.objects.count() == 2

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"scheduled_until": ""}, "Say when it ends"),
            ({"scheduled_until": "2020-01-01T00:00"}, "The end is not after the start."),
            ({"scheduled_for": "tomorrow"}, "Write day and time"),
            ({"tz": "Mars/Olympus"}, "There is no time zone"),
            ({"title": ""}, "This field is required"),
            ({"components": ["999"]}, "999"),
        ],
        ids=str,
    )
    def test_says_what_is_wrong(self, desk: Client, wrong: dict[str, Any], said: str) -> None:
        answer = desk.post(_url("schedule"), _asked(**wrong))

        assert answer.status_code == INVALID
        assert said in answer.content.decode()
        assert not Maintenance.objects.exists()

    def test_longer_than_a_year_is_asked_for(self, desk: Client) -> None:
        asked = _asked(scheduled_until="", minutes=str(400 * 24 * 60))
        assert "that is meant" not in desk.get(_url("schedule")).content.decode()

        answer = desk.post(_url("schedule"), asked)

        assert answer.status_code == INVALID
        assert "that is meant" in answer.content.decode()
        desk.post(_url("schedule"), asked | {"is_long_meant": "on"})
        assert Maintenance.objects.count() == 1

    def test_of_what_is_over_writes_it_down(self, desk: Client) -> None:
        begins = timezone.now() - DAY
        page = desk.post(
            _url("schedule"),
            _asked(scheduled_for=_local(begins), scheduled_until=_local(begins + HOUR)),
            follow=True,
        ).content.decode()

        assert "is on record" in page
        assert "Written down afterwards" in page

    def test_starts_from_a_template(self, desk: Client, tours: Component) -> None:
        template = operations.add_maintenance_template(
            name="Monthly",
            plan=Plan(title="Monthly upgrade", components=[tours.pk], ends_by_itself=False),
            duration=2 * HOUR,
            body="As every month.",
        )

        page = desk.get(_url("schedule") + f"?template={template.pk}").content.decode()

        assert 'value="Monthly upgrade"' in page
        assert 'name="minutes" value="120"' in page
        assert "As every month." in page
        assert re.search(rf'name="components" value="{tours.pk}"[^>]* checked', page)
        assert not re.search(r'name="ends_by_itself"[^>]* checked', page)


class TestDeeds:
    def test_are_asked_for_once_more(self, desk: Client, maintenance: Maintenance) -> None:
        for name in ("start", "cancel"):
            page = desk.get(_url("deed", maintenance.pk, name)).content.decode()
            assert "Empty: “" in page
        maintenance.refresh_from_db()
        assert maintenance.is_scheduled

    def test_carry_it_from_start_to_finish(
        self, desk: Client, maintenance: Maintenance, tours: Component
    ) -> None:
        for name, state in (
            ("start", "in_progress"),
            ("verify", "verifying"),
            ("finish", "completed"),
        ):
            desk.post(_url("deed", maintenance.pk, name), {"body": f"We {name}."})
            maintenance.refresh_from_db()
            assert maintenance.state == state

        bodies = list(maintenance.updates.order_by("pk").values_list("body", flat=True))[1:]
        assert bodies == ["We start.", "We verify.", "We finish."]
        tours.refresh_from_db()
        assert tours.status == "operational"

    def test_call_it_off(self, desk: Client, maintenance: Maintenance) -> None:
        desk.post(_url("deed", maintenance.pk, "cancel"))

        maintenance.refresh_from_db()
        assert maintenance.state == MaintenanceState.CANCELLED
        page = desk.get(_url("detail", maintenance.pk)).content.decode()
        assert _url("deed", maintenance.pk, "start") not in page

    def test_extend_it_from_now_if_it_overruns(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        now = timezone.now()
        Maintenance.objects.filter(pk=maintenance.pk).update(
            scheduled_for=now - 2 * HOUR,
            scheduled_until=now - HOUR,
            state="in_progress",
            began_at=now - 2 * HOUR,
        )

        desk.post(_url("extend", maintenance.pk), {"minutes": "30"})

        maintenance.refresh_from_db()
        assert abs(maintenance.scheduled_until - now - 30 * MINUTE) < MINUTE

    @pytest.mark.parametrize("form", [{"minutes": ""}, {"until": "2020-01-01T00:00"}])
    def test_extend_it_only_to_a_later_end(
        self, desk: Client, maintenance: Maintenance, form: dict[str, str]
    ) -> None:
        assert desk.post(_url("extend", maintenance.pk), form).status_code == INVALID

    def test_that_are_refused_say_why(self, desk: Client, maintenance: Maintenance) -> None:
        answer = desk.post(_url("deed", maintenance.pk, "finish"))

        assert answer.status_code == INVALID
        assert "has not begun" in answer.content.decode()

    def test_that_are_unknown_are_not_found(self, desk: Client, maintenance: Maintenance) -> None:
        assert desk.get(_url("deed", maintenance.pk, "explode")).status_code == 404


class TestChanges:
    def test_move_it_and_keep_what_was_planned(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        begins = timezone.now() + 3 * DAY
        desk.post(
            _url("move", maintenance.pk),
            {"scheduled_for": _local(begins), "scheduled_until": _local(begins + HOUR)},
        )

        maintenance.refresh_from_db()
        assert _local(maintenance.scheduled_for) == _local(begins)
        page = desk.get(_url("detail", maintenance.pk)).content.decode()
        assert "What it was before" in page

    def test_edit_shows_and_keeps_what_is_set(
        self, desk: Client, maintenance: Maintenance, tours: Component
    ) -> None:
        page = desk.get(_url("edit", maintenance.pk)).content.decode()
        assert 'value="Database upgrade"' in page
        assert re.search(rf'name="components" value="{tours.pk}"[^>]* checked', page)

        desk.post(_url("edit", maintenance.pk), _asked(title="Storage", visibility="internal"))

        maintenance.refresh_from_db()
        assert (maintenance.title, maintenance.visibility) == ("Storage", Visibility.INTERNAL)
        assert not maintenance.components.exists()

    def test_an_update_is_seen_first_and_posted_once(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        address, form = _url("update-post", maintenance.pk), {"body": "Half **done**.", "key": "k"}

        page = desk.post(address, form | {"preview": "1"}).content.decode()
        assert "nothing has been sent" in page
        assert "Half <strong>done</strong>." in page
        for _ in range(2):
            desk.post(address, form)

        assert maintenance.updates.count() == 2
        assert desk.post(address, {"body": ""}).status_code == INVALID

    def test_a_correction_is_marked(self, desk: Client, maintenance: Maintenance) -> None:
        update = maintenance.updates.get()

        desk.post(_url("update-correct", update.pk), {"body": "At one.", "reason": "typo"})

        update.refresh_from_db()
        assert update.body == "At one."
        assert update.edited_at is not None


class TestTemplates:
    def _form(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "Monthly",
            "title": "Monthly upgrade",
            "minutes": "120",
            "component_status": "under_maintenance",
            "remind_before": "",
        } | changes

    def test_are_kept_changed_and_put_away(self, desk: Client) -> None:
        assert "No template so far" in desk.get(_url("templates")).content.decode()
        desk.post(_url("template-add"), self._form())
        template = MaintenanceTemplate.objects.get()
        assert (template.duration, template.starts_by_itself) == (2 * HOUR, False)

        desk.post(_url("template-edit", template.pk), self._form(name="Weekly"))
        assert "Weekly" in desk.get(_url("templates")).content.decode()

        desk.post(_url("template-remove", template.pk))
        assert not MaintenanceTemplate.objects.exists()

    def test_go_by_one_name_each(self, desk: Client) -> None:
        desk.post(_url("template-add"), self._form())

        answer = desk.post(_url("template-add"), self._form())

        assert answer.status_code == INVALID
        assert "Another template goes by this name." in answer.content.decode()


class TestApi:
    @pytest.fixture
    def api(self, responder: User) -> APIClient:
        client = APIClient()
        client.force_authenticate(responder)
        return client

    @pytest.mark.parametrize("year", ["0001", "0202", "9999"])
    def test_refuses_a_year_that_cannot_be_meant(self, api: APIClient, year: str) -> None:
        asked = {
            "title": "Upgrade",
            "scheduled_for": f"{year}-12-31T23:00:00Z",
            "scheduled_until": f"{year}-12-31T23:59:59Z",
            "remind_before_minutes": 60,
        }

        answer = api.post(API, asked, format="json")

        assert 400 <= answer.status_code < 500
        assert answer.json()["code"] == "out-of-time"

    def test_carries_it_from_plan_to_end(self, api: APIClient, tours: Component) -> None:
        begins = timezone.now() + DAY
        scheduled = api.post(
            API,
            {
                "title": "Upgrade",
                "scheduled_for": begins.isoformat(),
                "scheduled_until": (begins + HOUR).isoformat(),
                "components": [tours.public_id],
                "remind_before_minutes": 60,
            },
            format="json",
        )
        assert scheduled.status_code == 201
        found = scheduled.json()
        assert found["components"] == [tours.public_id]
        assert found["remind_before_minutes"] == 60
        address = f"{API}{found['id']}/"

        for deed, body in (
            ("extend", {"until": (begins + 2 * HOUR).isoformat()}),
            ("start", {"body": "Now."}),
            ("verify", {}),
            ("finish", {}),
        ):
            assert api.post(f"{address}{deed}/", body, format="json").status_code == 200, deed

        assert api.get(address).json()["state"] == "completed"
        told = api.get(f"{address}updates/").json()["results"]
        assert [update["state"] for update in told] == [
            "completed",
            "verifying",
            "in_progress",
            "scheduled",
            "scheduled",
        ]

    def test_changes_what_is_planned(self, api: APIClient, maintenance: Maintenance) -> None:
        address, begins = f"{API}{maintenance.pk}/", timezone.now() + 2 * DAY

        edited = api.put(address, {"title": "Storage"}, format="json")
        moved = api.post(
            f"{address}move/",
            {
                "scheduled_for": begins.isoformat(),
                "scheduled_until": (begins + HOUR).isoformat(),
            },
            format="json",
        )
        posted = api.post(f"{address}updates/", {"body": "More."}, format="json")
        cancelled = api.post(f"{address}cancel/", {}, format="json")

        assert edited.json()["title"] == "Storage"
        assert moved.json()["sequence"] == 2
        assert posted.status_code == 201
        assert cancelled.json()["state"] == "cancelled"

    def test_refuses_as_the_desk_does(self, api: APIClient, maintenance: Maintenance) -> None:
        refused = api.post(f"{API}{maintenance.pk}/finish/", {}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "maintenance-not-running")

        now = timezone.now()
        for wrong in (
            {"components": ["nobody"]},
            {"tz": "Mars/Olympus"},
            {"component_status": "major_outage"},
        ):
            asked = {
                "title": "Upgrade",
                "scheduled_for": now.isoformat(),
                "scheduled_until": (now + HOUR).isoformat(),
            }
            assert api.post(API, asked | wrong, format="json").status_code == 400, wrong

    def test_is_for_staff(self) -> None:
        assert APIClient().get(API).status_code == 401
