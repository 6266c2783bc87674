"""Questions about alerts, and the hooks by which they come."""

import re

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from credentials import REFERENCE, CredentialsMissing, password
from incidents.inbound import SecretMissing, digest
from incidents.models import Alert, AlertHook, AlertRefusal
from incidents.models.alerts import AlertQuerySet
from incidents.values import AlertState


def hook_of(token: str) -> AlertHook | None:
    """Return the hook that a token opens. What is compared is its digest: nothing is learnt by it.

    None for an empty token.
    """
    return AlertHook.objects.filter(token_digest=digest(token)).first() if token else None


def signing_secret(hook: AlertHook) -> str:
    """Return with what a hook's messages are signed; empty where there is no such secret.

    What it holds may be the name of a place: ``env:NAME``, ``file:PATH`` or ``settings:NAME``.

    :raises SecretMissing: if nothing is at that place
    """
    if not re.match(REFERENCE, hook.signing_secret):
        return hook.signing_secret
    try:
        return password(hook.signing_secret)
    except CredentialsMissing as fault:
        raise SecretMissing(
            "The place that the hook names holds no secret. Put it there, or enter it at the desk."
        ) from fault


def hooks(user: User) -> QuerySet[AlertHook]:
    """Return the hooks that somebody may know of, by name, with ``firing``: how many alerts do."""
    firing = Count("alerts", filter=Q(alerts__state=AlertState.FIRING))
    return AlertHook.objects.seen_by(user).annotate(firing=firing).order_by("name")


def alerts_at(hook: AlertHook, *, user: User) -> AlertQuerySet:
    """Return what came in at a hook, as far as somebody may know of it, the newest first."""
    found: AlertQuerySet = Alert.objects.filter(hook=hook)
    return found.seen_by(user).select_related("incident").newest_first()


def alerts_of(incident_id: int) -> list[Alert]:
    """Return the alerts of an incident, those that fire first, with their hooks: 21 at most."""
    # "firing" stands before "resolved" in the alphabet, too.
    found = Alert.objects.filter(incident_id=incident_id).select_related("hook")
    return list(found.order_by("state", "-starts_at", "-pk")[:21])


def refusals_at(hook: AlertHook | None) -> QuerySet[AlertRefusal]:
    """Return what was not taken in at a hook, or where there is none, the newest first."""
    return AlertRefusal.objects.filter(hook=hook).order_by("-received_at", "-pk")
