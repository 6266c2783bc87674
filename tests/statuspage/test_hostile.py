"""What people type and what strangers ask for, at its worst: nothing executes, nothing breaks."""

import json
import os
import sys
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from incidents import operations
from incidents.models import Incident
from incidents.values import ComponentStatus, Phase, ProgressPhase, Severity, When
from statuspage import publisher
from statuspage.documents.bodies import as_html
from statuspage.models import Page
from statuspage.operations import set_up_page
from statuspage.publisher.notice import put_notice
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

# Written as text, a colon and all, so that none of it is an address of ours.
MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)><animate onbegin=alert(1)>",
    "<a href='javascript:alert(1)'>x</a><a href=\"data:text/html,<b>\">y</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x><embed src=x>",
    "<style>body{display:none}</style><link rel=stylesheet href=//evil.example/x.css>",
    "<div style='position:fixed'>over everything<table><tr><td>x",
    "<b><i><u>never closed <!-- a comment that never ends",
    "</p></div></main></body></html><h1>after the end</h1>",
    "<<script>script>alert(1)<</script>/script>",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><input name=password autofocus onfocus=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62; &amp;lt; &nbsp; &#0; &#x202e;",
    "]]><!--/notice--><!--notice--> --> <![CDATA[ x ]]> <?xml version='1.0'?>",
    "{{ page.password_hash }} {% load static %} %(name)s {0.__class__}",
]
MARKDOWN = [
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](java&#115;cript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=) [y](vbscript:x) [z](file:///etc/passwd)",
    '[x](https://a.example "onmouseover=alert(1)") [y](<javascript:alert(1)>)',
    '[x](https://a.example"onmouseover="alert(1)) <javascript:alert(1)> <x@y.example>',
    "![x](https://tracker.example/pixel.gif) ![y](javascript:alert(1))",
    "[x][1] ![y][1]\n\n[1]: javascript:alert(1)",
    "| a | b |\n|---|---|\n| <b>1</b> | 2 |",
    "# one\n\n## two\n\n---\n\n> quoted\n\n```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>` **<img src=x onerror=alert(1)>**",
    "https://a.example/\"onmouseover='alert(1)' https://a.example/<script>",
]
# Never as long as this in one place, but this is what a form lets through.
BOMBS = {
    "brackets": "[" * 10_000,
    "links": "[a](" * 2_500,
    "pictures": "![a](<" * 1_600,
    "stars": "*a **b " * 1_400,
    "quotes": "> " * 5_000,
    "numbers": "1. " * 3_333,
    "dashes": "- - " * 2_500 + "x",
    "stairs": "\n".join(" " * 4 * (line % 60) + "- x" for line in range(80)),
    "ticks": "`" * 10_000,
    "backslashes": "\\" * 10_000,
    "tags": "<div>" * 2_000,
    "entities": "&" * 10_000,
    "spaces": "a" + " " * 9_998 + "b",
    "addresses": "http://a.," * 1_000,
    "breaks": "<br>" * 2_500 + "x",
}
ODD = [
    "ends \u202e here and turns what follows",
    "a\u200b\u2066\u2067\u202a\u202bb",
    "zalgo " + "e\u0301\u0316\u0317" * 60,
    "🚨👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "שלום עולם مرحبا بالعالم",
    "\x01\x02\x03\x08\x0b\x0c\x0e\x1f\x7f\x80\x9f\ufffe\uffff",
    "\x020123456789abcdef:0\x03",
]
# What a body may be made of, beside the page's own markup.
BODY = {("p", ""), ("br", ""), ("ul", ""), ("ol", ""), ("li", ""), ("code", ""), ("pre", "")}
BODY |= {("a", "href"), ("a", "rel"), ("a", ""), ("strong", ""), ("em", "")}
Document = Callable[[str], LexborHTMLParser]


def _publish(text: str) -> Incident:
    """Put a text wherever people write, and publish it."""
    short = text[:140]
    group = operations.add_component(name=short, is_group=True, at=NOON)
    part = operations.add_component(name=short, description=text, group_id=group.pk, at=NOON)
    incident = operations.declare_incident(
        title=short,
        severity=Severity.SEV2,
        at=NOON,
        author=None,
        body=text,
        components={part.pk: ComponentStatus.MAJOR_OUTAGE},
    )
    update = operations.post_status_update(
        incident_id=incident.pk,
        body=f"before {text} after",
        phase=Phase.IDENTIFIED,
        at=NOON + MINUTE,
        author=None,
        eta=When(at=NOON + HOUR),
        eta_basis=short,
    )
    operations.correct_status_update(
        update_id=update.pk, body=text, at=NOON + 2 * MINUTE, author=None
    )
    operations.report_progress(
        incident_id=incident.pk,
        key="restore-1",
        title=short,
        progress=operations.Progress(
            phase=ProgressPhase.FETCHING, done=1, total=2, unit="bytes", eta_basis=short
        ),
        at=NOON + 3 * MINUTE,
    )
    publisher.publish_all(now=lambda: NOON + 4 * MINUTE)
    put_notice(text, at=NOON + 4 * MINUTE)
    return incident


