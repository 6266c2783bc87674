"""How a timeline is looked at: live, filtered, folded, pinned, in the reader's zone."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts.models import User
from incidents import operations
from incidents.models import Incident, TimelineEntry
from tests.factories import HOUR, MINUTE, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

INVALID = 422


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _shown(page: str) -> list[str]:
    """Return the texts of the entries in the list, in order."""
    found = re.findall(r'<div class="entry__text"><p>(.*?)</p>', page)
    return [text.strip() for text in found]


def _stamp(page: str) -> str:
    found = re.search(r'"seen": "([\w-]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def story() -> Incident:
    """Return an incident that is over, with entries of every sort, an hour apart."""
    incident = IncidentFactory.create(over=True, tz="Europe/Amsterdam")
    said: list[tuple[str, dict[str, Any]]] = [
        ("It broke", {"tags": ["storage"], "is_public": True}),
        ("Restarted the proxy", {"tags": ["attempt"], "outcome": "failed"}),
        ("Fetched 10 GB", {"kind": "job"}),
        ("Fetched 20 GB", {"kind": "job"}),
        ("Fetched 30 GB", {"kind": "job"}),
        ("Called the vendor", {"tags": ["vendor", "storage"], "is_pinned": True}),
    ]
    for number, (text, fields) in enumerate(said):
        TimelineEntryFactory.create(incident=incident, text=text, at=NOON + number * HOUR, **fields)
    return incident


class TestLive:
    def test_nothing_new_is_one_question_of_ours(
        self,
        desk: Client,
        incident: Incident,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        url = _url("timeline-live", incident.pk)
        seen = _stamp(desk.get(url).content.decode())

        # Who asks, by session and user; and whether there is news.
        with django_assert_num_queries(3) as captured:
            answer = desk.get(url, {"seen": seen})

        assert (answer.status_code, answer.content) == (204, b"")
        assert "incidents_timelineentry" in captured.captured_queries[-1]["sql"]

    @pytest.mark.parametrize("many", [1, 40])
    def test_the_list_takes_as_many_questions_for_one_entry_or_forty(
        self,
        desk: Client,
        incident: Incident,
        django_assert_num_queries: DjangoAssertNumQueries,
        many: int,
    ) -> None:
        for _number in range(many):
            entry = TimelineEntryFactory.create(incident=incident)
            operations.add_link(
                entry_id=entry.pk, url="https://a.example", caption="", at=NOON, author=None
            )

        with django_assert_num_queries(7):
            desk.get(_url("timeline-live", incident.pk))

    def test_what_changed_is_sent_whatever_it_was(self, desk: Client, incident: Incident) -> None:
        url = _url("timeline-live", incident.pk)
        entry = TimelineEntryFactory.create(incident=incident, text="Restarted the proxy")
        seen = _stamp(desk.get(url).content.decode())

        desk.post(_url("entry-show", entry.pk) + "?to=public&version=1")
        answer = desk.get(url, {"seen": seen})

        assert answer.status_code == 200
        assert 'data-v="2"' in answer.content.decode()

    def test_an_entry_is_the_same_to_everybody_while_its_version_is(
        self, desk: Client, incident: Incident
    ) -> None:
        TimelineEntryFactory.create(incident=incident)
        url = _url("timeline-live", incident.pk)

        # No token and no clock in it: a browser may keep what has not changed.
        assert desk.get(url).content == desk.get(url).content

    def test_a_private_incident_is_news_to_its_members_alone(
        self, desk: Client, incident: Incident, responder: User
    ) -> None:
        url = _url("timeline-live", incident.pk)
        Incident.objects.filter(pk=incident.pk).update(visibility="private")
        incident.members.clear()

        assert desk.get(url).status_code == 404
        incident.members.add(responder)
        assert desk.get(url).status_code == 200


class TestFilters:
    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ({"kind": "job"}, ["Fetched 10 GB", "Fetched 20 GB", "Fetched 30 GB"]),
            ({"tag": "storage"}, ["It broke", "Called the vendor"]),
            ({"outcome": "failed"}, ["Restarted the proxy"]),
            ({"shown_to": "public"}, ["It broke"]),
            ({"pinned": "on"}, ["Called the vendor"]),
            ({"words": "THE vendor"}, ["Called the vendor"]),
            ({"words": "attempt"}, ["Restarted the proxy"]),
            ({"tag": "storage", "words": "vendor"}, ["Called the vendor"]),
            ({"kind": "nonsense"}, []),
        ],
    )
    def test_are_an_address(
        self, desk: Client, story: Incident, asked: dict[str, str], shown: list[str]
    ) -> None:
        page = desk.get(story.get_absolute_url(), asked).content.decode()
        live = desk.get(_url("timeline-live", story.pk), asked).content.decode()

        assert _shown(page) == _shown(live) == shown
        assert f"{len(shown)} of 6 shown" in page

    def test_say_how_many_there_are_of_each(self, desk: Client, story: Incident) -> None:
        page = desk.get(story.get_absolute_url()).content.decode()

        assert "Job (3)" in page
        assert "#storage (2)" in page
        assert "Failed (1)" in page
        assert "Customers (1)" in page

    def test_nothing_found_says_so_with_a_way_out(self, desk: Client, story: Incident) -> None:
        page = desk.get(story.get_absolute_url(), {"words": "moon"}).content.decode()

        assert "No entry fits." in page
        assert "Show all 6" in page

    def test_what_jobs_say_can_be_folded(self, desk: Client, story: Incident) -> None:
        plain = desk.get(story.get_absolute_url()).content.decode()
        folded = desk.get(story.get_absolute_url(), {"fold": "on"}).content.decode()

        assert "3 entries of jobs" not in plain
        assert "3 entries of jobs" in folded
        assert len(_shown(folded)) == 6
        opened, closed = folded.count("<ol"), folded.count("</ol>")
        assert opened == closed


class TestSwitches:
    def test_a_press_shows_an_entry_to_customers_and_can_be_undone(
        self, desk: Client, incident: Incident
    ) -> None:
        entry = TimelineEntryFactory.create(incident=incident, text="The vendor called")
        address = _url("entry-show", entry.pk)

        page = desk.post(f"{address}?to=public&version=1", follow=True).content.decode()
        entry.refresh_from_db()
        assert entry.is_public
        assert "May be told to customers: The vendor called" in page
        assert f"{address}?to=internal&amp;version=2" in page

        desk.post(f"{address}?to=internal&version=2")
        entry.refresh_from_db()
        assert not entry.is_public

    def test_words_that_were_not_read_are_not_shown_to_customers(
        self, desk: Client, incident: Incident
    ) -> None:
        entry = TimelineEntryFactory.create(incident=incident)
        operations.edit_entry(entry_id=entry.pk, at=NOON, author=None, text="A secret")

        desk.post(_url("entry-show", entry.pk) + "?to=public&version=1")

        entry.refresh_from_db()
        assert not entry.is_public

    def test_a_pinned_entry_stands_on_top(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident, text="The password is in the safe")

        desk.post(_url("entry-pin", entry.pk) + "?to=pinned")
        pinned = desk.get(incident.get_absolute_url()).content.decode()
        desk.post(_url("entry-pin", entry.pk) + "?to=loose")
        loose = desk.get(incident.get_absolute_url()).content.decode()

        assert f'<a href="#e{entry.pk}">The password is in the safe</a>' in pinned
        assert 'id="pinned"' not in loose

    def test_goes_back_to_what_was_looked_at(self, desk: Client, story: Incident) -> None:
        entry = story.entries.get(text="It broke")

        answer = desk.post(
            _url("entry-pin", entry.pk) + "?to=pinned",
            {"look": "tag=storage&order=newest&next=https://evil.example"},
        )

        assert "tag=storage" in answer["Location"]
        assert answer["Location"].startswith(story.get_absolute_url())
        assert "evil" not in answer["Location"]

    def test_a_script_gets_word_of_it_alone(self, desk: Client, incident: Incident) -> None:
        entry = TimelineEntryFactory.create(incident=incident, text="A slip")

        answer = desk.post(
            _url("entry-delete", entry.pk) + "?version=1", headers={"HX-Request": "true"}
        )

        word = answer.content.decode()
        assert "Taken off the timeline: A slip" in word
        assert _url("entry-restore", entry.pk) in word
        assert "<html" not in word


class TestZones:
    def _clock(self, page: str, text: str) -> str:
        before = page.split(f"<p>{text}</p>", maxsplit=1)[0]
        clocks: list[str] = re.findall(r'<p class="entry__time">.*?>([\d:]+)</time>', before)
        return clocks[-1]

    @pytest.mark.parametrize(
        ("tz", "clock", "name"),
        [
            ("", "13:00", "Europe/\u200bAmsterdam"),
            ("incident", "13:00", "Europe/\u200bAmsterdam"),
            ("UTC", "12:00", "UTC"),
            ("Asia/Tokyo", "21:00", "Asia/\u200bTokyo"),
            ("Mars/Olympus", "13:00", "Europe/\u200bAmsterdam"),
            ("../../etc/passwd", "13:00", "Europe/\u200bAmsterdam"),
        ],
    )
    def test_times_are_in_the_readers_zone_and_say_so(
        self, desk: Client, story: Incident, tz: str, clock: str, name: str
    ) -> None:
        page = desk.get(story.get_absolute_url(), {"tz": tz}).content.decode()

        assert self._clock(page, "It broke") == clock
        assert f"Times in <strong>{name}</strong>" in page
        assert 'title="2026-01-12 12:00 UTC"' in page
        assert 'datetime="2026-01-12T12:00:00+00:00"' in page

    def test_an_incident_in_utc_offers_utc_once(self, desk: Client) -> None:
        told = IncidentFactory.create(tz="UTC")

        page = desk.get(told.get_absolute_url(), {"tz": "Asia/Tokyo"}).content.decode()

        zones = page[page.index('<p class="row zones">') :]
        assert zones[: zones.index("</p>")].count(">UTC</a>") == 1

    def test_the_browser_remembers_it_until_the_incidents_is_asked_for(
        self, desk: Client, story: Incident
    ) -> None:
        url = story.get_absolute_url()

        desk.get(url, {"tz": "UTC"})
        remembered = desk.get(url).content.decode()
        live = desk.get(_url("timeline-live", story.pk)).content.decode()
        desk.get(url, {"tz": "incident"})
        forgotten = desk.get(url).content.decode()

        assert self._clock(remembered, "It broke") == "12:00"
        assert self._clock(live, "It broke") == "12:00"
        assert self._clock(forgotten, "It broke") == "13:00"

    def test_a_line_is_read_in_the_zone_that_is_shown(self, desk: Client, story: Incident) -> None:
        line = {"line": "2026-01-12 11:30 it was noticed"}

        read = desk.post(_url("entry-read", story.pk) + "?tz=UTC", line).content.decode()
        desk.post(_url("entry-add", story.pk) + "?tz=UTC", line)

        entry = story.entries.get(text="it was noticed")
        assert entry.at == NOON - 30 * MINUTE
        assert entry.tz == "UTC"
        assert "12 Jan 2026, 11:30" in read
        assert ">UTC<" in read

    def test_a_day_stays_the_day_that_was_said(self, desk: Client, story: Incident) -> None:
        TimelineEntryFactory.create(
            incident=story, text="The last backup", precision="day", tz="Europe/Amsterdam",
            at=NOON.replace(day=8, hour=23),
        )  # fmt: skip

        page = desk.get(story.get_absolute_url(), {"tz": "America/New_York"}).content.decode()

        assert "Friday, 9 January 2026" in page
        assert "9 Jan 2026" in page


class TestLines:
    def test_a_line_is_answered_alone(self, desk: Client, incident: Incident) -> None:
        url = _url("entry-line", incident.pk)

        good = desk.post(url, {"line": "-5m restarted <it>", "key": "k1"})
        again = desk.post(url, {"line": "-5m restarted <it>", "key": "k1"})
        bad = desk.post(url, {"line": "+5m restart it"})

        assert (good.status_code, again.status_code, bad.status_code) == (200, 200, INVALID)
        assert incident.entries.filter(text="restarted <it>").count() == 1
        assert "restarted &lt;it&gt;" in good.content.decode()
        assert "+5m is still to come" in bad.content.decode()

    def test_a_line_that_is_too_long_is_refused_with_the_limit(
        self, desk: Client, incident: Incident
    ) -> None:
        answer = desk.post(_url("entry-line", incident.pk), {"line": "x" * 5000})

        assert answer.status_code == INVALID
        assert "An entry has at most 4000 characters, and this is 5000." in answer.content.decode()

    @pytest.mark.parametrize("name", ["entry-line", "entry-add", "entry-read"])
    def test_ten_megabytes_are_refused_with_the_limit(
        self, desk: Client, incident: Incident, name: str
    ) -> None:
        answer = desk.post(_url(name, incident.pk), {"line": "x" * 10_000_000}, follow=True)
        urlencoded = desk.post(
            _url(name, incident.pk),
            "line=" + "x" * 10_000_000,
            content_type="application/x-www-form-urlencoded",
        )

        for refused in (answer, urlencoded):
            assert refused.status_code == 413
            assert "A form takes 2 MiB of text in all" in refused.content.decode()
        assert TimelineEntry.objects.filter(text__startswith="xx").count() == 0

    def test_a_time_that_came_twice_offers_lines_to_send(
        self, desk: Client, incident: Incident
    ) -> None:
        Incident.objects.filter(pk=incident.pk).update(created_at=timezone.now())

        page = desk.post(
            _url("entry-read", incident.pk), {"line": "2025-10-26 02:30 it broke"}
        ).content.decode()

        assert 'data-line="2025-10-26 00:30 UTC it broke"' in page
        assert 'data-line="2025-10-26 01:30 UTC it broke"' in page
