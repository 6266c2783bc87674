"""What one tenant sees of its own data: by its code, by nothing else, and true by the clock."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Incident, Tenant
from incidents.operations import JobEvent, Progress, TenantNews
from incidents.values import ProgressPhase, ProgressState, Severity, TenantState, Visibility
from statuspage import publisher
from statuspage.models import Page
from statuspage.serving.directory import folder_of
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Answer, Visitor

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
HOSTILE = "<script>alert('&')</script> \x01code\x01 \x02mark\x03 ${name} %(name)s {0} مرحبا"


def publish(after: timedelta = timedelta(0)) -> None:
    """Publish as the beat does, in any case."""
    publisher.publish_now(now=lambda: NOON + after)
    publisher.publish_due(now=lambda: NOON + after)


def incident_with_restore(**more: Any) -> Incident:
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=NOON, author=None,
        body="We are looking into it.", **more,
    )  # fmt: skip
    restore(incident)
    return incident


def restore(incident: Incident, *, at: timedelta = timedelta(0), **more: Any) -> None:
    progress: dict[str, Any] = {"phase": ProgressPhase.REPLAYING, "data_until_at": NOON - HOUR}
    operations.report_progress(
        incident_id=incident.pk, key="restore-1", title="Database restore",
        progress=Progress(**progress | more), at=NOON + at,
    )  # fmt: skip


def tell(*told: tuple[str, TenantState, dict[str, Any]], after: timedelta = timedelta(0)) -> None:
    operations.report_tenants(
        key="restore-1",
        tenants=[
            TenantNews(key=key, state=state, data_until_at=NOON - HOUR, **more)
            for key, state, more in told
        ],
        at=NOON + after,
    )


def eta(low: float, high: float) -> dict[str, Any]:
    return {
        "eta_low_at": NOON + low * MINUTE,
        "eta_high_at": NOON + high * MINUTE,
        "eta_basis": "usual speeds",
    }


@pytest.fixture
def acme() -> Tenant:
    return operations.register_tenant(key="tenant:1", name="Acme", at=NOON)


@pytest.fixture
def read(visitor: Visitor) -> Callable[..., Answer]:
    """Give a reader of a tenant's page, at minutes after noon."""

    def reading(tenant: Tenant, *, minutes: float = 0, **headers: str) -> Answer:
        visitor.clock[0] = (NOON + minutes * MINUTE).timestamp()
        return visitor.get(f"/my/{tenant.lookup_code}", **headers)

    return reading


class TestStates:
    def test_with_nothing_open_it_says_so(self, acme: Tenant, read: Callable[..., Answer]) -> None:
        publish()

        page = read(acme)

        assert page.status == 200
        assert "No restore of your data is running." in page.text
        assert "Acme" in page.text

    @pytest.mark.parametrize(
        ("state", "more", "said"),
        [
            (TenantState.WAITING, {"place": 3}, ["waits for its turn", "2 others come before"]),
            (TenantState.RESTORING, eta(10, 20), ["is being restored", "between", "usual speeds"]),
            (TenantState.RESTORED, {"place": 1}, ["has not been checked yet", "Yours is next."]),
            (TenantState.RESTORED, {"place": 750}, ["At most 749 others come before yours."]),
            (TenantState.VERIFIED, {}, ["restored and checked", "opens together with the rest"]),
            (TenantState.ABSENT, {}, ["not in this backup"]),
        ],
    )
    def test_says_how_far_it_is(
        self,
        state: TenantState,
        more: dict[str, Any],
        said: list[str],
        acme: Tenant,
        read: Callable[..., Answer],
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, state, more))
        publish()

        page = read(acme).text

        assert all(words in page for words in [*said, "12 January 2026, 11:00 UTC"])
        assert f'href="/incidents/{incident.public_id}"' in page

    def test_is_back_once_the_restore_is_done(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.VERIFIED, {}))
        publish()
        restore(incident, state=ProgressState.SUCCEEDED, phase=ProgressPhase.READY)
        publish(MINUTE)

        assert "Your data is back, and has been checked." in read(acme, minutes=1).text

    def test_claims_nothing_when_the_restore_stopped(
        self, acme: Tenant, visitor: Visitor, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORED, {"place": 1} | eta(10, 20)))
        publish()
        operations.report_event(
            incident_id=incident.pk, key="restore-1", title="Database restore", number=1,
            event=JobEvent.FAILED, at=NOON + MINUTE,
            progress=Progress(phase=ProgressPhase.VERIFYING, state=ProgressState.FAILED),
        )  # fmt: skip
        publish(MINUTE)

        page = read(acme, minutes=1).text
        assert "has stopped before its end" in page
        assert "Expected" not in page
        twin = visitor.get(f"/api/status/v1/my/{acme.lookup_code}.json").json
        assert (twin["state"], twin["place"], twin["eta_to"]) == ("stopped", None, None)

    def test_tells_nothing_of_an_incident_that_is_not_public(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident_with_restore(visibility=Visibility.INTERNAL)
        tell((acme.key, TenantState.RESTORING, {}))
        publish()

        page = read(acme).text
        assert "No restore of your data is running." in page
        assert "Tours do not open" not in page

    def test_a_page_that_does_not_show_the_incident_does_not_lead_to_it(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}))
        Page.objects.first_page(at=NOON)
        Page.objects.update(shows_everything=False)
        publish()

        page = read(acme).text
        assert "Your data is being restored." in page
        assert incident.public_id not in page
        assert "Tours do not open" not in page


