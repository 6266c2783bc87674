"""Deeds on the hooks at which monitoring speaks, and what they refused."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.models import User
from incidents.errors import Refused
from incidents.inbound import digest, new_token
from incidents.models import AlertHook, AlertRefusal
from incidents.values import AlertProvider, Severity, Visibility

_REFUSALS_A_MINUTE = 30
_REFUSALS_KEPT = 200


class HookUnknown(Refused):
    code = "alert-token-unknown"
    message = "No hook has this token. Copy the address again, or renew it at the desk."


class HookDisabled(Refused):
    code = "alert-hook-disabled"
    message = "This hook is switched off. Switch it on at the desk, or stop sending to it."


class HookNameTaken(Refused):
    code = "alert-hook-name-taken"
    message = "Another hook has this name. Take a different one."


class HookHasAlerts(Refused):
    code = "alert-hook-has-alerts"
    message = "Alerts of the record came by this hook, so it stays. Switch it off instead."


class PrivateHookNeedsMembers(Refused):
    code = "alert-hook-needs-members"
    message = "Its incidents are private: say who may know of them."


class HookKeepsPrivate(Refused):
    code = "alert-hook-keeps-private"
    message = "What came in here is for its members. Open another hook for what all may know."


class NothingIsSigned(Refused):
    code = "alert-hook-signs-nothing"
    message = "Alertmanager and Grafana sign nothing: leave the secret empty, the token is proof."


def add_hook(
    *,
    name: str,
    provider: AlertProvider,
    severity: Severity,
    visibility: Visibility,
    at: datetime,
    author: User | None,
    components: Collection[int] = (),
    members: Collection[int] = (),
    signing_secret: str = "",
) -> tuple[AlertHook, str]:
    """Open a hook, and return it with its token. Nothing else ever tells the token.

    :raises HookNameTaken: if another one has the name
    :raises PrivateHookNeedsMembers: if nobody could read what it declares
    :raises NothingIsSigned: if there is a secret for a provider that does not sign
    """
    token = new_token()
    hook = AlertHook(
        provider=provider, token_digest=digest(token), created_by=author, created_at=at
    )
    _write(
        hook,
        components,
        members,
        name=name,
        severity=severity,
        visibility=visibility,
        signing_secret=signing_secret,
    )
    return hook, token


def edit_hook(
    *,
    hook_id: int,
    name: str,
    severity: Severity,
    visibility: Visibility,
    components: Collection[int] = (),
    members: Collection[int] = (),
    signing_secret: str | None = None,
) -> AlertHook:
    """Say anew what a hook is called and what its incidents get. None leaves the secret as it is.

    What it has declared so far stays as it is.

    :raises HookNameTaken: if another one has the name
    :raises PrivateHookNeedsMembers: if nobody could read what it declares
    :raises HookKeepsPrivate: if everybody could read what came in while it was private
    :raises NothingIsSigned: if there is a secret for a provider that does not sign
    """
    with transaction.atomic():
        hook = AlertHook.objects.select_for_update().get(pk=hook_id)
        was_private = hook.visibility == Visibility.PRIVATE
        came_in = hook.alerts.exists() or hook.refusals.exists()
        if was_private and visibility != Visibility.PRIVATE and came_in:
            raise HookKeepsPrivate
        _write(
            hook,
            components,
            members,
            name=name,
            severity=severity,
            visibility=visibility,
            signing_secret=hook.signing_secret if signing_secret is None else signing_secret,
        )
    return hook


def renew_token(*, hook_id: int) -> tuple[AlertHook, str]:
    """Give a hook another token, and return both. The one before opens nothing from now on."""
    token = new_token()
    with transaction.atomic():
        hook = AlertHook.objects.select_for_update().get(pk=hook_id)
        hook.token_digest = digest(token)
        hook.save(update_fields=["token_digest"])
    return hook, token


def switch_hook(*, hook_id: int, is_enabled: bool) -> AlertHook:
    """Switch a hook on or off. Off, it answers that it is gone, and takes nothing in."""
    with transaction.atomic():
        hook = AlertHook.objects.select_for_update().get(pk=hook_id)
        hook.is_enabled = is_enabled
        hook.save(update_fields=["is_enabled"])
    return hook


def remove_hook(*, hook_id: int) -> None:
    """Take a hook away for good, with what it refused. Removed twice, it is gone.

    :raises HookHasAlerts: if an alert came by it
    """
    with transaction.atomic():
        hook = AlertHook.objects.select_for_update().filter(pk=hook_id).first()
        if hook is None:
            return
        if hook.alerts.exists():
            raise HookHasAlerts
        hook.delete()


def note_refusal(
    *, hook_id: int | None, code: str, reason: str, excerpt: str, at: datetime
) -> AlertRefusal | None:
    """Keep why something was not taken in, and how it began. None: enough of it has been kept.

    At most thirty a minute and two hundred in all are kept for a hook, so that a flood fills
    nothing; without a hook they are those of addresses that do not exist.
    """
    with transaction.atomic():
        kept = AlertRefusal.objects.filter(hook_id=hook_id)
        if kept.filter(received_at__gt=at - timedelta(minutes=1)).count() >= _REFUSALS_A_MINUTE:
            return None
        row = AlertRefusal(
            hook_id=hook_id,
            code=code,
            reason=reason[:500],
            excerpt=excerpt,
            received_at=at,
        )
        row.save(force_insert=True)
        older = kept.order_by("-received_at", "-pk").values_list("pk", flat=True)[_REFUSALS_KEPT:]
        AlertRefusal.objects.filter(pk__in=list(older)).delete()
    return row


def _write(
    hook: AlertHook, components: Collection[int], members: Collection[int], **said: str
) -> None:
    for name, value in said.items():
        setattr(hook, name, value)
    if hook.visibility == Visibility.PRIVATE and not members:
        raise PrivateHookNeedsMembers
    if hook.signing_secret and hook.provider == AlertProvider.ALERTMANAGER:
        raise NothingIsSigned
    try:
        with transaction.atomic():
            hook.save()
            hook.components.set(components)
            hook.members.set(members)
    except IntegrityError as fault:
        if "name" not in str(fault):
            raise
        raise HookNameTaken from fault
