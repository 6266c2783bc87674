"""The list of incidents: its order, its ends, what it is narrowed to, and what it costs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from incidents.models import Incident
from incidents.queries.listing import Narrowing, Place, Stretch, incident_list, named_incident
from incidents.values import IncidentKind, Phase, Severity, Visibility
from tests.factories import HOUR, NOON, ComponentFactory, IncidentFactory

pytestmark = pytest.mark.django_db

SIZE = 4
DAY = 24 * HOUR


def _listed(user: User, *, after: str = "", before: str = "", **narrowing: Any) -> Stretch:
    to = Narrowing(**narrowing)
    return incident_list(user, to, size=SIZE, after=after, before=before)


def _titles(stretch: Stretch) -> list[str]:
    return [incident.title for incident in stretch.incidents]


def _eleven() -> None:
    """Make three that are open and eight that are over, named in the order of the list."""
    for number in range(3):
        IncidentFactory.create(title=f"open {number}", started_at=NOON - number * HOUR)
    for number in range(8):
        # Every second one began at the same moment as the one before.
        at = NOON - (number // 2) * DAY
        IncidentFactory.create(title=f"over {7 - number}", started_at=at, over=True)


def _everything(user: User) -> list[str]:
    stretch, titles = _listed(user), []
    while True:
        titles += _titles(stretch)
        if not stretch.older:
            return titles
        stretch = _listed(user, after=stretch.older)


def _page(desk: Client, **query: str) -> str:
    return desk.get(reverse("incidents:incident-list"), query).content.decode()


class TestOrder:
    def test_open_ones_stand_first_and_each_row_once(self, responder: User) -> None:
        _eleven()

        titles = _everything(responder)

        assert titles[:3] == ["open 0", "open 1", "open 2"]
        assert sorted(titles) == sorted(Incident.objects.values_list("title", flat=True))
        over = Incident.objects.filter(phase=Phase.RESOLVED).newest_first()
        assert titles[3:] == list(over.values_list("title", flat=True))

    def test_the_way_back_shows_what_the_way_there_showed(self, responder: User) -> None:
        _eleven()
        first = _listed(responder)
        second = _listed(responder, after=first.older)
        third = _listed(responder, after=second.older)

        assert _titles(_listed(responder, before=third.newer)) == _titles(second)
        assert _titles(_listed(responder, before=second.newer)) == _titles(first)
        assert first.newer == ""
        assert third.older == ""

    def test_what_is_left_above_is_shown_whole(self, responder: User) -> None:
        _eleven()
        first = _listed(responder)
        second = _listed(responder, after=first.older)
        IncidentFactory.create(title="new", started_at=NOON + HOUR)

        # One more stands above than fits: it is not shown alone, and can be reached.
        above = _listed(responder, before=second.newer)
        assert _titles(above) == _titles(first)
        assert _titles(_listed(responder, before=above.newer))[0] == "new"

    def test_one_whose_beginning_is_not_known_stands_by_when_it_was_written_down(
        self, responder: User
    ) -> None:
        IncidentFactory.create(title="older", started_at=NOON - DAY)
        IncidentFactory.create(title="unknown", started_at=None, created_at=NOON)
        IncidentFactory.create(title="newer", started_at=NOON + DAY)

        assert _titles(_listed(responder)) == ["newer", "unknown", "older"]

    @pytest.mark.parametrize(
        "code",
        ["", "1", "x", "2.0.1", "1.9.9.9", "0.999999999999999999.1", "1.0.1234567890123456789"],
    )
    def test_a_place_that_is_none_is_passed_over(self, responder: User, code: str) -> None:
        IncidentFactory.create(title="the only one")

        assert Place.read(code) is None
        assert _titles(_listed(responder, after=code)) == ["the only one"]
        assert _titles(_listed(responder, before=code)) == ["the only one"]

    def test_a_place_is_read_as_it_was_written(self) -> None:
        at = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        place = Place(is_over=True, began_at=at, pk=7)

        assert Place.read(str(place)) == place

    def test_it_ends_where_nothing_is_older(self, desk: Client) -> None:
        last = Incident.objects.with_beginning().get(pk=IncidentFactory.create(over=True).pk)

        page = _page(desk, after=str(Place.of(last)))

        assert "There is nothing older." in page

    def test_each_stretch_is_read_by_its_index(self, responder: User) -> None:
        IncidentFactory.create_batch(3, over=True)
        place = Place(is_over=True, began_at=NOON + DAY, pk=1)
        with connection.cursor() as cursor:
            cursor.execute("set local enable_seqscan = off")
            cursor.execute("set local enable_sort = off")

        with CaptureQueriesContext(
            connection,
        ) as captured:
            _listed(responder, after=str(place))

        [query] = [
            row["sql"] for row in captured if "ORDER BY" in row["sql"] and "LIMIT" in row["sql"]
        ]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "incident_newest_over" in plan
        assert "Sort" not in plan
        # The place is where the reading begins, not what is read up to it and left out.
        assert re.search(r"Index Cond:.*COALESCE\(started_at, created_at\) <=", plan)


class TestNarrowing:
    def test_each_narrows_by_itself(self, responder: User) -> None:
        tours = ComponentFactory.create(name="Tours")
        plain: dict[str, Any] = {"started_at": NOON, "severity": Severity.SEV2}
        IncidentFactory.create(title="plain", **plain)
        IncidentFactory.create(title="grave", **plain | {"severity": Severity.SEV1})
        IncidentFactory.create(title="drill", kind=IncidentKind.DRILL, **plain)
        IncidentFactory.create(title="inside", visibility=Visibility.INTERNAL, **plain)
        IncidentFactory.create(title="old", **plain | {"started_at": NOON - 30 * DAY})
        IncidentFactory.create(title="past", over=True, **plain)
        IncidentFactory.create(title="known", phase=Phase.IDENTIFIED, **plain)
        IncidentFactory.create(title="of tours", **plain).components.add(tours)
        day = NOON.date()

        narrowed: dict[str, dict[str, Any]] = {
            "grave": {"severity": "sev1"},
            "drill": {"kind": "drill"},
            "inside": {"visibility": "internal"},
            "old": {"until": day - timedelta(days=1)},
            "past": {"state": "resolved"},
            "known": {"state": "identified"},
            "of tours": {"component": tours.pk},
        }
        for title, narrowing in narrowed.items():
            assert _titles(_listed(responder, **narrowing)) == [title]
        assert "past" not in _titles(_listed(responder, state="open"))
        assert _listed(responder, since=day + timedelta(days=1)).incidents == []
        assert _titles(_listed(responder, since=day, until=day, kind="drill")) == ["drill"]

    def test_a_group_stands_for_its_members(self, responder: User) -> None:
        group = ComponentFactory.create(name="Europe", is_group=True)
        member = ComponentFactory.create(name="Storage", group=group)
        other = ComponentFactory.create(name="Elsewhere")
        both = IncidentFactory.create(title="here")
        both.components.add(member, other)
        IncidentFactory.create(title="there").components.add(other)

        assert _titles(_listed(responder, component=group.pk)) == ["here"]

    def test_words_find_titles_and_summaries_and_the_short_name(self, responder: User) -> None:
        named = IncidentFactory.create(title="Tours do not open")
        IncidentFactory.create(title="Slow", summary="The proxy restarted", over=True)

        assert _titles(_listed(responder, words="TOUR")) == ["Tours do not open"]
        assert _titles(_listed(responder, words="proxy rest")) == ["Slow"]
        assert _titles(_listed(responder, words=f"inc-{named.pk}")) == ["Tours do not open"]
        assert _titles(_listed(responder, words="nobody")) == []

    def test_a_private_one_is_for_its_members(self, responder: User, desk: Client) -> None:
        member = User.objects.create_user("member", is_staff=True)
        secret = IncidentFactory.create(title="Secret", visibility=Visibility.PRIVATE)
        secret.members.add(member)

        assert _titles(_listed(responder)) == []
        assert _titles(_listed(responder, words=secret.ref)) == []
        assert _titles(_listed(member)) == ["Secret"]
        assert "Secret" not in _page(desk, visibility="private")

    def test_hidden_ones_are_those_that_are_not_seen(self, responder: User) -> None:
        IncidentFactory.create()
        IncidentFactory.create(visibility=Visibility.PRIVATE)
        IncidentFactory.create(visibility=Visibility.PRIVATE).members.add(responder)
        head = User.objects.create_user("head", is_staff=True, is_superuser=True)

        for user, hidden in ((responder, 1), (head, 0)):
            seen = set(Incident.objects.seen_by(user))
            assert set(Incident.objects.all()) - seen == set(Incident.objects.hidden_from(user))
            assert len(seen) == 3 - hidden


class TestPage:
    def test_says_what_it_is_narrowed_to_and_takes_it_off(self, desk: Client) -> None:
        IncidentFactory.create(title="Tours do not open", severity=Severity.SEV1)

        page = _page(desk, q="tours", severity="sev1", state="")

        assert "Tours do not open" in page
        assert 'href="?severity=sev1"' in page
        assert 'href="?q=tours"' in page
        # What is rare is in sight while it narrows.
        assert re.search(r"<details[^>]*filters__more[^>]* open>", page)
        assert not re.search(r"<details[^>]*filters__more[^>]* open>", _page(desk, q="tours"))

    def test_pages_keep_what_it_is_narrowed_to(self, desk: Client) -> None:
        for number in range(60):
            IncidentFactory.create(title=f"Tours {number}", started_at=NOON - number * HOUR)

        first = _page(desk, q="tours", state="open")
        older = re.search(r'rel="next" href="([^"]+)"', first)
        assert older
        second = desk.get(reverse("incidents:incident-list") + older[1].replace("&amp;", "&"))

        assert "q=tours" in older[1]
        assert "Tours 25<" in second.content.decode()
        assert 'rel="prev"' in second.content.decode()

    def test_what_cannot_be_meant_is_said_and_narrows_nothing(self, desk: Client) -> None:
        IncidentFactory.create(title="Tours do not open")

        page = _page(desk, since="yesterday", severity="sev9", component="x")

        assert "Tours do not open" in page
        assert "Write the day as in 2026-01-12." in page
        assert "before the first one" in _page(desk, since="2026-02-01", until="2026-01-01")
        assert "before 1970 or after 2200" in _page(desk, until="9999-12-31")

    @pytest.mark.parametrize(
        "words",
        ["\0", "-tours", "!!!", '"', "'; drop table", "😀", "a" * 10_000, "(((", ":*", "\\"],
    )
    def test_odd_words_are_answered(self, desk: Client, words: str) -> None:
        assert desk.get(reverse("incidents:incident-list"), {"q": words}).status_code == 200

    def test_says_when_there_is_none(self, desk: Client) -> None:
        assert "No incident so far" in _page(desk)
        IncidentFactory.create()
        assert "No incident fits." in _page(desk, q="nothing like it")

    def test_asks_as_much_for_one_as_for_many(self, desk: Client) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                _page(desk)
            return len(captured)

        tours = ComponentFactory.create()
        IncidentFactory.create().components.add(tours)
        IncidentFactory.create(over=True).components.add(tours)
        one = queries()
        for _number in range(10):
            IncidentFactory.create(over=True).components.add(tours)
            IncidentFactory.create().components.add(ComponentFactory.create())

        assert queries() == one


@pytest.mark.parametrize(
    ("typed", "number"),
    [("INC-7", 7), (" inc 7 ", 7), ("#12", 12), ("inc7", 7), ("7", None), ("INC-", None),
     ("see INC-7", None), ("INC-" + "9" * 19, None), ("INC-\u0667", None)],
)  # fmt: skip
def test_an_incident_is_named_by_its_short_name(typed: str, number: int | None) -> None:
    assert named_incident(typed) == number
