"""Hooks, and what is kept of what they refused."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from incidents import operations, queries
from incidents.inbound import NotJson, SecretMissing
from incidents.models import AlertHook, AlertRefusal
from incidents.values import AlertProvider, Severity, Visibility
from tests.factories import MINUTE, NOON, ComponentFactory, ResponderFactory
from tests.incidents.payloads import group, told

pytestmark = pytest.mark.django_db


def _add(**changes: Any) -> tuple[AlertHook, str]:
    said: dict[str, Any] = {
        "name": "Prometheus",
        "provider": AlertProvider.ALERTMANAGER,
        "severity": Severity.SEV2,
        "visibility": Visibility.INTERNAL,
    }
    return operations.add_hook(**said | changes, at=NOON, author=None)


def _refuse(hook: AlertHook | None, *, after: timedelta = timedelta()) -> AlertRefusal | None:
    return operations.note_refusal(
        hook_id=hook.pk if hook else None,
        code=NotJson.code,
        reason=str(NotJson()),
        excerpt="{",
        at=NOON + after,
    )


class TestAToken:
    def test_is_told_once_and_kept_as_its_digest(self) -> None:
        hook, token = _add()

        assert len(token) == 43
        assert hook.token_digest == hashlib.sha256(token.encode()).hexdigest()
        assert queries.hook_of(token) == hook

    @pytest.mark.parametrize("token", ["", "x", "\ud800", "x" * 10_000])
    def test_that_is_none_opens_nothing(self, token: str) -> None:
        _add()

        assert queries.hook_of(token) is None

    def test_is_renewed_and_the_one_before_opens_nothing(self) -> None:
        hook, before = _add()

        _hook, token = operations.renew_token(hook_id=hook.pk)

        assert queries.hook_of(before) is None
        assert queries.hook_of(token) == hook


class TestAHook:
    def test_has_a_name_of_its_own(self) -> None:
        _add()

        with pytest.raises(operations.HookNameTaken):
            _add()

    def test_that_is_private_needs_members(self) -> None:
        with pytest.raises(operations.PrivateHookNeedsMembers):
            _add(visibility=Visibility.PRIVATE)

        assert not AlertHook.objects.exists()

    def test_what_came_in_at_a_private_one_stays_with_its_members(self) -> None:
        hook, _token = _add(visibility=Visibility.PRIVATE, members=[ResponderFactory.create().pk])
        operations.note_refusal(
            hook_id=hook.pk, code="not-json", reason="No.", excerpt="a leaked key", at=NOON
        )

        with pytest.raises(operations.HookKeepsPrivate):
            operations.edit_hook(
                hook_id=hook.pk, name="All", severity=Severity.SEV2,
                visibility=Visibility.INTERNAL,
            )  # fmt: skip

    def test_that_is_private_is_known_to_its_members(self) -> None:
        member = ResponderFactory.create()
        outsider = ResponderFactory.create(username="outsider")
        chief = ResponderFactory.create(username="chief", is_superuser=True)
        _add(visibility=Visibility.PRIVATE, members=[member.pk])

        seen = [len(queries.hooks(user)) for user in (member, outsider, chief)]

        assert seen == [1, 0, 1]

    def test_of_alertmanager_has_no_secret(self) -> None:
        with pytest.raises(operations.NothingIsSigned):
            _add(signing_secret="x")

    def test_is_edited_and_keeps_its_secret_unless_another_is_given(self) -> None:
        hook, _token = _add(provider=AlertProvider.PAGERDUTY, signing_secret="first")
        component = ComponentFactory.create()
        said = {"name": "Pager", "severity": Severity.SEV1, "visibility": Visibility.PUBLIC}

        operations.edit_hook(hook_id=hook.pk, **said, components=[component.pk])  # type: ignore[arg-type]
        hook.refresh_from_db()
        assert (hook.name, hook.severity, hook.signing_secret) == ("Pager", "sev1", "first")
        assert list(hook.components.all()) == [component]

        operations.edit_hook(hook_id=hook.pk, **said, signing_secret="")  # type: ignore[arg-type]
        hook.refresh_from_db()
        assert hook.signing_secret == ""

    def test_is_removed_unless_alerts_came_by_it(self) -> None:
        used, unused = _add()[0], _add(name="Unused")[0]
        operations.take_in(
            hook_id=used.pk, alerts=told(AlertProvider.ALERTMANAGER, group()), at=NOON
        )
        _refuse(unused)

        operations.remove_hook(hook_id=unused.pk)
        operations.remove_hook(hook_id=unused.pk)
        with pytest.raises(operations.HookHasAlerts):
            operations.remove_hook(hook_id=used.pk)

        assert list(AlertHook.objects.all()) == [used]
        assert not AlertRefusal.objects.exists()


class TestASecret:
    def test_may_be_named_by_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hook, _token = _add(provider=AlertProvider.PAGERDUTY, signing_secret="env:PAGER_SECRET")

        with pytest.raises(SecretMissing):
            queries.signing_secret(hook)
        monkeypatch.setenv("PAGER_SECRET", "from-there")

        assert queries.signing_secret(hook) == "from-there"

    def test_is_itself_otherwise(self) -> None:
        assert queries.signing_secret(_add()[0]) == ""


class TestRefusals:
    def test_are_kept_with_their_reason(self) -> None:
        hook, _token = _add()

        _refuse(hook)

        row = queries.refusals_at(hook).get()
        assert (row.code, row.excerpt, row.received_at) == ("alert-not-json", "{", NOON)
        assert row.reason == "This is not JSON. Send one JSON object in UTF-8."

    def test_of_a_flood_are_kept_thirty_a_minute(self) -> None:
        hook, _token = _add()

        kept = [_refuse(hook) for _number in range(40)]

        assert kept.count(None) == 10
        assert _refuse(hook, after=MINUTE) is not None

    def test_of_a_hook_are_no_others_matter(self) -> None:
        first, second = _add()[0], _add(name="Second")[0]
        for _number in range(31):
            _refuse(first)

        assert _refuse(first) is None
        assert _refuse(second) is not None
        assert _refuse(None) is not None

    def test_are_two_hundred_at_most(self) -> None:
        hook, _token = _add()
        for minute in range(0, 14 * 2, 2):
            for _number in range(15):
                _refuse(hook, after=minute * MINUTE)

        kept = queries.refusals_at(hook)

        assert kept.count() == 200
        assert kept[0].received_at == NOON + 26 * MINUTE
