"""What customers may not know of any more is gone from everywhere, however old, whatever failed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from incidents import operations
from incidents.models import Component, Incident, Maintenance
from incidents.values import ComponentStatus, Severity, Visibility
from statuspage import publisher
from statuspage.operations import add_page, choose_content, set_up_page
from statuspage.publisher.site import Site
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECRET = "A very secret thing"


class Killed(BaseException):
    """Stands for the end of the process."""


def _over(title: str, *, began: timedelta, part: Component | None = None) -> Incident:
    incident = operations.declare_incident(
        title=title, severity=Severity.SEV2, at=NOON - began, author=None, body="Looking.",
        components={part.pk: ComponentStatus.PARTIAL_OUTAGE} if part else {},
    )  # fmt: skip
    operations.resolve_incident(
        incident_id=incident.pk, body=f"{title} is over.", at=NOON - began + HOUR, author=None
    )
    return incident


def _old_one() -> Incident:
    """Put an incident on record after which came more than a publish reads."""
    incident = _over(SECRET, began=40 * DAY)
    _over("Another of that month", began=41 * DAY)
    for number in range(61):
        _over(f"Later {number}", began=2 * DAY)
    publisher.publish_all(now=lambda: NOON)
    publisher.publish_now(now=lambda: NOON + MINUTE)
    return incident


def _worked_on(title: str, *, told: timedelta) -> Maintenance:
    """Put work that was over long ago on record, so long ago."""
    began = NOON - 400 * DAY
    return operations.schedule_maintenance(
        plan=operations.Plan(title=title), scheduled_for=began, scheduled_until=began + HOUR,
        at=NOON - told, author=None,
    )  # fmt: skip


def _hide(incident: Incident) -> None:
    """Hide it, and die before anybody is asked to publish that."""
    Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.INTERNAL)


def _documents(incident: Incident) -> tuple[str, str]:
    return f"/incidents/{incident.public_id}", f"/api/v2/incidents/{incident.public_id}.json"


def _is_nowhere(root: Path) -> bool:
    files = [file for file in root.rglob("*") if file.suffix in (".html", ".json", ".atom")]
    # Of the revisions, the one that is served.
    current = (root / "current").resolve()
    served = [file for file in files if current in file.parents or root / "archive" in file.parents]
    assert len(served) > 10
    return not any(SECRET in file.read_text() for file in served)


def _publish_all(_page_id: int, *, now: Callable[[], datetime]) -> None:
    publisher.publish_all(now=now)


class TestAnOldIncident:
    def test_that_is_hidden_is_gone(self, page_root: Path, visitor: Visitor) -> None:
        incident = _old_one()
        assert [visitor.get(path).status for path in _documents(incident)] == [200, 200]
        assert SECRET in visitor.get("/history/2025-12").text
        _hide(incident)

        publisher.request_publish(incident.pk, now=lambda: NOON + 2 * MINUTE)

        assert [visitor.get(path).status for path in _documents(incident)] == [404, 404]
        assert "Another of that month" in visitor.get("/history/2025-12").text
        assert _is_nowhere(page_root)

    def test_that_was_hidden_without_a_request_is_gone_within_a_day(
        self, page_root: Path, visitor: Visitor
    ) -> None:
        incident = _old_one()
        _hide(incident)

        publisher.publish_due(now=lambda: NOON + HOUR)
        assert not _is_nowhere(page_root)
        publisher.publish_due(now=lambda: NOON + DAY)

        assert [visitor.get(path).status for path in _documents(incident)] == [404, 404]
        assert _is_nowhere(page_root)
        assert "Another of that month" in visitor.get("/history/2025-12").text


class TestARecentIncident:
    def test_that_was_hidden_without_a_request_is_gone_at_the_next_publish(
        self, page_root: Path, visitor: Visitor
    ) -> None:
        incident = _over(SECRET, began=2 * HOUR)
        publisher.publish_all(now=lambda: NOON)
        assert visitor.get("/history/2026-01").status == 200
        _hide(incident)

        publisher.publish_due(now=lambda: NOON + HOUR)

        assert _is_nowhere(page_root)
        # The only one of its month, which is this month.
        assert visitor.get("/history/2026-01").status == 404
        assert visitor.get("/history").status == 200

    @pytest.mark.parametrize("step", ["_withdraw", "_switch", "_forget_old"])
    def test_is_gone_though_the_publisher_was_killed(
        self, step: str, page_root: Path, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        incident = _over(SECRET, began=2 * HOUR)
        publisher.publish_all(now=lambda: NOON)
        _hide(incident)

        def die(*_arguments: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Site, step, die)
            with pytest.raises(Killed):
                publisher.request_publish(incident.pk, now=lambda: NOON + MINUTE)
        assert publisher.publish_due(now=lambda: NOON + 2 * MINUTE)

        assert [visitor.get(path).status for path in _documents(incident)] == [404, 404]
        assert _is_nowhere(page_root)

    def test_is_read_by_nobody_as_of_the_revision_without_it(
        self, page_root: Path, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        incident = _over(SECRET, began=2 * HOUR)
        publisher.publish_all(now=lambda: NOON)
        _hide(incident)
        before: list[int] = []
        withdraw = Site._withdraw

        def asked_just_before(site: Site, paths: set[str]) -> None:
            before.append(visitor.get(_documents(incident)[0]).status)
            withdraw(site, paths)

        monkeypatch.setattr(Site, "_withdraw", asked_just_before)
        publisher.request_publish(incident.pk, now=lambda: NOON + MINUTE)

        assert before == [200]
        assert visitor.get(_documents(incident)[0]).status == 404


class TestAMaintenance:
    def test_that_was_hidden_long_after_others_changed_is_gone_within_a_day(
        self, page_root: Path, visitor: Visitor
    ) -> None:
        planned = _worked_on(SECRET, told=399 * DAY)
        for number in range(61):
            _worked_on(f"Later {number}", told=DAY)
        publisher.publish_all(now=lambda: NOON)
        publisher.publish_now(now=lambda: NOON + MINUTE)
        path = f"/maintenances/{planned.public_id}"
        assert visitor.get(path).status == 200
        Maintenance.objects.filter(pk=planned.pk).update(visibility=Visibility.INTERNAL)

        publisher.publish_due(now=lambda: NOON + HOUR)
        assert visitor.get(path).status == 200
        publisher.publish_due(now=lambda: NOON + DAY)

        assert visitor.get(path).status == 404
        assert _is_nowhere(page_root)


class TestAPageThatShowsLess:
    @pytest.mark.parametrize("publish", [publisher.publish_page, _publish_all])
    def test_keeps_no_month_of_others(
        self, publish: Callable[..., object], public_root: Path, visitor: Visitor
    ) -> None:
        set_up_page(name="Acme", url="https://a.example", at=NOON)
        page = add_page(slug="beta", name="Beta", url="https://b.example", at=NOON)
        tours, login = ComponentFactory.create(), ComponentFactory.create()
        _over(SECRET, began=60 * DAY, part=tours)
        publisher.publish_all(now=lambda: NOON)
        assert SECRET in visitor.get("/history/2025-11", host="b.example").text

        choose_content(
            page_id=page.pk, shows_everything=False, component_ids=[login.pk],
            has_my_data=False, has_backup_proof=False, at=NOON + MINUTE,
        )  # fmt: skip
        publish(page.pk, now=lambda: NOON + HOUR)

        assert visitor.get("/history/2025-11", host="b.example").status == 404
        assert visitor.get("/history/2025-11", host="a.example").status == 200
        assert _is_nowhere(public_root / "pages" / "beta")
