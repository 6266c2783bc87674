"""The timeline at the desk: entries written, read, edited, deleted and brought back."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents import queries
from incidents.models import (
    Incident,
    StatusUpdate,
    TimelineEntry,
)
from incidents.values import Visibility
from tests.factories import (
    TimelineEntryFactory,
)

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


class TestEntries:
    def test_a_line_becomes_an_entry(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        answer = desk.post(
            _url("entry-add", incident.pk),
            {"line": "2026-01-12 00:30-06:00 attempts #attempt !failed", "is_public": "on"},
        )

        entry = TimelineEntry.objects.get(text="attempts")
        assert answer["Location"].endswith("#entry")
        assert entry.created_by == responder
        assert entry.tags == ["attempt"]
        assert entry.outcome == "failed"
        assert entry.is_public
        assert entry.at is not None
        assert entry.at.isoformat() == "2026-01-11T23:30:00+00:00"

    def test_a_form_that_is_sent_twice_is_one_entry(self, desk: Client, incident: Incident) -> None:
        for _again in range(2):
            desk.post(_url("entry-add", incident.pk), {"line": "once", "key": "k1"})

        assert incident.entries.filter(text="once").count() == 1

    def test_a_bad_line_stands_there_with_its_answer(
        self, desk: Client, incident: Incident
    ) -> None:
        answer = desk.post(_url("entry-add", incident.pk), {"line": "25:00 it <broke>"})

        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "25:00 is no time of day" in page
        assert 'value="25:00 it &lt;broke&gt;"' in page

    def test_a_milestone_that_is_taken_is_answered(self, desk: Client, incident: Incident) -> None:
        answer = desk.post(_url("entry-add", incident.pk), {"line": "it began *started"})

        assert answer.status_code == INVALID
        assert "marks “Started”. Take it off there first." in answer.content.decode()

    def test_says_how_a_line_is_read(self, desk: Client, incident: Incident) -> None:
        url = _url("entry-read", incident.pk)

        good = desk.get(url, {"line": "2026-01-12 00:14 it broke #db"}).content.decode()
        bad = desk.get(url, {"line": "it broke !broken"}).content.decode()
        empty = desk.get(url, {"line": " "}).content.decode()

        assert "12 Jan 2026, 00:14" in good
        assert "#db" in good
        assert "!broken is not known" in bad
        assert empty.strip() == ""

    def test_the_list_is_sent_again_only_if_it_changed(
        self, desk: Client, incident: Incident
    ) -> None:
        url = _url("timeline-live", incident.pk)
        first = desk.get(url)
        found = re.search(r'"seen": "([\w-]+)"', first.content.decode())
        assert found is not None

        same = desk.get(url, {"seen": found[1]})
        desk.post(_url("entry-add", incident.pk), {"line": "something new"})
        changed = desk.get(url, {"seen": found[1]})

        assert same.status_code == 204
        assert "something new" in changed.content.decode()
        assert "<html" not in changed.content.decode()

    def test_an_entry_is_edited_and_its_history_kept(
        self, desk: Client, incident: Incident
    ) -> None:
        entry = TimelineEntryFactory.create(incident=incident, text="Restarted the proxi")
        url = _url("entry-edit", entry.pk)

        desk.post(
            url,
            {"text": "Restarted the proxy", "starts": "2026-01-12T13:05", "tags": "#Proxy, storage",
             "reason": "a slip"},
        )  # fmt: skip

        entry.refresh_from_db()
        assert entry.text == "Restarted the proxy"
        assert entry.at is not None
        assert entry.at.isoformat() == "2026-01-12T12:05:00+00:00"
        assert entry.tags == ["proxy", "storage"]
        page = desk.get(url).content.decode()
        assert "<del>proxi</del><ins>proxy</ins>" in page
        assert "a slip" in page

    def test_editing_the_text_leaves_the_seconds_of_the_time(
        self, desk: Client, incident: Incident
    ) -> None:
        at = timezone.now()
        entry = TimelineEntryFactory.create(incident=incident, at=at)
        shown = at.astimezone(timezone.get_fixed_timezone(60)).strftime("%Y-%m-%dT%H:%M")

        desk.post(_url("entry-edit", entry.pk), {"text": "new words", "starts": shown})

        entry.refresh_from_db()
        assert entry.text == "new words"
        if at.month in (1, 2, 11, 12):
            assert entry.at == at

    def test_an_entry_without_a_time_keeps_its_words(
        self, desk: Client, incident: Incident
    ) -> None:
        entry = TimelineEntryFactory.create(
            incident=incident, at=None, precision="unknown", said="In the days before"
        )

        desk.post(_url("entry-edit", entry.pk), {"text": "The storage was slow"})

        entry.refresh_from_db()
        assert (entry.text, entry.said, entry.at) == (
            "The storage was slow", "In the days before", None,
        )  # fmt: skip

    def test_a_time_that_runs_backwards_is_answered(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident)

        answer = desk.post(
            _url("entry-edit", entry.pk),
            {"text": "x", "starts": "2026-01-12T13:00", "ends": "2026-01-12T12:00"},
        )

        assert answer.status_code == INVALID
        assert "end is before the start" in answer.content.decode()

    def test_what_customers_read_is_not_edited_behind_their_backs(
        self, desk: Client, incident: Incident
    ) -> None:
        update = StatusUpdate.objects.get()
        assert update.entry is not None

        answer = desk.get(_url("entry-edit", update.entry.pk))

        assert answer["Location"] == _url("update-correct", update.pk)

    def test_a_deletion_can_be_undone(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident, text="A slip")

        deleted = desk.post(_url("entry-delete", entry.pk), follow=True).content.decode()
        entry.refresh_from_db()
        assert entry.deleted_at is not None
        assert "Taken off the timeline: A slip" in deleted
        assert "A slip" in desk.get(_url("entry-deleted", incident.pk)).content.decode()

        desk.post(_url("entry-restore", entry.pk))
        entry.refresh_from_db()
        assert entry.deleted_at is None


class TestWhoMaySeeIt:
    def _page(self, desk: Client, incident: Incident) -> str:
        return desk.get(incident.get_absolute_url()).content.decode()

    def test_the_switch_says_what_it_does(self, desk: Client, incident: Incident) -> None:
        assert "By itself it is on no page." in self._page(desk, incident)

        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.INTERNAL)
        assert "the status page does not show this incident." in self._page(desk, incident)

    def test_nothing_of_an_internal_incident_is_published(
        self, desk: Client, incident: Incident
    ) -> None:
        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.INTERNAL)

        answer = desk.post(
            _url("entry-line", incident.pk),
            {"line": "the vault is open #vault *detected", "is_public": "on", "key": "k"},
        ).content.decode()

        assert "The status page does not show this incident." in answer
        assert "#vault" in answer
        assert "Detected" in answer
        entry = incident.entries.get(text="the vault is open")
        assert entry.is_public
        assert list(queries.public_incidents()) == []
        switched = desk.post(
            _url("entry-show", entry.pk) + "?to=public", headers={"hx-request": "true"}
        ).content.decode()
        assert "but the status page does not show this incident" in switched
