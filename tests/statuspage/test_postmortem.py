"""A postmortem that is published stands beside its incident, and goes when it is taken back."""

from pathlib import Path

import pytest

from incidents import operations, queries
from incidents.models import Incident
from incidents.values import Severity
from statuspage import publisher
from tests.factories import HOUR, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def over() -> Incident:
    author = ResponderFactory.create()
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=NOON, author=author,
        body="We are looking into it.",
    )  # fmt: skip
    operations.resolve_incident(
        incident_id=incident.pk, at=NOON + HOUR, author=author, body="It is over."
    )
    common = {"incident_id": incident.pk, "at": NOON + HOUR}
    section = queries.sections(incident.pk).get(kind="customer")
    operations.edit_section(
        section_id=section.pk, title="What <b>happened</b>", is_public=True, at=NOON + HOUR,
        body="**Sorry** <script>alert(1)</script> [x](javascript:alert(1))", author=author,
    )  # fmt: skip
    operations.ask_for_review(**common, author=author)  # type: ignore[arg-type]
    operations.approve_postmortem(**common, approver=author)  # type: ignore[arg-type]
    operations.publish_postmortem(**common, author=author)  # type: ignore[arg-type]
    return incident


def test_is_read_beside_its_incident_and_withdrawn(
    over: Incident, page_root: Path, visitor: Visitor
) -> None:
    publisher.publish_now(now=lambda: NOON + HOUR)
    address = f"/incidents/{over.public_id}"

    page = visitor.get(f"{address}/postmortem").text

    assert "<strong>Sorry</strong>" in page
    assert "&lt;script&gt;" in page
    assert 'javascript:alert(1)"' not in page
    assert f'href="{address}/postmortem"' in visitor.get(address).text

    operations.withdraw_postmortem(incident_id=over.pk, at=NOON + 2 * HOUR, author=None)
    publisher.publish_now(now=lambda: NOON + 2 * HOUR)

    assert visitor.get(f"{address}/postmortem").status == 404
    assert "/postmortem" not in visitor.get(address).text
