"""Deeds on the keys of programs: made, looked up, paced, revoked."""

import hashlib
import math
import secrets
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Greatest

from accounts.models import ApiToken

_BYTES = 32
_SHOWN = 6
_MINUTE = timedelta(minutes=1)


def make_token(
    *, user_id: int, name: str, at: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a key for a program; return its row, and the key, which nobody can find out later."""
    key = secrets.token_hex(_BYTES)
    token = ApiToken(
        user_id=user_id,
        name=" ".join(name.split()),
        digest=digest_of(key),
        begins_with=key[:_SHOWN],
        created_at=at,
        expires_at=expires_at,
        paced_until=at,
    )
    token.save(force_insert=True)
    return token, key


def revoke_token(*, token_id: int, at: datetime) -> None:
    """Let a key open nothing from now on. Asked again, nothing happens."""
    ApiToken.objects.filter(pk=token_id, revoked_at__isnull=True).update(revoked_at=at)


def token_of(key: str, *, at: datetime) -> ApiToken | None:
    """Return the token of a key with its user; None if the key opens nothing now."""
    found = ApiToken.objects.good(at=at).select_related("user")
    return found.filter(digest=digest_of(key)).first()


def note_use(token: ApiToken, *, a_minute: int, at: datetime) -> int:
    """Count one request. Return 0, or for how many seconds to wait if there were too many.

    So many are let through in any minute, at once if need be: each takes its share of the minute,
    and who is a whole minute ahead waits. One conditional update, so that any number of
    processes count together.
    """
    share = _MINUTE / a_minute
    latest = at + _MINUTE - share
    counted = ApiToken.objects.filter(pk=token.pk, paced_until__lte=latest).update(
        paced_until=Greatest(F("paced_until"), at) + share, last_used_at=at
    )
    if counted:
        return 0
    ahead = ApiToken.objects.values_list("paced_until", flat=True).get(pk=token.pk)
    return max(1, math.ceil((ahead - latest).total_seconds()))


def digest_of(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()
