"""The page as it would be, seen before anything is posted."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from incidents import operations
from incidents.models import Component, Incident, Maintenance, StatusUpdate
from incidents.values import ComponentStatus, Phase, ProgressPolicy, Severity, Visibility
from statuspage import publisher
from statuspage.models import Page
from statuspage.operations import add_page, choose_content
from tests.factories import HOUR, NOON, ComponentFactory, ResponderFactory
from tests.statuspage.conftest import Visitor
from tests.statuspage.reading import words_seen

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


@pytest.fixture
def incident(public_root: Path) -> Incident:
    found = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now() - HOUR, author=None,
        body="We are looking into it.",
    )  # fmt: skip
    publisher.publish_now()
    return found


def _url(name: str, *args: Any) -> str:
    return reverse(f"statuspage:preview-{name}", args=args)


def _revisions(root: Path) -> list[str]:
    return sorted(str(file) for file in root.rglob("*"))


class TestPreview:
    def test_shows_the_pages_as_they_would_be_and_keeps_nothing(
        self, desk: Client, incident: Incident, tours: Component, public_root: Path
    ) -> None:
        before = _revisions(public_root)

        answer = desk.post(
            _url("update", incident.pk),
            {"phase": "identified", "body": "It is the **database**.",
             f"component_{tours.pk}": "partial_outage"},
        )  # fmt: skip
        shown = answer.context["imagined"][0]

        assert "Nothing has been sent." in answer.content.decode()
        assert "It is the <strong>database</strong>." in shown.front
        assert "artial outage" in shown.front
        assert "It is the <strong>database</strong>." in shown.story
        # Nothing of it is anywhere.
        assert StatusUpdate.objects.count() == 1
        incident.refresh_from_db()
        assert incident.phase == Phase.INVESTIGATING
        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL
        assert _revisions(public_root) == before

    def test_publishes_nothing_afterwards(
        self, desk: Client, incident: Incident, django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks() as callbacks:
            desk.post(_url("update", incident.pk), {"phase": "identified", "body": "Not yet."})

        assert callbacks == []

    def test_says_what_the_published_page_then_says(
        self, desk: Client, incident: Incident, page_root: Path
    ) -> None:
        words = {"phase": "identified", "body": "It is the database.", "next_minutes": "20"}
        imagined = desk.post(_url("update", incident.pk), words).context["imagined"][0]

        desk.post(reverse("incidents:update-post", args=[incident.pk]), words)
        publisher.publish_now()

        published = (page_root / "current" / "site" / "index.html").read_text()
        assert words_seen(imagined.front) == words_seen(published)

    def test_of_a_correction(self, desk: Client, incident: Incident) -> None:
        update = incident.updates.get()

        shown = desk.post(_url("correct", update.pk), {"body": "It is half of them."})

        assert "It is half of them." in shown.context["imagined"][0].story
        update.refresh_from_db()
        assert update.body == "We are looking into it."
        assert update.edited_at is None

    def test_of_the_last_word(self, desk: Client, incident: Incident) -> None:
        shown = desk.post(_url("resolve", incident.pk), {"body": "All is back."})

        assert "All is back." in shown.context["imagined"][0].story
        incident.refresh_from_db()
        assert not incident.is_resolved

    def test_of_an_incident_that_is_open_again(self, desk: Client, incident: Incident) -> None:
        operations.resolve_incident(
            incident_id=incident.pk, body="All is back.", at=timezone.now(), author=None
        )
        form = desk.get(reverse("incidents:incident-reopen", args=[incident.pk]))
        assert _url("reopen", incident.pk) in form.content.decode()

        shown = desk.post(_url("reopen", incident.pk), {"reason": "It is slow again."})

        assert "This incident is open again" in shown.context["imagined"][0].story
        incident.refresh_from_db()
        assert incident.is_resolved
        assert StatusUpdate.objects.count() == 2

    def test_of_an_incident_that_is_not_declared_yet(self, desk: Client, public_root: Path) -> None:
        words = {"title": "Uploads hang", "severity": "sev2", "body": "We see it.", "tz": "UTC"}

        public = desk.post(_url("declare"), words | {"visibility": "public"})
        internal = desk.post(_url("declare"), words | {"visibility": "internal"})

        assert "Uploads hang" in public.context["imagined"][0].front
        assert "Uploads hang" not in internal.context["imagined"][0].front
        assert "Customers will not see it" in internal.content.decode()
        assert not Incident.objects.exists()

    def test_of_what_a_job_proposes(self, desk: Client, incident: Incident) -> None:
        operations.set_progress_policy(
            incident_id=incident.pk, policy=ProgressPolicy.DRAFT, at=NOON, author=None
        )
        draft = operations.draft_status_update(
            incident_id=incident.pk, body="Half is copied.", phase=Phase.IDENTIFIED,
            at=timezone.now(), author=None, author_label="restore job 1",
        )  # fmt: skip

        shown = desk.post(_url("draft", draft.pk))

        assert "Half is copied." in shown.context["imagined"][0].front
        draft.refresh_from_db()
        assert draft.published_at is None

    def test_of_planned_work(self, desk: Client, public_root: Path, tours: Component) -> None:
        day = timezone.now() + 24 * HOUR
        words = {
            "title": "New disks", "tz": "UTC", "scheduled_for": f"{day:%Y-%m-%dT%H:%M}",
            "minutes": "60", "components": [tours.pk], "component_status": "under_maintenance",
            "body": "Tours will be slow.", "visibility": "public",
        }  # fmt: skip

        shown = desk.post(_url("plan"), words).context["imagined"][0]

        assert "New disks" in shown.front
        assert "Tours will be slow." in shown.story
        assert not Maintenance.objects.exists()

        desk.post(reverse("incidents:maintenance-schedule"), words)
        planned = Maintenance.objects.get()
        more = desk.post(_url("maintenance", planned.pk), {"body": "It takes longer."})

        assert "It takes longer." in more.context["imagined"][0].story
        assert planned.updates.count() == 1

    def test_is_of_the_pages_that_show_it(
        self, desk: Client, incident: Incident, tours: Component
    ) -> None:
        other = add_page(slug="other", name="Other", url="https://other.example", at=NOON)
        choose_content(
            page_id=other.pk, shows_everything=False, component_ids=[tours.pk],
            has_my_data=False, has_backup_proof=False, at=NOON,
        )  # fmt: skip
        words = {"phase": "identified", "body": "It is the database."}

        without = desk.post(_url("update", incident.pk), words)
        touching = desk.post(
            _url("update", incident.pk), words | {f"component_{tours.pk}": "major_outage"}
        )

        assert [shown.page.slug for shown in without.context["imagined"]] == ["main"]
        assert [shown.page.slug for shown in touching.context["imagined"]] == ["main", "other"]

    def test_names_the_pages_for_which_there_is_no_room(
        self, desk: Client, incident: Incident
    ) -> None:
        for number in range(4):
            add_page(
                slug=f"p{number}", name=f"Page {number}", url=f"https://p{number}.example", at=NOON
            )

        answer = desk.post(_url("update", incident.pk), {"phase": "identified", "body": "More."})

        shown = [imagined.page.slug for imagined in answer.context["imagined"]]
        assert shown == ["main", "p0", "p1"]
        text = re.sub(r"<[^>]+>", "", answer.content.decode())
        assert "Only 3 pages are shown here. What you post goes to 2 more: Page 2, Page 3." in text

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            ({"phase": "identified", "body": ""}, "This field is required"),
            ({"phase": "identified", "body": "Back", "eta_until": "2020-01-01T00:00"}, "passed"),
        ],
    )
    def test_of_a_form_that_is_not_complete_says_so(
        self, desk: Client, incident: Incident, words: dict[str, str], says: str
    ) -> None:
        answer = desk.post(_url("update", incident.pk), words)

        assert answer.status_code == 422
        assert says in answer.content.decode()

    def test_of_what_is_refused_says_why(self, desk: Client, incident: Incident) -> None:
        form = {"phase": "identified", "body": "More."}
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=timezone.now(), author=None
        )

        answer = desk.post(_url("update", incident.pk), form)

        assert answer.status_code == 422
        assert str(operations.IncidentResolved.message) in answer.content.decode()

    def test_takes_its_styles_from_the_desk(self, desk: Client, incident: Incident) -> None:
        shown = desk.post(
            _url("update", incident.pk), {"phase": "identified", "body": "More."}
        ).context["imagined"][0]
        address = _url("asset", Page.objects.get().slug, "style")

        assert f'href="{address}"' in shown.front
        style = desk.get(address)
        assert style.headers["Content-Type"].startswith("text/css")
        assert style.content
        assert desk.get(_url("asset", "main", "nothing")).status_code == 404

    def test_leaves_nothing_in_the_histories_that_are_published(
        self, desk: Client, incident: Incident, tours: Component, visitor: Visitor
    ) -> None:
        publisher.publish_now()
        words = {"phase": "identified", "body": "It is the database."}
        desk.post(_url("update", incident.pk), words | {f"component_{tours.pk}": "major_outage"})
        operations.post_status_update(
            incident_id=incident.pk, phase=Phase.IDENTIFIED, body="It is slow.",
            at=timezone.now(), author=None,
            component_statuses={tours.pk: ComponentStatus.DEGRADED_PERFORMANCE},
        )  # fmt: skip

        publisher.publish_now(now=lambda: timezone.now() + HOUR)

        told = visitor.get("/uptime").text
        assert "Degraded performance" in told
        assert "Major outage" not in told

    def test_is_for_staff(self, client: Client, incident: Incident) -> None:
        answer = client.post(_url("update", incident.pk), {"phase": "identified", "body": "More."})

        assert answer.status_code == 302
        assert "/desk/login/" in answer.headers["Location"]

    def test_of_an_internal_incident_shows_customers_none_of_it(
        self, desk: Client, public_root: Path
    ) -> None:
        secret = operations.declare_incident(
            title="Secret", severity=Severity.SEV2, at=timezone.now() - HOUR, author=None,
            visibility=Visibility.INTERNAL,
        )  # fmt: skip

        shown = desk.post(_url("update", secret.pk), {"phase": "identified", "body": "More."})

        assert "Secret" not in shown.context["imagined"][0].front
        assert shown.context["imagined"][0].story == ""