class TestTime:
    """Nobody publishes any more; the documents turn by themselves."""

    def test_an_eta_that_has_passed_says_so(
        self, acme: Tenant, visitor: Visitor, read: Callable[..., Answer]
    ) -> None:
        incident_with_restore()
        tell((acme.key, TenantState.RESTORED, {"place": 1} | eta(0.5, 1)))
        publish()

        assert "That has passed." not in read(acme, minutes=0.9).text
        assert "That has passed." in read(acme, minutes=1).text
        assert visitor.get(f"/api/status/v1/my/{acme.lookup_code}.json").json["eta_passed"]

    def test_a_restore_of_which_nothing_is_heard_says_so(
        self, acme: Tenant, visitor: Visitor, read: Callable[..., Answer]
    ) -> None:
        incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}))
        publish()

        assert "No news since" not in read(acme, minutes=1.9).text
        assert "No news since" in read(acme, minutes=2).text
        twin = f"/api/status/v1/my/{acme.lookup_code}.json"
        assert visitor.get(twin).json["stale"]
        # So it does in each encoding.
        assert read(acme, minutes=0).headers["ETag"] != read(acme, minutes=2).headers["ETag"]
        packed = read(acme, minutes=2, accept_encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip"

    def test_a_restore_that_goes_on_stays_fresh(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}))
        publish()
        for minute in range(1, 6):
            restore(incident, at=minute * MINUTE)
            publish(minute * MINUTE)

        assert "No news since" not in read(acme, minutes=6.9).text
        assert "No news since" in read(acme, minutes=7).text

    def test_a_copy_that_nobody_renews_admits_its_age(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        publish()

        assert 'data-ago data-from="' in read(acme, minutes=24 * 60).text
        assert 'data-ago data-from="' not in read(acme, minutes=25 * 60).text
        assert "This copy is from" in read(acme, minutes=25 * 60).text


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
        Tenant.objects.all().delete()
        publisher.request_tenants(count=1, now=lambda: NOON + MINUTE)

        assert visitor.get(f"/my/{acme.lookup_code}").status == 404

    def test_a_page_without_my_data_has_none_of_it(self, acme: Tenant, visitor: Visitor) -> None:
        publish()
        Page.objects.update(has_my_data=False)
        publish(MINUTE)

        assert visitor.get(f"/my/{acme.lookup_code}").status == 404
        assert visitor.get("/my").status == 404
        assert "/my" not in visitor.get("/").text


class TestHostileNames:
    def test_a_name_is_text(self, visitor: Visitor, read: Callable[..., Answer]) -> None:
        tenant = operations.register_tenant(key="tenant:1", name=HOSTILE, at=NOON)
        incident_with_restore()
        tell((tenant.key, TenantState.RESTORING, eta(10, 20)))
        publish()

        page = read(tenant).text

        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
        assert page.count(tenant.lookup_code) == 1
        twin = visitor.get(f"/api/status/v1/my/{tenant.lookup_code}.json").json
        assert twin["name"] == HOSTILE


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