def _pages(visitor: Visitor, incident: Incident) -> Iterator[LexborHTMLParser]:
    for path in ("/", "/live", f"/incidents/{incident.public_id}", "/history", "/nowhere"):
        answer = visitor.get(path)
        assert answer.headers["Content-Type"].startswith("text/html")
        yield LexborHTMLParser(answer.text)


def _nodes(document: LexborHTMLParser) -> Iterator[LexborNode]:
    assert document.root is not None
    return (node for node in document.root.traverse(include_text=False) if node.tag)


def _markup(document: LexborHTMLParser) -> set[tuple[str, str]]:
    """Return which elements there are, and which attributes each has somewhere."""
    found: set[tuple[str, str]] = set()
    for node in _nodes(document):
        found |= {(str(node.tag), ""), *((str(node.tag), name) for name in node.attributes)}
    return found


@pytest.mark.django_db
class TestWhatPeopleWrite:
    @pytest.fixture
    def calm(self, visitor: Visitor) -> set[tuple[str, str]]:
        """Give the markup of pages on which nobody wrote anything but words."""
        incident = _publish("plain words")
        found = set().union(*map(_markup, _pages(visitor, incident)))
        operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)
        return found

    @pytest.mark.parametrize("text", MARKUP + MARKDOWN + ODD)
    def test_brings_no_markup_of_its_own(
        self, text: str, visitor: Visitor, calm: set[tuple[str, str]]
    ) -> None:
        incident = _publish(text)
        own = f"{Page.objects.get().url}/"

        for page in _pages(visitor, incident):
            assert _markup(page) <= calm | BODY
            for node in _nodes(page):
                if node.tag == "script":
                    assert str(node.attributes["src"]).startswith("/assets/")
                address = str(node.attributes.get("href") or "")
                if node.tag == "a" and address != own:
                    assert urlsplit(address).scheme in {"", "http", "https", "mailto"}
                    assert urlsplit(address).scheme == "" or "noopener" in str(
                        node.attributes.get("rel")
                    )
                    assert not address.startswith("//")

    @pytest.mark.parametrize("text", MARKUP)
    def test_is_read_as_it_was_written(self, text: str, visitor: Visitor) -> None:
        incident = _publish(text)

        page = LexborHTMLParser(visitor.get(f"/incidents/{incident.public_id}").text)
        heading = page.css_first("h1")

        assert heading is not None
        assert heading.text() == " ".join(text[:140].split())

    @pytest.mark.parametrize("text", MARKUP + ODD)
    def test_breaks_no_document_for_machines(self, text: str, visitor: Visitor) -> None:
        incident = _publish(text)

        feed = ET.fromstring(visitor.get("/history.atom").body)  # noqa: S314 - our own feed
        summary = visitor.get("/api/v2/summary.json").json
        live = visitor.get("/api/status/v1/live.json").json

        assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 1
        assert summary["incidents"][0]["name"] == incident.title
        assert live["notice"] == text
        # What a client prints raw holds no tag but the line break.
        bodies = [update["body"] for update in summary["incidents"][0]["incident_updates"]]
        assert all("<" not in body.replace("<br />", "") for body in bodies)

    @pytest.mark.parametrize("text", ODD)
    def test_turns_no_words_but_its_own(self, text: str, visitor: Visitor) -> None:
        """A character that reverses the text after it must end with the element that it is in."""
        incident = _publish(text)

        for page in _pages(visitor, incident):
            for node in _nodes(page):
                words = node.text(deep=False)
                if any(mark in words for mark in "\u202a\u202b\u202e"):
                    assert _is_isolated(node) or words.startswith("\u2068"), node.html

    def test_ten_thousand_characters_are_all_on_the_incidents_page(self, visitor: Visitor) -> None:
        words = " ".join(f"word{number}" for number in range(1_250))[:10_000]
        incident = _publish("plain words")
        operations.post_status_update(
            incident_id=incident.pk,
            body=words,
            phase=Phase.IDENTIFIED,
            at=NOON + 5 * MINUTE,
            author=None,
        )
        publisher.publish_now(now=lambda: NOON + 6 * MINUTE)

        assert words in visitor.get(f"/incidents/{incident.public_id}").text
        # On the front page it is folded behind its first words.
        folded = LexborHTMLParser(visitor.get("/").text).css_first("details.gist")
        assert folded is not None
        assert words in folded.text()


