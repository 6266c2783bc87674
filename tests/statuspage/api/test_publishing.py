"""What programs post is on the page when they are answered, by one publish a request."""

import pytest

from incidents.models import Component
from statuspage.publisher import publish
from tests.statuspage.api.conftest import Program
from tests.statuspage.conftest import Visitor


@pytest.mark.django_db(transaction=True)
def test_a_post_is_on_the_page_after_one_publish(
    program: Program, tours: Component, visitor: Visitor
) -> None:
    publish.publish_now()
    before = int(visitor.get("/api/v2/status.json").headers["X-Highwater-Revision"])

    program.post(
        "/incidents",
        {"incident": {"name": "Slow", "components": {tours.public_id: "partial_outage"}}},
    )

    shown = visitor.get("/api/v2/summary.json")
    assert [row["name"] for row in shown.json["incidents"]] == ["Slow"]
    assert int(shown.headers["X-Highwater-Revision"]) == before + 1
