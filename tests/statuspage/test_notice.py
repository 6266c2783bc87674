"""A notice that needs no database."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from incidents import operations
from incidents.values import Severity
from statuspage.publisher import publish_all, publish_now
from tests.factories import MINUTE, NOON
from tests.statuspage.conftest import Visitor


def _notice(*arguments: str) -> str:
    said = StringIO()

    def refuse(*_query: object) -> None:
        raise AssertionError("The database was asked.")

    with connection.execute_wrapper(refuse):
        call_command("emergency_notice", *arguments, stdout=said)
    return said.getvalue()


@pytest.mark.django_db
class TestEmergencyNotice:
    @pytest.fixture(autouse=True)
    def _published(self, public_root: Path) -> None:
        operations.declare_incident(
            title="Tours", severity=Severity.SEV2, at=NOON, author=None, body="Looking."
        )
        publish_all(now=lambda: NOON)

    def test_stands_on_every_page_of_now(self, visitor: Visitor) -> None:
        incident = visitor.get("/api/v2/incidents/unresolved.json").json["incidents"][0]["id"]

        assert "as revision 2." in _notice("We are <away> from all desks.")

        for path in ("/", "/live", f"/incidents/{incident}"):
            page = visitor.get(path)
            assert "We are &lt;away&gt; from all desks." in page.text
            assert page.headers["X-Highwater-Revision"] == "2"
        live = visitor.get("/api/status/v1/live.json").json
        assert live["notice"] == "We are <away> from all desks."

    def test_stands_in_later_editions_too(self, visitor: Visitor) -> None:
        _notice("Away.")
        visitor.clock[0] = (NOON + 60 * MINUTE).timestamp()

        page = visitor.get("/").text

        assert "Away." in page
        assert "This copy is from" in page

    def test_is_kept_when_publishing_works_again(self, visitor: Visitor) -> None:
        _notice("Away.")
        publish_now(now=lambda: NOON + MINUTE)

        assert "Away." in visitor.get("/").text

    def test_can_be_taken_away(self, visitor: Visitor) -> None:
        before = visitor.get("/").text
        _notice("Away.")
        _notice("--clear")

        assert visitor.get("/").text == before
        publish_now(now=lambda: NOON + MINUTE)
        assert "Away." not in visitor.get("/").text


class TestWithoutAPage:
    def test_says_what_to_do(self, public_root: Path) -> None:
        with pytest.raises(CommandError, match="publish_site"):
            call_command("emergency_notice", "Away.")

    def test_wants_words(self, public_root: Path) -> None:
        with pytest.raises(CommandError, match="Say what customers shall read"):
            call_command("emergency_notice", "  ")
