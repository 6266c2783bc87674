"""A tenant looks itself up in a browser; the page that it finds is for everybody to read."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from incidents import operations
from incidents.models import Incident, Tenant
from incidents.operations import Proof, TenantNews
from incidents.values import ImpactKind, ProvenHow, TenantState
from statuspage import publisher
from tests.browser import scenes
from tests.browser.axe import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

MINUTE = timedelta(minutes=1)
HOSTILE = "Grüße & Söhne <b>GmbH</b> with a name that is much longer than any line of a telephone"
ETA = {"place": 3, "eta_basis": "usual speeds"}


@pytest.fixture(params=[True, False], ids=["with script", "without"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


@pytest.fixture
def tenant() -> Tenant:
    return operations.register_tenant(key="tenant:1", name=HOSTILE, at=timezone.now())


def tell(tenant: Tenant, state: TenantState, **more: Any) -> None:
    now = timezone.now()
    incident = scenes.worst_hour(scenes.components(now), now)
    report = incident.progress_reports.get()
    operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.DATA_UNAVAILABLE, began_at=now, at=now,
        author=None, data_from_at=now - 60 * MINUTE,
    )  # fmt: skip
    if state != TenantState.VERIFIED:
        more |= {"eta_low_at": now + 10 * MINUTE, "eta_high_at": now + 20 * MINUTE}
    news = TenantNews(key=tenant.key, state=state, data_until_at=now - 60 * MINUTE, **more)
    operations.report_tenants(key=report.key, tenants=[news], at=now)


def publish() -> None:
    publisher.publish_all()
    publisher.publish_due()


def test_the_code_leads_to_the_page(page: Page, address: str, tenant: Tenant) -> None:
    tell(tenant, TenantState.RESTORED, **ETA)
    publish()

    page.goto(f"{address}/")
    page.get_by_role("link", name="My data").click()
    page.get_by_label("Your code").fill(tenant.spoken_code.upper())
    page.get_by_role("button", name="Look it up").click()

    assert page.url == f"{address}/my/{tenant.lookup_code}"
    expect(page.get_by_role("heading", level=1)).to_contain_text("has not been checked yet")
    expect(page.locator("#mine")).to_contain_text("2 others come before yours.")
    expect(page.locator("#mine")).to_contain_text(HOSTILE)


STATES: list[tuple[TenantState | None, dict[str, Any]]] = [
    (None, {}),
    (TenantState.WAITING, ETA),
    (TenantState.RESTORING, {}),
    (TenantState.RESTORED, ETA),
    (TenantState.VERIFIED, {}),
]


@pytest.mark.parametrize(("state", "more"), STATES, ids=[str(state) for state, _more in STATES])
def test_axe_finds_nothing(
    state: TenantState | None,
    more: dict[str, Any],
    chromium: Browser,
    address: str,
    tenant: Tenant,
) -> None:
    now = timezone.now()
    if state is not None:
        tell(tenant, state, **more)
    operations.report_proof(
        key="database:1",
        proof=Proof(
            name=HOSTILE, taken_at=now - 60 * MINUTE, proven_at=now - 3 * MINUTE,
            proven_how=ProvenHow.RESTORE, proven_until_at=now - 9 * MINUTE,
        ),
        at=now,
    )  # fmt: skip
    publish()
    page = chromium.new_page()
    faults = []
    for path in ("/", "/my", f"/my/{tenant.lookup_code}"):
        page.goto(address + path)
        for width, scheme in ((320, "light"), (390, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            faults += [f"{path} {width} {scheme}: {fault}" for fault in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append(f"{path} {width}: wider than the screen")
            if shots := os.environ.get("HW_SHOTS"):
                name = f"{state}-{path.strip('/')[:2] or 'front'}{len(path)}-{width}.png"
                page.screenshot(path=str(Path(shots) / name), full_page=True)
    page.close()

    assert faults == []


def test_the_page_renews_itself(chromium: Browser, address: str, tenant: Tenant) -> None:
    tell(tenant, TenantState.RESTORED, **ETA)
    publish()
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/my/{tenant.lookup_code}")
    incident = Incident.objects.get()
    key = incident.progress_reports.get().key
    now = timezone.now()

    operations.report_tenants(
        key=key,
        tenants=[TenantNews(key=tenant.key, state=TenantState.VERIFIED, data_until_at=now)],
        at=now,
    )
    publisher.request_tenants(count=1)

    expect(page.get_by_role("heading", level=1)).to_contain_text("checked.", timeout=40_000)
    page.close()
    # Our own server has picked the edition: only a copy has a list of them.
    assert asked.count(f"{address}/my/{tenant.lookup_code}") > 1
    assert not [url for url in asked if url.endswith(".editions.json")]
