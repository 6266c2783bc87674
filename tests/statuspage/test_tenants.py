"""What one tenant sees of its own data, true by the clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from incidents import operations
from incidents.models import Tenant
from incidents.operations import JobEvent, Progress
from incidents.values import ProgressPhase, ProgressState, TenantState, Visibility
from statuspage.documents import moments
from statuspage.models import Page
from tests.factories import MINUTE, NOON
from tests.statuspage.conftest import Answer, Visitor
from tests.statuspage.tenants import eta, incident_with_restore, publish, restore, tell

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert('&')</script> \x01code\x01 \x02mark\x03 ${name} %(name)s {0} مرحبا"


def when(moment: datetime) -> str:
    return moments.when(moment, UTC, year=True, seconds=True)


class TestStates:
    def test_with_nothing_open_it_says_so(self, acme: Tenant, read: Callable[..., Answer]) -> None:
        publish()

        page = read(acme)

        assert page.status == 200
        assert "Nothing is known here of a restore of your data." in page.text
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
            (
                TenantState.REOPENED,
                {"place": 3} | eta(10, 20),
                ["up to an earlier moment", "You can work.", "2 others come before", "between"],
            ),
            (TenantState.OWN_TURN, eta(1, 2), ["is being brought back now", "It is your turn."]),
            (TenantState.BACK, {}, ["Your data is back, and has been checked."]),
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

    @pytest.mark.parametrize(
        ("state", "ended", "said"),
        [
            (TenantState.BACK, ProgressState.FAILED, "Your data is back"),
            (TenantState.BACK, ProgressState.SUCCEEDED, "Your data is back"),
            (TenantState.REOPENED, ProgressState.FAILED, "has stopped before its end"),
            (TenantState.REOPENED, ProgressState.CANCELLED, "Your data is back"),
        ],
    )
    def test_what_came_back_for_one_stays_back_whatever_becomes_of_the_rest(
        self,
        state: TenantState,
        ended: ProgressState,
        said: str,
        acme: Tenant,
        read: Callable[..., Answer],
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, state, {}), after=MINUTE)
        restore(incident, at=5 * MINUTE, state=ended, phase=ProgressPhase.TENANTS)
        publish(6 * MINUTE)

        page = read(acme, minutes=6).text
        assert said in page
        if state == TenantState.BACK:
            assert f"stood here since {when(NOON + MINUTE)}." in page

    def test_says_since_when_that_is_so_whatever_is_published_meanwhile(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}), after=MINUTE)
        for language, minutes in (("en", 2), ("nl", 3), ("en", 4)):
            Page.objects.update(language=language)
            restore(incident, at=minutes * MINUTE)
            publish(minutes * MINUTE)

        assert f"stood here since {when(NOON + MINUTE)}." in read(acme, minutes=4).text

        restore(incident, at=5 * MINUTE, state=ProgressState.SUCCEEDED, phase=ProgressPhase.READY)
        publish(6 * MINUTE)
        assert "stood here since" not in read(acme, minutes=6).text

    def test_what_is_back_has_been_so_since_the_restore_ended(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.VERIFIED, {}), after=MINUTE)
        restore(incident, at=5 * MINUTE, state=ProgressState.SUCCEEDED, phase=ProgressPhase.READY)
        publish(6 * MINUTE)

        page = read(acme, minutes=6).text
        assert "Your data is back" in page
        assert f"stood here since {when(NOON + 5 * MINUTE)}." in page

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

    @pytest.mark.parametrize(
        ("state", "kind", "said"),
        [
            (TenantState.VERIFIED, "verified_undecided", "Your data is restored and checked."),
            (TenantState.WAITING, "undecided", "Your data waits for a decision of our team."),
            (TenantState.REOPENED, "reopened_undecided", "The rest waits for a decision"),
        ],
    )
    def test_promises_nothing_while_people_have_to_decide(  # noqa: PLR0917
        self,
        state: TenantState,
        kind: str,
        said: str,
        acme: Tenant,
        visitor: Visitor,
        read: Callable[..., Answer],
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, state, {}), after=MINUTE)
        operations.report_event(
            incident_id=incident.pk, key="restore-1", title="Database restore", number=1,
            event=JobEvent.DECIDING, at=NOON + MINUTE,
            progress=Progress(phase=ProgressPhase.TENANTS, state=ProgressState.PAUSED),
        )  # fmt: skip
        publish(2 * MINUTE)

        page = read(acme, minutes=60).text

        assert said in page
        for untrue in ("opens together with the rest", "free hand", "The rest follows", "No news"):
            assert untrue not in page
        assert f"stood here since {when(NOON + MINUTE)}." in page
        twin = visitor.get(f"/api/status/v1/my/{acme.lookup_code}.json").json
        assert twin["state"] == kind

    def test_tells_nothing_of_an_incident_that_is_not_public(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident_with_restore(visibility=Visibility.INTERNAL)
        tell((acme.key, TenantState.RESTORING, {}))
        publish()

        page = read(acme).text
        # It runs all the same, so the page must not say that none does.
        assert "Nothing is known here of a restore of your data." in page
        assert "Tours do not open" not in page

    def test_a_restore_that_outlives_its_incident_is_told_to_its_end(
        self, acme: Tenant, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORING, {}))
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + MINUTE, author=None
        )
        publish(MINUTE)
        assert "Your data is being restored." in read(acme, minutes=1).text

        tell((acme.key, TenantState.VERIFIED, {}), after=2 * MINUTE)
        restore(incident, at=2 * MINUTE, state=ProgressState.SUCCEEDED, phase=ProgressPhase.READY)
        publish(2 * MINUTE)
        assert "Your data is back, and has been checked." in read(acme, minutes=2).text

    def test_what_could_not_be_counted_is_never_said_to_be_checked(
        self, acme: Tenant, visitor: Visitor, read: Callable[..., Answer]
    ) -> None:
        incident = incident_with_restore()
        tell((acme.key, TenantState.RESTORED, {}))
        for minutes, more in enumerate(
            ({}, {"state": ProgressState.SUCCEEDED, "phase": ProgressPhase.READY})
        ):
            restore(incident, at=minutes * MINUTE, **more)
            publish(minutes * MINUTE)

            page = read(acme, minutes=minutes).text
            assert "Your data is restored, and could not be checked in full." in page
            assert "has been checked" not in page
            assert "Everything up to" in page
            twin = visitor.get(f"/api/status/v1/my/{acme.lookup_code}.json").json
            assert twin["state"] == "unchecked"

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

        fresh = read(acme, minutes=24 * 60).text
        assert 'data-ago data-from="' in fresh
        assert "<noscript>" in fresh
        assert "13 January 2026, 13:00 UTC</time>, what follows may no longer be so" in fresh
        assert 'data-ago data-from="' not in read(acme, minutes=25 * 60).text
        assert "This copy is from" in read(acme, minutes=25 * 60).text


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
