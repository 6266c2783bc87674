"""A notice that needs no database."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from incidents import operations
from incidents.values import Severity
from statuspage.operations import add_page
from statuspage.publisher import publish_all, publish_due, publish_now
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

    @pytest.mark.parametrize("torn", ["", '{"text": "Aw', "[]", '{"text": "Away."}'])
    def test_that_is_torn_keeps_nobody_from_publishing(
        self, torn: str, page_root: Path, visitor: Visitor, caplog: pytest.LogCaptureFixture
    ) -> None:
        _notice("Away.")
        (page_root / "notice.json").write_text(torn)

        assert publish_due(now=lambda: NOON + 60 * MINUTE)

        assert "Away." not in visitor.get("/").text
        assert "the notice of page main cannot be read" in caplog.text

    def test_is_kept_from_no_page_by_another(self, public_root: Path, visitor: Visitor) -> None:
        for slug in ("aaa", "zzz"):
            add_page(slug=slug, name=slug, url=f"https://{slug}.example", at=NOON)
        publish_all(now=lambda: NOON + MINUTE)
        # Not a page: somebody left it there.
        (public_root / "pages" / "aa" / "targets").mkdir(parents=True)
        blocked = public_root / "pages" / "aaa" / "current" / "manifest.json"
        blocked.write_text("{")

        with pytest.raises(CommandError) as failure:
            _notice("Away.")

        assert "put on page aaa: What is published there is cut short." in str(failure.value)
        assert "page aa:" not in str(failure.value)
        assert "Away." in visitor.get("/").text
        assert "Away." in visitor.get("/", host="zzz.example").text

    def test_is_kept_from_no_page_by_a_stray_folder(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        (public_root / "pages" / "aaa" / "targets").mkdir(parents=True)

        assert "page main, as revision" in _notice("Away.")

        assert "Away." in visitor.get("/").text


class TestWithoutAPage:
    def test_says_what_to_do(self, public_root: Path) -> None:
        with pytest.raises(CommandError, match="publish_site"):
            call_command("emergency_notice", "Away.")

    def test_wants_words(self, public_root: Path) -> None:
        with pytest.raises(CommandError, match="Say what customers shall read"):
            call_command("emergency_notice", "  ")
