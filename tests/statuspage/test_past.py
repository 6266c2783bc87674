"""What is over: it shows no colours of today, and stands in the order in which it happened."""

from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from incidents import operations
from incidents.models import Incident
from incidents.values import ComponentStatus, Severity
from statuspage import publisher
from statuspage.publisher.notice import put_notice
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def _over(title: str, part: int, *, hours_ago: int) -> Incident:
    began = NOON - hours_ago * HOUR
    incident = operations.declare_incident(
        title=title,
        severity=Severity.SEV2,
        at=began,
        author=None,
        body="Looking.",
        components={part: ComponentStatus.PARTIAL_OUTAGE},
    )
    operations.resolve_incident(
        incident_id=incident.pk, body="Over.", at=began + MINUTE, author=None
    )
    return incident


def test_a_resolved_incident_shows_no_status_of_today(public_root: Path, visitor: Visitor) -> None:
    part = operations.add_component(name="Tours", at=NOON - 9 * HOUR).pk
    old = _over("Yesterday", part, hours_ago=5)
    operations.set_component_status(component_id=part, status=ComponentStatus.MAJOR_OUTAGE, at=NOON)
    publisher.publish_all(now=lambda: NOON)

    page = LexborHTMLParser(visitor.get(f"/incidents/{old.public_id}").text)
    [chip] = page.css("header .chips li")

    assert chip.text() == "Tours"
    assert chip.css_first("svg") is None


def test_the_past_stands_in_its_order(public_root: Path, visitor: Visitor) -> None:
    part = operations.add_component(name="Tours", at=NOON - 30 * HOUR).pk
    late = _over("Began last", part, hours_ago=2)
    early = _over("Began first", part, hours_ago=20)
    # What was said of it last is newer; it is older all the same.
    operations.correct_status_update(
        update_id=early.updates.latest("pk").pk, body="Over, once more.", at=NOON, author=None
    )
    publisher.publish_all(now=lambda: NOON)

    front = visitor.get("/").text

    assert front.index(late.title) < front.index(early.title)


def test_a_notice_stands_on_every_page_of_now(public_root: Path, visitor: Visitor) -> None:
    operations.add_component(name="Tours", at=NOON)
    publisher.publish_all(now=lambda: NOON)

    put_notice("Call us: 555", at=NOON)

    for path in ("/", "/uptime", "/history", "/my", "/nothing-here"):
        assert visitor.get(path).text.count("Call us: 555") == 1, path
    publisher.publish_all(now=lambda: NOON + MINUTE)
    for path in ("/", "/uptime", "/history", "/my", "/nothing-here"):
        assert visitor.get(path).text.count("Call us: 555") == 1, path


def test_what_was_said_last_stands_in_words_alone(public_root: Path, visitor: Visitor) -> None:
    part = operations.add_component(name="Tours", at=NOON - 30 * HOUR).pk
    over = _over("Began first", part, hours_ago=20)
    operations.correct_status_update(
        update_id=over.updates.latest("pk").pk, body="We have **all** back.", at=NOON, author=None
    )
    publisher.publish_all(now=lambda: NOON)

    month = over.started_at and f"/history/{over.started_at:%Y-%m}"
    for path in ("/", month or ""):
        assert "We have all back." in visitor.get(path).text, path
    assert "We have all back." in visitor.get("/history.atom").text
    assert "We have <strong>all</strong> back." in visitor.get(f"/incidents/{over.public_id}").text