def _is_isolated(node: LexborNode | None) -> bool:
    while node is not None:
        if node.tag == "bdi" or node.attributes.get("dir") == "auto":
            return True
        node = node.parent
    return False


class TestBombs:
    @pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
    def test_cost_no_more_than_their_length(self, bomb: str) -> None:
        # Lines of Python: a page of brackets once took five thousand for each of them.
        assert _steps(bomb) < 200 * len(bomb)

    @pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
    def test_are_shown_as_something_safe(self, bomb: str) -> None:
        rendered = LexborHTMLParser(f"<main>{as_html(bomb)}</main>")

        assert _markup(rendered) <= BODY | {(tag, "") for tag in ("html", "head", "body", "main")}
        # However deep the lists: the words are there.
        assert rendered.text(strip=True)


def _steps(body: str) -> int:
    """Return how many lines of Python rendering a body takes: the same on every machine."""
    count = 0

    def trace(_frame: Any, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        as_html.__wrapped__(body)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.django_db
class TestWhatStrangersAskFor:
    @pytest.fixture(autouse=True)
    def _published(self, public_root: Path) -> None:
        set_up_page(name="Acme", url="https://status.example", at=NOON)
        publisher.publish_all(now=lambda: NOON)

    @pytest.mark.parametrize(
        "asked",
        ["", '"', 'W/"', "W/", ",,,,", '"a" "b"', "\x00\xff", "-1", '"' * 50_000, "a," * 50_000],
    )
    def test_a_malformed_condition_gets_the_whole_page(self, asked: str, visitor: Visitor) -> None:
        plain = visitor.get("/")

        answer = visitor.get("/", if_none_match=asked)

        assert answer.status == 200
        assert answer.body == plain.body

    @pytest.mark.parametrize("since", ["yesterday", "", "\x00", "Mon, 99 Foo 2026 99:99:99 GMT"])
    def test_a_malformed_date_gets_the_whole_page(self, since: str, visitor: Visitor) -> None:
        assert visitor.get("/", if_modified_since=since).status == 200

    @pytest.mark.parametrize(
        "accepted",
        ["gzip;q=nan", "br;q=-1", ";;;=", "gzip;q=", "*;q=0", "q=1", "\xff", "a," * 20_000],
    )
    def test_an_odd_encoding_gets_what_can_be_read(self, accepted: str, visitor: Visitor) -> None:
        answer = visitor.get("/", accept_encoding=accepted)

        assert answer.status == 200
        assert answer.headers.get("Content-Encoding", "identity") in {"identity", "gzip", "br"}

    def test_unknown_paths_leave_nothing_behind(self, visitor: Visitor) -> None:
        kinds = ["/x{}", "/incidents/{:012d}", "/history/{:04d}-99", "/my/{}", "/api/v2/{}.json"]

        def ask(numbers: range) -> None:
            for number in numbers:
                assert visitor.get(kinds[number % len(kinds)].format(number)).status == 404

        ask(range(1_000))
        tracemalloc.start()
        ask(range(1_000, 2_000))
        warm, _peak = tracemalloc.get_traced_memory()
        ask(range(2_000, 6_000))
        after, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert after - warm < 50_000

    def test_what_cannot_exist_is_not_looked_for(
        self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visitor.get("/")
        looked_at: list[str] = []
        stat = os.stat

        def noting(path: Any, *arguments: Any, **more: Any) -> os.stat_result:
            looked_at.append(os.fspath(path))
            return stat(path, *arguments, **more)

        monkeypatch.setattr(os, "stat", noting)
        for path in ("/x", "/wp-login.php", "/../../etc/passwd", "/incidents/../x", "/a/b/c", "//"):
            assert visitor.get(path).status == 404

        # But whether there is another page, or a new revision, is asked of two files.
        assert {Path(path).name for path in looked_at} <= {"pages.json"}

    @pytest.mark.parametrize("path", ["/\x00", "/" + "a" * 100_000, "/%00", "/\ud800", "/\xff"])
    def test_an_odd_path_is_unknown(self, path: str, visitor: Visitor) -> None:
        assert visitor.get(path).status == 404

    def test_json_says_so_for_programs(self, visitor: Visitor) -> None:
        answer = visitor.get("/api/v2/" + "x" * 10_000)

        assert answer.status == 404
        assert json.loads(answer.body)["code"] == "not-found"
