"""What all trackers' APIs share: JSON by HTTP, statuses told apart, and proofs of webhooks."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.utils import timezone

from incidents.trackers.base import Fault, TrackerFault, Unproven
from notifications import guarded
from notifications.errors import PlaceAway, Undelivered
from notifications.guarded import Answer

_MOST_QUOTED = 200
_LONGEST_REST = timedelta(hours=1)
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_MISSING = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_REDIRECTS = range(300, 400)
_TAKEN = range(200, 300)
_REFUSED = range(400, 500)


def call(
    method: str,
    address: str,
    *,
    headers: Mapping[str, str],
    send: Any = None,
    secret: str = "",
) -> Any:
    """Send JSON, and return the JSON that comes back; None where the answer is empty.

    :raises TrackerFault: with what is in the way; the secret is struck out of its words
    """
    body = None if send is None else json.dumps(send).encode()
    try:
        answer = guarded.ask(
            method,
            address,
            headers={
                **headers,
                **({"Content-Type": "application/json"} if body is not None else {}),
            },
            body=body,
        )
    except PlaceAway as fault:
        raise TrackerFault(Fault.AWAY, str(fault), after=fault.after) from None
    except Undelivered as fault:
        raise TrackerFault(Fault.INVALID, str(fault)) from None
    _judge(answer, secret)
    if not answer.body.strip():
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise nonsense("its answer is no JSON") from None


def nonsense(what: str) -> TrackerFault:
    """Return the fault of an answer that cannot be one."""
    return TrackerFault(Fault.NONSENSE, f"It answers nonsense: {what}. Is this its API?")


def too_many(marker: str) -> TrackerFault:
    """Return the fault of a project in which too much was created to look through."""
    return TrackerFault(
        Fault.INVALID,
        f"Nobody knows whether the issue was created, and too many others were since. Search for "
        f"{marker} there. Then unlink, and follow what you found or send it again.",
    )


def part(found: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """Return a part of an answer, which has to be there and of this kind.

    :raises TrackerFault: if it is not
    """
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise nonsense(f"there is no “{name}” in its answer")
    return value


def text(found: Any, name: str) -> str:
    """Return a text of an answer; empty where there is none."""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def inner(found: Any, name: str) -> dict[str, Any]:
    """Return an object within an answer; an empty one where there is none."""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def moment(said: Any) -> datetime | None:
    """Return a moment as these APIs write it; None if it is none."""
    if not isinstance(said, str):
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def heard(body: bytes) -> dict[str, Any]:
    """Return the object that a webhook sent.

    :raises Unproven: if it is none
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unproven("This is no JSON object. Let the webhook send application/json.")
    return found


def refuse_unsigned(body: bytes, offered: str, secret: str) -> None:
    """Refuse a body whose signature is not ``sha256=`` and the HMAC of it, in hexadecimal.

    :raises Unproven: if it does not fit
    """
    if not secret:
        raise Unproven("The desk has no secret for this webhook. Enter where it is kept there.")
    fitting = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    if not hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), fitting.encode()):
        raise Unproven("The signature does not fit. Compare both secrets.")


def _judge(answer: Answer, secret: str) -> None:
    status = answer.status
    if status in _TAKEN:
        return
    quoted = _quoted(answer, secret)
    if status in _REDIRECTS:
        aim = answer.headers.get("location", "").replace(secret or "\0", "…")[:_MOST_QUOTED]
        raise TrackerFault(
            Fault.MOVED,
            "The project or the issue has moved"
            + (f" to {aim}" if aim else "")
            + ", and nobody goes there unasked. Enter its new name.",
        )
    if status in _PASSING or _is_busy(answer):
        raise TrackerFault(Fault.AWAY, f"It is busy ({quoted}).", after=_rest(answer))
    if status in _DENIED:
        raise TrackerFault(
            Fault.DENIED,
            f"It denies access ({quoted}). Look whether the token is valid, and may write issues.",
        )
    if status in _MISSING:
        raise TrackerFault(
            Fault.MISSING,
            f"It has no such thing, or hides it from this token ({quoted}).",
        )
    if status in _REFUSED:
        raise TrackerFault(Fault.INVALID, f"It refuses what was sent ({quoted}).")
    raise TrackerFault(Fault.AWAY, f"It failed ({quoted}).", after=answer.after)


def _is_busy(answer: Answer) -> bool:
    """Tell a limit of GitHub's, which says 403, from a door that stays shut."""
    return answer.status == HTTPStatus.FORBIDDEN and (
        answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    )


def _rest(answer: Answer) -> timedelta:
    """Return how long a busy tracker is to be left alone: as it says, and a minute at least."""
    wait = answer.after
    reset = answer.headers.get("x-ratelimit-reset", "")
    if wait is None and reset.isascii() and reset.isdecimal() and len(reset) <= len("9999999999"):
        wait = timedelta(seconds=int(reset) - timezone.now().timestamp())
    return min(max(wait or timedelta(), timedelta(minutes=1)), _LONGEST_REST)


def _quoted(answer: Answer, secret: str) -> str:
    """Return the status, and what the tracker says of it."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    said = _reason(found)
    if secret:
        said = said.replace(secret, "…")
    said = " ".join("".join(s if s.isprintable() else " " for s in said).split())
    return f"{answer.status}: {said[:_MOST_QUOTED]}" if said else str(answer.status)


def _reason(found: Any) -> str:
    """Return what an answer gives as its reason: each API has a place of its own for it."""
    if not isinstance(found, dict):
        return ""
    said = found.get("message") or found.get("error") or found.get("errorMessages")
    more = found.get("errors")
    parts = [_plain(said), _plain(more)]
    return " ".join(part for part in parts if part)


def _plain(said: Any) -> str:
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return " ".join(filter(None, (_plain(one) for one in said)))
    if isinstance(said, dict):
        return " ".join(f"{name}: {_plain(value)}" for name, value in said.items())
    return ""
