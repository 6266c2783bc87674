"""The Atom feed, against one that a real page served."""

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from pytest_django import Settings

from incidents import operations
from incidents.values import Phase, Severity
from statuspage.models import Page
from statuspage.operations import set_up_page
from statuspage.publisher import publish_all
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def feed(public_root: Path, visitor: Visitor, db: None) -> Element:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    old = operations.declare_incident(
        title="Mail <b>was</b> late",
        severity=Severity.SEV3,
        at=NOON,
        author=None,
        body="Looking & more.",
    )
    operations.declare_incident(
        title="API", severity=Severity.SEV3, at=NOON + HOUR, author=None, body="One."
    )
    for minute in (1, 2):
        operations.post_status_update(
            incident_id=old.pk,
            body="Still <looking>.",
            phase=Phase.INVESTIGATING,
            at=NOON + 2 * HOUR + minute * MINUTE,
            author=None,
        )
    publish_all(now=lambda: NOON + 3 * HOUR)
    return fromstring(visitor.get("/history.atom").body)  # noqa: S314 - our own feed


def _captured(settings: Settings) -> Element:
    path = settings.SHARED_DIR / "examples" / "statuspage-v2" / "github.history.2026-08-22.atom"
    if not path.exists():
        pytest.skip("the captured feed is not on this machine")
    return fromstring(path.read_bytes())  # noqa: S314 - a file that lies beside the project


def test_has_the_structure_of_the_captured_one(feed: Element, settings: Settings) -> None:
    theirs = _captured(settings)

    def names(element: Element) -> list[str]:
        return [child.tag for child in element if child.tag != f"{ATOM}entry"]

    assert names(feed) == names(theirs)
    ours, known = feed.find(f"{ATOM}entry"), theirs.find(f"{ATOM}entry")
    assert ours is not None
    assert known is not None
    assert names(ours) == names(known)
    pattern = r"tag:[a-z.]+,2005:Incident/[0-9]+"
    for element in (ours, known):
        assert re.fullmatch(pattern, element.findtext(f"{ATOM}id") or "")


def test_entries_are_sorted_by_their_newest_update(feed: Element) -> None:
    entries = feed.findall(f"{ATOM}entry")

    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["Mail <b>was</b> late", "API"]
    assert entries[0].findtext(f"{ATOM}published") == "2026-01-12T14:02:00Z"


def test_repeated_phases_are_called_update_and_text_stays_text(feed: Element) -> None:
    content = feed.findtext(f"{ATOM}entry/{ATOM}content") or ""

    assert re.findall("<strong>(.*?)</strong>", content) == ["Update", "Update", "Investigating"]
    assert "Still &lt;looking&gt;." in content


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("language", ["en", "nl", "de", "fr"])
@pytest.mark.django_db
def test_months_speak_the_language_of_the_page(
    language: str, month: int, public_root: Path, visitor: Visitor
) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    Page.objects.update(language=language)
    at = datetime(2026, month, 3, tzinfo=UTC)
    operations.declare_incident(
        title="API", severity=Severity.SEV3, at=at, author=None, body="One."
    )
    publish_all(now=lambda: at)

    feed = fromstring(visitor.get("/history.atom").body)  # noqa: S314 - our own feed
    content = feed.findtext(f"{ATOM}entry/{ATOM}content") or ""

    said = {
        "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "nl": "Jan Feb Mrt Apr Mei Jun Jul Aug Sep Okt Nov Dec",
        "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
        "fr": "Jan Fév Mar Avr Mai Jui Jul Aoû Sep Oct Nov Déc",
    }[language].split()
    assert re.findall("<small>(.*?) ", content) == [said[month - 1]]
