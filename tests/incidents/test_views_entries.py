"""The page of an entry: conflicts shown, history with its differences, times as exact as known."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from incidents import operations, queries
from incidents.models import Incident, TimelineEntry
from incidents.values import Precision, When
from tests.factories import HOUR, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

CONFLICT, INVALID = 409, 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture
def entry(incident: Incident) -> TimelineEntry:
    return TimelineEntryFactory.create(incident=incident, text="Restarted the proxy")


def _form(entry: TimelineEntry, **typed: object) -> dict[str, object]:
    """Return what a browser sends for this entry in Amsterdam, with some of it changed."""
    said = {
        "text": entry.text,
        "precision": entry.precision,
        "starts": "2026-01-12T13:00",
        "version": entry.version,
        "tags": " ".join(entry.tags),
    }
    return said | typed


class TestConflicts:
    @pytest.fixture
    def changed(self, entry: TimelineEntry, responder: User) -> TimelineEntry:
        """Let somebody else change text and tags while the form is open."""
        return operations.edit_entry(
            entry_id=entry.pk,
            at=NOON + HOUR,
            author=responder,
            text="Restarted both proxies",
            tags=["proxy"],
            reason="there are two",
            version=1,
        )

    def test_both_are_shown_and_nothing_is_overwritten(
        self, desk: Client, entry: TimelineEntry, changed: TimelineEntry
    ) -> None:
        answer = desk.post(
            _url("entry-edit", entry.pk), _form(entry, text="Restarted the <proxy> twice")
        )

        page = answer.content.decode()
        entry.refresh_from_db()
        assert answer.status_code == CONFLICT
        assert (entry.text, entry.version) == ("Restarted both proxies", 2)
        # What was typed, what stands there now, and what they changed, by whom and why.
        assert "Restarted the &lt;proxy&gt; twice</textarea>" in page
        assert "<p>Restarted both proxies</p>" in page
        assert "<del>the</del><ins>both</ins> <del>proxy</del><ins>proxies</ins>" in page
        assert "Robin Responder: there are two" in page
        assert 'name="version" value="2"' in page

    def test_saved_over_it_knowingly_takes_back_only_what_was_typed(
        self, desk: Client, entry: TimelineEntry, changed: TimelineEntry
    ) -> None:
        url = _url("entry-edit", entry.pk)
        page = desk.post(url, _form(entry, text="Restarted it twice")).content.decode()
        tags = re.search(r'name="tags" value="([^"]*)"', page)
        starts = re.search(r'name="starts" value="([^"]*)"', page)
        assert tags is not None
        assert starts is not None

        desk.post(
            url,
            {
                "text": "Restarted it twice",
                "version": 2,
                "tags": tags[1],
                "starts": starts[1],
                "precision": "minute",
            },
        )

        entry.refresh_from_db()
        assert (entry.text, entry.tags, entry.at) == ("Restarted it twice", ["proxy"], NOON)
        assert entry.version == 3

    def test_a_third_change_is_a_conflict_again(
        self, desk: Client, entry: TimelineEntry, changed: TimelineEntry
    ) -> None:
        operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text="Restarted all")

        answer = desk.post(_url("entry-edit", entry.pk), _form(entry, text="Mine", version=2))

        assert answer.status_code == CONFLICT

    def test_an_entry_that_changed_is_not_deleted_unseen(
        self, desk: Client, entry: TimelineEntry, changed: TimelineEntry
    ) -> None:
        answer = desk.post(_url("entry-delete", entry.pk) + "?version=1", follow=True)

        entry.refresh_from_db()
        assert entry.deleted_at is None
        assert "Somebody else has changed this meanwhile" in answer.content.decode()


class TestHistory:
    def test_shows_each_change_with_who_when_and_why(
        self, desk: Client, entry: TimelineEntry, responder: User
    ) -> None:
        operations.edit_entry(
            entry_id=entry.pk,
            at=NOON + HOUR,
            author=responder,
            text="Restarted <both> proxies",
            when=When(at=NOON - HOUR, until=NOON),
            tags=["proxy"],
            outcome="failed",
            milestone="mitigated",
            is_public=True,
            reason="looked at the log",
        )

        page = unescape(desk.get(_url("entry-edit", entry.pk)).content.decode())
        history = re.sub(r"\s+", " ", re.sub(r"</?time[^>]*>", "", page.split('id="history"')[1]))

        assert "Robin Responder: looked at the log" in history
        assert "<ins><both></ins>" in history
        assert "12 Jan 2026, 13:00</del>" in history
        assert "12 Jan 2026, 12:00 – 13:00</ins>" in history
        assert "<ins>#proxy</ins>" in history
        assert "<ins>Failed</ins>" in history
        assert "<ins>Mitigated</ins>" in history
        assert "<del>staff only</del><ins>customers</ins>" in history

    def test_what_somebody_typed_is_never_markup(self, desk: Client, entry: TimelineEntry) -> None:
        operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text="<script>x</script>")

        page = desk.get(_url("entry-edit", entry.pk)).content.decode()

        assert "<script>x" not in page
        assert "&lt;script&gt;x&lt;/script&gt;" in page

    def test_a_version_is_brought_back(self, desk: Client, entry: TimelineEntry) -> None:
        operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text="Restarted nothing")

        desk.post(_url("entry-revert", entry.pk, 1) + "?version=2")

        entry.refresh_from_db()
        assert entry.text == "Restarted the proxy"

    def test_a_version_is_not_brought_back_over_what_was_not_seen(
        self, desk: Client, entry: TimelineEntry
    ) -> None:
        for text in ("Restarted nothing", "Restarted all"):
            operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text=text)

        answer = desk.post(_url("entry-revert", entry.pk, 1) + "?version=2", follow=True)

        entry.refresh_from_db()
        assert entry.text == "Restarted all"
        assert "Somebody else has changed this meanwhile" in answer.content.decode()
        assert desk.post(_url("entry-revert", entry.pk, 9)).status_code == 404


class TestTimes:
    @pytest.mark.parametrize(
        ("precision", "at"),
        [
            (Precision.HOUR, "2026-02-14T09:30:00+00:00"),
            (Precision.DAY, "2026-02-13T23:00:00+00:00"),
            (Precision.MONTH, "2026-01-31T23:00:00+00:00"),
            (Precision.QUARTER, "2025-12-31T23:00:00+00:00"),
            (Precision.YEAR, "2025-12-31T23:00:00+00:00"),
        ],
    )
    def test_a_time_is_made_as_coarse_as_it_is_known(
        self, desk: Client, entry: TimelineEntry, precision: str, at: str
    ) -> None:
        desk.post(
            _url("entry-edit", entry.pk),
            _form(entry, precision=precision, starts="2026-02-14T10:30"),
        )

        entry.refresh_from_db()
        assert entry.at is not None
        assert (entry.precision, entry.at.isoformat()) == (precision, at)

    def test_a_coarse_time_is_left_alone_by_an_edit_of_the_text(
        self, desk: Client, incident: Incident
    ) -> None:
        # The month was said in New York; the incident is in Amsterdam.
        entry = TimelineEntryFactory.create(
            incident=incident, at=NOON.replace(month=2, day=1, hour=5), precision="month",
            tz="America/New_York", said="February 2026",
        )  # fmt: skip
        url = _url("entry-edit", entry.pk)
        shown = re.search(r'name="starts" value="([^"]*)"', desk.get(url).content.decode())
        assert shown is not None
        assert shown[1] == "2026-02-01T00:00"

        desk.post(
            url,
            {"text": "new", "precision": "month", "starts": shown[1], "said": entry.said},
        )

        entry.refresh_from_db()
        assert (entry.text, entry.said, entry.precision) == ("new", "February 2026", "month")
        assert queries.revisions(entry).get().data["at"] == "2026-02-01T05:00:00Z"
        assert entry.at == NOON.replace(month=2, day=1, hour=5)

    def test_a_time_may_turn_out_to_be_unknown(self, desk: Client, entry: TimelineEntry) -> None:
        desk.post(
            _url("entry-edit", entry.pk), _form(entry, precision="unknown", said="that night")
        )

        entry.refresh_from_db()
        assert (entry.at, entry.precision, entry.said) == (None, "unknown", "that night")

    def test_a_time_that_came_twice_is_asked_about(
        self, desk: Client, entry: TimelineEntry
    ) -> None:
        url = _url("entry-edit", entry.pk)
        typed = _form(entry, starts="2025-10-26T02:30")

        asked = desk.post(url, typed)
        desk.post(url, typed | {"which": "second"})

        entry.refresh_from_db()
        assert asked.status_code == INVALID
        assert "02:30 came twice on that day in Europe/Amsterdam" in asked.content.decode()
        assert entry.at is not None
        assert entry.at.isoformat() == "2025-10-26T01:30:00+00:00"

    def test_the_second_of_two_stays_the_second(self, desk: Client, incident: Incident) -> None:
        second = NOON.replace(year=2025, month=10, day=26, hour=1, minute=30)
        entry = TimelineEntryFactory.create(incident=incident, at=second)

        desk.post(_url("entry-edit", entry.pk), {"text": "x", "starts": "2025-10-26T02:30"})

        entry.refresh_from_db()
        assert entry.at == second

    def test_a_time_that_never_was_is_refused(self, desk: Client, entry: TimelineEntry) -> None:
        answer = desk.post(_url("entry-edit", entry.pk), _form(entry, starts="2026-03-29T02:30"))

        assert answer.status_code == INVALID
        assert "the clocks go forward over it" in answer.content.decode()


class TestPlaces:
    def test_an_entry_without_a_time_is_moved(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(
            incident=incident, at=None, precision="unknown", text="Somewhen", position=99
        )
        first = queries.timeline(incident.pk)[0]

        desk.post(
            _url("entry-place", entry.pk) + "?version=1", {"side": "before", "beside": first.pk}
        )

        assert queries.timeline(incident.pk)[0] == entry

    def test_another_incidents_entry_is_no_place(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident, at=None, precision="unknown")
        elsewhere = TimelineEntryFactory.create(incident=IncidentFactory.create())

        answer = desk.post(
            _url("entry-place", entry.pk), {"side": "before", "beside": elsewhere.pk}
        )

        assert answer.status_code == INVALID

    def test_an_entry_with_a_time_has_no_place_to_choose(
        self, desk: Client, entry: TimelineEntry
    ) -> None:
        assert 'id="place"' not in desk.get(_url("entry-edit", entry.pk)).content.decode()


@pytest.mark.parametrize(
    "name", ["entry-edit", "entry-evidence", "entry-delete", "entry-pin", "entry-show"]
)
def test_an_entry_of_a_private_incident_is_for_its_members(
    desk: Client, incident: Incident, responder: User, name: str
) -> None:
    entry = TimelineEntryFactory.create(incident=incident)
    Incident.objects.filter(pk=incident.pk).update(visibility="private")
    incident.members.clear()
    ask = desk.get if name in ("entry-edit", "entry-evidence") else desk.post

    assert ask(_url(name, entry.pk)).status_code == 404
    incident.members.add(responder)
    assert ask(_url(name, entry.pk)).status_code in (200, 302)
