"""Where tenants' documents lie: by a code, by nothing else, and written when they change."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Tenant
from incidents.operations import Progress, TenantNews
from incidents.values import ProgressPhase, Severity, TenantState
from statuspage import publisher
from statuspage.models import Page
from statuspage.serving.directory import folder_of
from tests.factories import MINUTE, NOON
from tests.statuspage.conftest import Answer, Visitor
from tests.statuspage.tenants import incident_with_restore, publish, tell

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


class TestLookup:
    @pytest.mark.parametrize("typed", ["{}", "%20{}%20", "{}".upper()])
    def test_the_form_leads_to_the_tenants_page(
        self, typed: str, acme: Tenant, visitor: Visitor
    ) -> None:
        publish()
        code = acme.spoken_code.upper() if typed.isupper() else acme.spoken_code

        answer = visitor.get(f"/my?code={typed.format(code)}")

        assert answer.status == 303
        assert answer.headers["Location"] == f"/my/{acme.lookup_code}"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert visitor.get(answer.headers["Location"]).status == 200

    def test_without_a_code_it_is_the_form(self, visitor: Visitor) -> None:
        publish()

        for address in ("/my", "/my?utm=mail"):
            page = visitor.get(address)
            assert page.status == 200
            assert '<form class="card stack lookup" method="get" action="/my">' in page.text
        assert visitor.get("/my?code=").headers["Location"] == "/my"
        assert visitor.get("/my?code=" + "&a=" * 500).status == 303

    def test_what_is_typed_cannot_lead_elsewhere(self, visitor: Visitor) -> None:
        publish()

        for typed in ("//evil.example", "%0d%0aSet-Cookie:x=1", "..%2f..%2fdesk", "é" * 50):
            where = visitor.get(f"/my?code={typed}").headers["Location"]
            assert re.fullmatch(r"/my(/[0-9a-z]{1,32})?", where)

    def test_an_unknown_code_is_an_unknown_address(self, acme: Tenant, visitor: Visitor) -> None:
        publish()
        wrong = acme.lookup_code[::-1]

        assert visitor.get(f"/my/{wrong}") == visitor.get("/nothing-here")
        assert visitor.get(f"/my/{wrong}/") == visitor.get("/nothing-here/")
        unknown = visitor.get("/api/nothing.json")
        assert visitor.get(f"/api/status/v1/my/{wrong}.json") == unknown
        assert unknown.status == 404

    def test_is_nobody_elses_and_is_kept_by_nobody(self, acme: Tenant, visitor: Visitor) -> None:
        publish()

        for address in (f"/my/{acme.lookup_code}", f"/api/status/v1/my/{acme.lookup_code}.json"):
            headers = visitor.get(address).headers
            assert headers["Cache-Control"] == "private, max-age=10"
            assert headers["X-Robots-Tag"] == "noindex"
            assert headers["Referrer-Policy"] == "no-referrer"


class TestEnumeration:
    def test_a_code_stands_in_its_own_documents_and_nowhere_else(
        self, public_root: Path, acme: Tenant
    ) -> None:
        other = operations.register_tenant(key="tenant:2", name="Borealis", at=NOON)
        incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}), (other.key, TenantState.RESTORING, {}))
        publish()
        folder = folder_of(public_root, "main")
        served = [path for path in folder.rglob("*") if path.is_file()]

        holding = {
            path.relative_to(folder).as_posix()
            for path in served
            if acme.lookup_code in path.read_bytes().decode("latin-1")
            or "Acme" in path.read_bytes().decode("latin-1")
        }

        # The publisher's own memory is not served, and nobody else may read it.
        assert holding == {
            f"archive/my/{acme.lookup_code}.html",
            f"archive/api/status/v1/my/{acme.lookup_code}.json",
            "tenants/known.json",
        }
        assert (folder / "tenants/known.json").stat().st_mode & 0o077 == 0

    def test_the_publishers_memory_is_not_served(self, acme: Tenant, visitor: Visitor) -> None:
        publish()

        for path in ("/tenants/known.json", "/tenants/head.json", "/my/", "/api/status/v1/my/"):
            assert visitor.get(path).status in (404, 308)

    def test_a_tenant_sees_no_other(self, acme: Tenant, read: Callable[..., Answer]) -> None:
        other = operations.register_tenant(key="tenant:2", name="Borealis", at=NOON)
        publish()

        assert "Acme" not in read(other).text
        assert acme.lookup_code not in read(other).text

    def test_a_new_code_kills_the_old_address(self, acme: Tenant, visitor: Visitor) -> None:
        publish()
        old = acme.lookup_code
        renewed = operations.renew_lookup_code(tenant_id=acme.pk, at=NOON + MINUTE)
        publisher.request_tenants(count=1, now=lambda: NOON + MINUTE)

        assert visitor.get(f"/my/{old}").status == 404
        assert visitor.get(f"/api/status/v1/my/{old}.json").status == 404
        assert visitor.get(f"/my/{renewed.lookup_code}").status == 200

    def test_a_tenant_that_is_removed_is_gone(self, acme: Tenant, visitor: Visitor) -> None:
        publish()
        assert operations.remove_tenant(key=acme.key)
        assert not operations.remove_tenant(key=acme.key)
        publisher.request_tenants(count=1, now=lambda: NOON + MINUTE)

        assert visitor.get(f"/my/{acme.lookup_code}").status == 404
        assert visitor.get(f"/api/status/v1/my/{acme.lookup_code}.json").status == 404

    def test_a_page_without_my_data_has_none_of_it(self, acme: Tenant, visitor: Visitor) -> None:
        publish()
        Page.objects.update(has_my_data=False)
        publish(MINUTE)

        assert visitor.get(f"/my/{acme.lookup_code}").status == 404
        assert visitor.get("/my").status == 404
        assert "/my" not in visitor.get("/").text


class TestCost:
    MANY = 10_000

    def _registered(self, count: int) -> None:
        names = {f"tenant:{number}": f"Customer {number}" for number in range(count)}
        operations.register_tenants(names=names, at=NOON)

    def _lying(self, public_root: Path) -> dict[str, int]:
        folder = folder_of(public_root, "main") / "archive" / "my"
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.html")}

    def test_ten_thousand_are_left_to_the_beat_and_cost_no_more_queries(
        self, public_root: Path
    ) -> None:
        queries = []
        for count in (500, self.MANY):
            self._registered(count)
            publisher.request_tenants(count=count, now=lambda: NOON)
            publisher.publish_now(now=lambda: NOON)
            with CaptureQueriesContext(connection) as asked:
                assert publisher.publish_due(now=lambda: NOON + SECOND)
            queries.append(len(asked))

        assert queries[0] == queries[1]
        assert len(self._lying(public_root)) == self.MANY

    def test_many_restores_cost_no_more_queries_on_a_page_of_few_components(
        self, public_root: Path, acme: Tenant
    ) -> None:
        Page.objects.first_page(at=NOON)
        Page.objects.update(shows_everything=False)
        asked = []
        for count in (1, 5):
            for number in range(count):
                incident = operations.declare_incident(
                    title="Down", severity=Severity.SEV1, at=NOON, author=None, body="We look."
                )
                operations.report_progress(
                    incident_id=incident.pk, key=f"restore-{count}-{number}", title="Restore",
                    progress=Progress(phase=ProgressPhase.FETCHING), at=NOON,
                )  # fmt: skip
                operations.report_tenants(
                    key=f"restore-{count}-{number}", at=NOON,
                    tenants=[TenantNews(key=acme.key, state=TenantState.RESTORING)],
                )  # fmt: skip
            publish(count * SECOND)
            publisher.request_tenants(count=1, now=lambda: NOON + 10 * SECOND)
            with CaptureQueriesContext(connection) as captured:
                publisher.request_tenants(count=1, now=lambda: NOON + 10 * SECOND)
            asked.append(len(captured))

        assert asked[0] == asked[1]

    def test_only_what_changed_is_written(self, public_root: Path) -> None:
        self._registered(500)
        incident_with_restore()
        tell(*[(f"tenant:{n}", TenantState.RESTORING, {}) for n in range(500)])
        publish()
        before = self._lying(public_root)
        changed = Tenant.objects.get(key="tenant:7")

        tell((changed.key, TenantState.VERIFIED, {}))
        publisher.request_tenants(count=1, now=lambda: NOON + MINUTE)

        after = self._lying(public_root)
        assert {name for name in after if after[name] != before[name]} == {
            f"{changed.lookup_code}.html"
        }

    def test_a_request_writes_none_of_too_many(self, public_root: Path) -> None:
        publisher.publish_now(now=lambda: NOON)
        self._registered(500)

        publisher.request_tenants(count=1, now=lambda: NOON)
        assert self._lying(public_root) == {}

        assert publisher.publish_due(now=lambda: NOON + SECOND)
        assert len(self._lying(public_root)) == 500
        assert not publisher.publish_due(now=lambda: NOON + SECOND)

    def test_what_could_not_be_written_is_made_up_for(
        self, public_root: Path, acme: Tenant, visitor: Visitor
    ) -> None:
        publisher.publish_now(now=lambda: NOON)
        folder = folder_of(public_root, "main") / "archive" / "my"
        old = acme.lookup_code
        operations.renew_lookup_code(tenant_id=acme.pk, at=NOON)
        folder.rename(folder.with_name("aside"))
        folder.write_text("in the way")
        with pytest.raises(OSError, match=r"exists|directory"):
            publisher.request_tenants(count=1, now=lambda: NOON)
        folder.unlink()
        folder.with_name("aside").rename(folder)

        assert publisher.publish_due(now=lambda: NOON + SECOND)

        acme.refresh_from_db()
        assert visitor.get(f"/my/{acme.lookup_code}").status == 200
        assert visitor.get(f"/my/{old}").status == 404

    def test_no_revision_carries_them(self, public_root: Path) -> None:
        self._registered(20)
        publish()
        folder = folder_of(public_root, "main")
        manifest = json.loads((folder / "current" / "manifest.json").read_bytes())

        assert [path for path in manifest["documents"] if path.startswith("/my")] == ["/my"]
