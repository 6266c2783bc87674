"""Search: what is found, by whom, how it is shown, and that it stays bounded."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from psycopg import sql

from accounts.models import User
from incidents.models import ActionItem, Incident, Postmortem, RootCause
from incidents.models.fields import SEARCHED
from incidents.queries import Part, search_record
from incidents.queries import search as searching
from incidents.queries import words as reading
from incidents.queries.words import NothingToFind, TooCommon, by_index, newest_found, read_words
from incidents.values import EntryKind, Visibility
from tests.factories import NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db


def _page(desk: Client, q: str, **query: Any) -> str:
    return desk.get(reverse("incidents:search"), {"q": q, **query}).content.decode()


def _refs(page: str) -> list[str]:
    return re.findall(r'<p class="small muted">(INC-\d+)', page)


def _entry(text: str, **values: Any) -> Incident:
    incident: Incident = TimelineEntryFactory.create(text=text, **values).incident
    return incident


class TestFinding:
    @pytest.mark.parametrize(
        "typed",
        ["proxy", "PROXY", "restarted proxy", "proxy rest", '"the proxy"', "nothing or proxy",
         "proxy -storage", "the-proxy or proxy"],
    )  # fmt: skip
    def test_reads_words_as_search_boxes_do(self, desk: Client, typed: str) -> None:
        found = _entry("Restarted the proxy by hand")
        _entry("Rebooted the storage")

        assert _refs(_page(desk, typed)) == [found.ref]

    @pytest.mark.parametrize(
        "typed", ["prox by", "proxy -restarted", '"proxy the"', '"the prox"', "ro", "proxy storage"]
    )
    def test_finds_nothing_else(self, desk: Client, typed: str) -> None:
        _entry("Restarted the proxy by hand")

        page = _page(desk, typed)

        assert "Nothing found" in page
        assert _refs(page) == []

    def test_looks_everywhere_in_the_record(self, desk: Client) -> None:
        rows = {
            "quagga": IncidentFactory.create(title="Quagga"),
            "okapi": IncidentFactory.create(summary="It was an okapi"),
            "heron": _entry("a heron"),
            "stork": _entry("a stork", kind=EntryKind.UPDATE),
        }
        for word, model in (("egret", RootCause), ("finch", ActionItem)):
            rows[word] = IncidentFactory.create()
            values: dict[str, Any] = {"kind": "trigger"} if model is RootCause else {}
            model.objects.create(incident=rows[word], text=f"an {word}", created_at=NOON, **values)
        rows["ibis"] = IncidentFactory.create()
        Postmortem.objects.create(
            incident=rows["ibis"], document="x\n" * 500 + "ibis", created_at=NOON
        )

        for word, incident in rows.items():
            page = _page(desk, word)
            assert _refs(page) == [incident.ref], word
            assert re.search(f"<mark>{word}</mark>", page, re.IGNORECASE), word

    def test_narrows_to_a_part_and_to_one_incident(self, desk: Client) -> None:
        named = IncidentFactory.create(title="Proxy")
        entry = _entry("proxy")
        told = _entry("proxy", kind=EntryKind.UPDATE)

        assert _refs(_page(desk, "proxy", part="title")) == [named.ref]
        assert _refs(_page(desk, "proxy", part="update")) == [told.ref]
        assert _refs(_page(desk, "proxy", part="entry")) == [told.ref, entry.ref]
        assert _refs(_page(desk, "proxy", incident=entry.ref.lower())) == [entry.ref]
        assert _refs(_page(desk, "proxy", incident=str(entry.pk))) == [entry.ref]

    def test_those_named_so_stand_first_then_the_newest(self, desk: Client) -> None:
        named = IncidentFactory.create(title="Proxy")
        older, newer = _entry("proxy"), _entry("proxy")

        assert _refs(_page(desk, "proxy")) == [named.ref, newer.ref, older.ref]

    def test_the_short_name_leads_straight_there(self, desk: Client) -> None:
        incident = IncidentFactory.create()

        answer = desk.get(reverse("incidents:search"), {"q": f"inc-{incident.pk}"})

        assert answer["Location"] == incident.get_absolute_url()
        assert "Nothing found" in _page(desk, f"INC-{incident.pk + 1}")

    def test_a_deleted_entry_is_not_found(self, desk: Client) -> None:
        _entry("proxy", deleted_at=NOON)

        assert _refs(_page(desk, "proxy")) == []

    def test_a_long_text_is_found_by_what_it_says_first(self, desk: Client) -> None:
        # PostgreSQL refuses an index of the words of such a text.
        words = " ".join(f"w{number}" for number in range(400_000))
        incident = _entry(words)

        assert _refs(_page(desk, "w1")) == [incident.ref]
        assert _refs(_page(desk, "w399999")) == []
        assert len(words) > SEARCHED


class TestPrivacy:
    def test_nothing_of_a_private_one_is_found_by_others(self, desk: Client) -> None:
        secret = IncidentFactory.create(title="Secret", visibility=Visibility.PRIVATE)
        TimelineEntryFactory.create(incident=secret, text="secret")
        ActionItem.objects.create(incident=secret, text="secret", created_at=NOON)
        RootCause.objects.create(incident=secret, text="secret", kind="trigger", created_at=NOON)
        Postmortem.objects.create(incident=secret, document="secret", created_at=NOON)

        for query in ({}, {"incident": secret.ref}, {"part": "entry"}, {"part": "title"}):
            page = _page(desk, "secret", **query)
            assert "Nothing found" in page
            assert "<mark>" not in page
        assert desk.get(reverse("incidents:search"), {"q": secret.ref}).status_code == 200

    def test_its_members_and_heads_find_it(self, responder: User, desk: Client) -> None:
        secret = _entry("secret", incident__visibility=Visibility.PRIVATE)
        secret.members.add(responder)
        head = User.objects.create_user("head", is_staff=True, is_superuser=True)

        assert _refs(_page(desk, "secret")) == [secret.ref]
        assert search_record("secret", user=head).incident_count == 1


class TestShowing:
    def test_nothing_that_was_written_becomes_markup(self, desk: Client) -> None:
        incident = _entry('<script>alert("proxy")</script> \ue000<b>proxy & co\ue001')
        incident.title = "<i>proxy</i>"
        incident.summary = "<u>proxy</u>"
        incident.save()

        page = _page(desk, "proxy")

        for markup in ("<script>alert", "<b>", "<i>", "<u>"):
            assert markup not in page
        assert "&lt;i&gt;<mark>proxy</mark>&lt;/i&gt;" in page
        assert page.count("<mark>") == page.count("</mark>")

    def test_what_customers_read_is_shown_without_its_markup(self, desk: Client) -> None:
        _entry("We have **all** of the proxy back: [see](https://x.example)", kind=EntryKind.UPDATE)
        _entry("Ran it with ** on the proxy")

        page = _page(desk, "proxy")

        assert ">have all of the <mark>proxy</mark> back: see</span>" in page
        assert "** on the <mark>proxy</mark>" in page

    def test_what_was_typed_does_not_become_markup(self, desk: Client) -> None:
        page = _page(desk, '"><script>x</script> proxy')

        assert "<script>x" not in page

    def test_an_incident_shows_a_few_hits_and_leads_to_the_rest(self, desk: Client) -> None:
        incident = IncidentFactory.create()
        _entry("proxy")
        for number in range(8):
            TimelineEntryFactory.create(incident=incident, text=f"proxy {number}")

        page = _page(desk, "proxy")

        assert page.count('found__hit"') == 1 + 3
        assert "5 more in" in page
        link = re.search(r'href="(\?q=proxy[^"]+)"', page)
        assert link
        whole = desk.get(reverse("incidents:search") + link[1].replace("&amp;", "&"))
        assert whole.content.decode().count('found__hit"') == 8

    def test_pages_of_ten(self, desk: Client) -> None:
        refs = [_entry("proxy").ref for _number in range(13)][::-1]

        assert _refs(_page(desk, "proxy")) == refs[:10]
        assert _refs(_page(desk, "proxy", page="2")) == refs[10:]
        assert "There is nothing further." in _page(desk, "proxy", page="3")
        assert _refs(_page(desk, "proxy", page="x")) == refs[:10]
        assert (
            desk.get(reverse("incidents:search"), {"q": "proxy", "page": "9" * 5000}).status_code
            == 200
        )

    def test_explains_itself_before_anything_is_typed(self, desk: Client) -> None:
        assert "What is searched" in _page(desk, "")


class TestOddWords:
    @pytest.mark.parametrize(
        "typed",
        ['"', "'", '"unclosed', "a & | ! ( b", "proxy:*", ":*", "<->", "\\", "%s %d {0}", "😀",
         "or", "and", "proxy or", "-- x", "a:b:c", "x'y''z", "\u200b", "-proxy -", "ﬁ", "ß" * 200],
    )  # fmt: skip
    def test_are_answered(self, desk: Client, typed: str) -> None:
        _entry("proxy")

        assert desk.get(reverse("incidents:search"), {"q": typed}).status_code in (200, 422)

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("\0proxy", "Null characters are not allowed."),
            ("a" * 10_000, "at most 200 signs"),
            ("-proxy", "at least one word"),
            ("!!!", "at least one word"),
            ("proxy or -storage", "at least one word"),
        ],
    )
    def test_that_cannot_be_searched_for_are_refused(
        self, desk: Client, typed: str, said: str
    ) -> None:
        answer = desk.get(reverse("incidents:search"), {"q": typed})

        assert answer.status_code == 422
        assert said in answer.content.decode()

    def test_an_incident_that_is_none_is_said(self, desk: Client) -> None:
        assert "as in INC-7" in _page(desk, "proxy", incident="the last one")

    def test_a_begun_word_counts_from_three_letters(self) -> None:
        assert str(read_words("proxy re").get_source_expressions()[0].value) == "'proxy' & 're'"
        for typed in ("proxy rest", "rest"):
            assert str(read_words(typed).get_source_expressions()[0].value).endswith("'rest':*")
        for typed in ('"rest"', '"proxy rest', "proxy -rest", "rest."):
            assert ":*" not in str(read_words(typed).get_source_expressions()[0].value)

    def test_words_that_are_not_to_be_there_need_one_that_is(self) -> None:
        with pytest.raises(NothingToFind):
            read_words("-proxy")


class TestBounds:
    @pytest.mark.parametrize("part", [part for part in Part if part is not Part.UPDATE])
    def test_reads_every_table_by_its_index_of_words(self, responder: User, part: Part) -> None:
        names = {
            Part.TITLE: "incident_words",
            Part.ENTRY: "timelineentry_words",
            Part.CAUSE: "rootcause_words",
            Part.ACTION: "actionitem_words",
            Part.POSTMORTEM: "postmortem_words",
            Part.SECTION: "postmortemsection_words",
        }
        rows = searching.matching(read_words("proxy"), user=responder, part=part)

        with by_index():
            plan = rows.values_list("pk").explain()

        assert f"Bitmap Index Scan on {names[part]}" in plan
        assert "Seq Scan on " + rows.model._meta.db_table not in plan

    def test_takes_the_index_by_itself_where_there_are_many(self, responder: User) -> None:
        incident = IncidentFactory.create()
        with connection.cursor() as cursor:
            _fill(cursor, incident.pk, 20_000)
            cursor.execute("analyze incidents_timelineentry")
        words = read_words("alpha beta")

        rows = searching.matching(words, user=responder, part=Part.ENTRY)

        # Both words are common, and no entry has both: the plan does not bet on that.
        with CaptureQueriesContext(connection) as captured:
            found = newest_found(rows.values_list("pk", "incident_id"), most=10, reading=100)
        assert found == ([], True)
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + captured[-1]["sql"])
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Bitmap Index Scan on timelineentry_words" in plan

    def test_of_too_many_the_newest_are_found_and_it_says_so(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(searching, "MOST", 5)
        _let_read(monkeypatch, 7)
        incidents = [_entry("proxy") for _number in range(12)]

        page = _page(desk, "proxy")

        assert _refs(page) == [incident.ref for incident in incidents[:-6:-1]]
        assert "These words are common" in page
        # Few enough to be read, though not to be shown.
        _let_read(monkeypatch, 100)
        assert _refs(_page(desk, "proxy")) == [incident.ref for incident in incidents[:-6:-1]]

    def test_gives_up_before_anybody_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "PATIENCE_MS", 20)

        with pytest.raises(TooCommon), by_index(), connection.cursor() as cursor:
            cursor.execute("select pg_sleep(30)")

    def test_asks_as_much_for_one_as_for_many(self, desk: Client) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                _page(desk, "proxy")
            return len(captured)

        def more() -> None:
            incident = _entry("proxy", incident__title="Proxy")
            ActionItem.objects.create(incident=incident, text="proxy", created_at=NOON)

        more()
        one = queries()
        for _number in range(12):
            more()

        assert queries() == one


def _let_read(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let so many entries be read before their words count as common."""
    entries = replace(searching._TABLES[Part.ENTRY], reading=count)
    monkeypatch.setattr(searching, "_TABLES", {**searching._TABLES, Part.ENTRY: entries})


def _fill(cursor: Any, incident_id: int, count: int) -> None:
    """Copy one entry so often: half say alpha, half beta, none both."""
    TimelineEntryFactory.create(incident_id=incident_id, text="gamma")
    cursor.execute(
        "select column_name from information_schema.columns "
        "where table_name = 'incidents_timelineentry' and column_name not in ('id', 'text')"
    )
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in cursor.fetchall())
    cursor.execute(
        sql.SQL(
            "insert into incidents_timelineentry ({names}, text) "
            "select {names}, case n % 2 when 0 then 'alpha' else 'beta' end || ' ' || n "
            "from incidents_timelineentry, generate_series(1, {count}) n"
        ).format(names=names, count=sql.Literal(count))
    )
