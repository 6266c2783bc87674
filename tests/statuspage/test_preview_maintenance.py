"""The page as it would be after a deed on planned work, seen before that is done."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import operations
from incidents.models import Component, Maintenance
from incidents.operations import Plan
from incidents.values import Visibility
from statuspage import publisher
from tests.factories import HOUR, ComponentFactory, ResponderFactory
from tests.statuspage.reading import words_seen

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
INVALID = 422
# What can be done to work, by how far it is.
SCHEDULED = ["start", "move", "extend", "edit", "cancel"]
RUNNING = ["verify", "finish", "extend", "edit", "cancel"]
DEEDS = pytest.mark.parametrize(
    ("state", "name"),
    [*(("scheduled", name) for name in SCHEDULED), *(("in_progress", name) for name in RUNNING)],
)


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


@pytest.fixture
def maintenance(public_root: Path, tours: Component) -> Maintenance:
    """Give work on Tours that is to come, as customers can read it."""
    now = timezone.now()
    planned = operations.schedule_maintenance(
        plan=Plan(title="New disks", components=[tours.pk]),
        scheduled_for=now + DAY, scheduled_until=now + DAY + HOUR, at=now - HOUR, author=None,
        body="Tours will be slow.",
    )  # fmt: skip
    publisher.publish_now()
    return planned


def _bring_to(state: str, maintenance: Maintenance) -> None:
    if state == "scheduled":
        return
    operations.start_maintenance(
        maintenance_id=maintenance.pk, at=timezone.now() - HOUR / 2, author=None
    )
    if state == "completed":
        operations.finish_maintenance(maintenance_id=maintenance.pk, at=timezone.now(), author=None)
    publisher.publish_now()


def _typed(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"


def _form(name: str) -> dict[str, Any]:
    begins = timezone.now() + 3 * DAY
    return {
        "start": {"body": "We **begin**."},
        "verify": {"body": "We **check**."},
        "finish": {"body": "It is **done**."},
        "cancel": {"body": "It is **off**."},
        "extend": {"minutes": "30", "body": "It takes **longer**."},
        "move": {"scheduled_for": _typed(begins), "minutes": "60", "body": "On **another** day."},
        "edit": {
            "title": "Newer disks", "component_status": "operational", "tz": "UTC",
            "visibility": "public",
        },
    }[name]  # fmt: skip


# What a page shows of it.
SAYS = {
    "start": "We <strong>begin</strong>.",
    "verify": "We <strong>check</strong>.",
    "finish": "It is <strong>done</strong>.",
    "cancel": "It is <strong>off</strong>.",
    "extend": "It takes <strong>longer</strong>.",
    "move": "On <strong>another</strong> day.",
    "edit": "Newer disks",
}


def _preview(name: str, pk: int) -> str:
    # Where the desk asks for the deed, and where its preview is, end in the same words.
    return f"{reverse('statuspage:preview-maintenance', args=[pk])}{name}/"


def _deed(name: str, pk: int) -> str:
    return f"{reverse('incidents:maintenance-detail', args=[pk])}{name}/"


def _record() -> dict[str, list[Any]]:
    """Return every row that a deed could leave behind."""
    kept = ("incidents", "notifications", "statuspage")
    models = [model for app in kept for model in apps.get_app_config(app).get_models()]
    return {
        model.__name__: list(model._default_manager.order_by("pk").values()) for model in models
    }


def _files(root: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in root.rglob("*") if file.is_file()}


class TestPreviewOfADeed:
    @DEEDS
    def test_says_what_the_published_page_then_says(
        self, state: str, name: str, desk: Client, maintenance: Maintenance, page_root: Path
    ) -> None:
        _bring_to(state, maintenance)

        shown = desk.post(_preview(name, maintenance.pk), _form(name)).context["imagined"][0]

        assert SAYS[name] in shown.story
        assert desk.post(_deed(name, maintenance.pk), _form(name)).status_code == 302
        publisher.publish_now()
        maintenance.refresh_from_db()
        place = "archive" if maintenance.is_over else "current/site"
        story = page_root / place / "maintenances" / f"{maintenance.public_id}.html"
        assert words_seen(shown.story) == words_seen(story.read_text())
        front = page_root / "current" / "site" / "index.html"
        assert words_seen(shown.front) == words_seen(front.read_text())

    @DEEDS
    def test_leaves_nothing(
        self, state: str, name: str, desk: Client, maintenance: Maintenance, public_root: Path
    ) -> None:
        _bring_to(state, maintenance)
        record, files = _record(), _files(public_root)

        answer = desk.post(_preview(name, maintenance.pk), _form(name))

        assert answer.context["imagined"]
        assert _record() == record
        assert _files(public_root) == files

    @DEEDS
    def test_publishes_nothing_afterwards(
        self,
        state: str,
        name: str,
        desk: Client,
        maintenance: Maintenance,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        _bring_to(state, maintenance)

        with django_capture_on_commit_callbacks() as callbacks:
            desk.post(_preview(name, maintenance.pk), _form(name))

        assert callbacks == []

    @DEEDS
    def test_is_offered_where_the_deed_is_asked_for(
        self, state: str, name: str, desk: Client, maintenance: Maintenance
    ) -> None:
        _bring_to(state, maintenance)

        page = desk.get(_deed(name, maintenance.pk)).content.decode()

        button = f'formaction="{_preview(name, maintenance.pk)}" formtarget="_blank"'
        assert f"{button}>See the whole page</button>" in page

    def test_shows_components_as_they_would_be(
        self, desk: Client, maintenance: Maintenance, tours: Component
    ) -> None:
        front = desk.post(_preview("start", maintenance.pk)).context["imagined"][0].front

        assert 'data-component-status="under_maintenance"' in front
        tours.refresh_from_db()
        assert tours.status == "operational"

    def test_takes_the_usual_words_where_none_are_given(
        self, desk: Client, maintenance: Maintenance
    ) -> None:
        story = desk.post(_preview("cancel", maintenance.pk)).context["imagined"][0].story

        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=timezone.now(), author=None)
        newest = maintenance.updates.newest_first().first()
        assert newest is not None
        assert newest.body in story

    @pytest.mark.parametrize(
        ("name", "form", "says"),
        [
            ("verify", {}, "has not begun"),
            ("finish", {}, "has not begun"),
            ("extend", {"minutes": ""}, "Say by how much, or until when."),
            ("extend", {"until": "2020-01-01T00:00"}, "no later"),
            ("move", {"scheduled_for": "", "minutes": "60"}, "This field is required"),
            ("move", {"scheduled_for": "2020-01-01T00:00", "minutes": "60"}, "passed"),
            ("edit", {"title": ""}, "This field is required"),
        ],
    )
    def test_of_what_cannot_be_says_why(
        self, name: str, form: dict[str, str], says: str, desk: Client, maintenance: Maintenance
    ) -> None:
        answer = desk.post(_preview(name, maintenance.pk), form)

        assert answer.status_code == INVALID
        assert says in answer.content.decode()
        assert answer.context["imagined"] == []

    def test_of_work_for_staff_only_shows_customers_none_of_it(
        self, desk: Client, public_root: Path
    ) -> None:
        now = timezone.now()
        secret = operations.schedule_maintenance(
            plan=Plan(title="Secret", visibility=Visibility.INTERNAL),
            scheduled_for=now + DAY, scheduled_until=now + DAY + HOUR, at=now, author=None,
        )  # fmt: skip

        answer = desk.post(_preview("start", secret.pk))

        assert "Secret" not in answer.context["imagined"][0].front
        assert "Customers will not see it" in answer.content.decode()

    @pytest.mark.parametrize("name", [*SCHEDULED, "verify", "finish"])
    def test_is_for_staff_by_post_and_of_what_there_is(
        self, name: str, client: Client, maintenance: Maintenance
    ) -> None:
        address = _preview(name, maintenance.pk)

        assert "/desk/login/" in client.post(address, _form(name)).headers["Location"]
        client.force_login(ResponderFactory.create())
        assert client.get(address).status_code == 405
        assert client.post(_preview(name, 999_999), _form(name)).status_code == 404

    def test_of_no_deed_at_all_is_not_found(self, desk: Client, maintenance: Maintenance) -> None:
        assert desk.post(_preview("explode", maintenance.pk)).status_code == 404


class TestPreviewOfACorrection:
    @pytest.mark.parametrize("state", ["scheduled", "in_progress", "completed"])
    def test_shows_what_is_said_and_what_was_and_keeps_neither(
        self, state: str, desk: Client, maintenance: Maintenance, public_root: Path
    ) -> None:
        update = maintenance.updates.get()
        _bring_to(state, maintenance)
        record, files = _record(), _files(public_root)
        address = reverse("statuspage:preview-maintenance-correct", args=[update.pk])

        story = desk.post(address, {"body": "Tours will be **off**."}).context["imagined"][0].story

        assert "Tours will be <strong>off</strong>." in story
        assert "What it said until" in story
        assert "Tours will be slow." in story
        assert _record() == record
        assert _files(public_root) == files

    def test_is_offered_where_it_is_written(self, desk: Client, maintenance: Maintenance) -> None:
        update = maintenance.updates.get()
        page = desk.get(reverse("incidents:maintenance-update-correct", args=[update.pk]))

        preview = reverse("statuspage:preview-maintenance-correct", args=[update.pk])
        assert f'formaction="{preview}" formtarget="_blank"' in page.content.decode()

    def test_without_words_says_so(self, desk: Client, maintenance: Maintenance) -> None:
        update = maintenance.updates.get()

        answer = desk.post(
            reverse("statuspage:preview-maintenance-correct", args=[update.pk]), {"body": ""}
        )

        assert answer.status_code == INVALID
        assert "This field is required" in answer.content.decode()

    def test_is_of_an_update_that_there_is(self, desk: Client) -> None:
        address = reverse("statuspage:preview-maintenance-correct", args=[999_999])

        assert desk.post(address, {"body": "More."}).status_code == 404
