"""The shape of our own, for whatever can post JSON; signed as Standard Webhooks has it, if at all.

::

    {"key": "nightly-backup", "title": "The nightly backup failed", "state": "firing"}

and optionally ``text``, ``link``, ``severity``, ``starts_at``, ``ends_at``, ``told_at`` and
``labels``.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents.inbound import fields
from incidents.inbound.refusals import (
    BadSignature,
    SecretMissing,
    SignatureOutOfTime,
    Unsigned,
    WrongShape,
)
from incidents.inbound.told import Reading, Told
from incidents.values import AlertState

_TOLERANCE = timedelta(minutes=5)
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_TIMESTAMP = 12
_PREFIX = "whsec_"


def prove(*, body: bytes, headers: Mapping[str, str], secret: str, at: datetime) -> None:
    """Compare the signatures with ``id.timestamp.body``. Without a secret the token is the proof.

    :raises Unsigned: if one of the three headers is missing, or no signature is of version 1
    :raises SignatureOutOfTime: if it was signed more than five minutes ago, or ahead
    :raises BadSignature: if none fits
    :raises SecretMissing: if the secret is none that can sign
    """
    if not secret:
        return
    name, timestamp, signatures = (headers.get(header, "").strip() for header in _HEADERS)
    offered = [part[3:] for part in signatures.split() if part.startswith("v1,")]
    if not (name and timestamp and offered):
        raise Unsigned(f"It needs the headers {', '.join(_HEADERS)}, with a v1 signature.")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > _LONGEST_TIMESTAMP:
        raise SignatureOutOfTime("webhook-timestamp must be seconds since 1970. Sign anew.")
    if abs(at.timestamp() - int(timestamp)) > _TOLERANCE.total_seconds():
        raise SignatureOutOfTime
    signed = f"{name}.{timestamp}.".encode("utf-8", "replace") + body
    wanted = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    # Each is compared, whichever fits: how long it takes tells nothing.
    fits = [hmac.compare_digest(wanted, one.encode("utf-8", "replace")) for one in offered]
    if not any(fits):
        raise BadSignature


def understand(found: dict[str, Any], *, event_id: str, at: datetime) -> Reading:
    """Return what the message tells.

    :raises WrongShape: if it has no key, no title, or a state that is none
    :raises ImpossibleTime: if one of its times cannot be meant
    """
    key = fields.line(found.get("key"), "key", most=4000)
    if not key:
        raise WrongShape(
            "key is missing. Give what is wrong a name that stays the same: nightly-backup."
        )
    written = found.get("state", AlertState.FIRING)
    if written not in AlertState.values:
        raise WrongShape(f"state must be firing or resolved, not {fields.shown(written)}.")
    state = AlertState(written)
    title = fields.line(found.get("title"), "title")
    if not title and state == AlertState.FIRING:
        raise WrongShape("title is missing. Say what is wrong, as people would.")
    told = Told(
        fingerprint=fields.key(key),
        dedup_key=fields.key(key),
        state=state,
        title=title or fields.line(key, "key"),
        text=fields.text(found.get("text"), "text"),
        link=_link(found.get("link")),
        starts_at=fields.moment(found.get("starts_at"), "starts_at", at=at),
        ends_at=fields.moment(found.get("ends_at"), "ends_at", at=at),
        told_at=fields.moment(found.get("told_at"), "told_at", at=at),
        labels=fields.labels(found.get("labels"), "labels"),
        severity=fields.word(found.get("severity")),
        event_id=fields.word(event_id, most=100),
        payload=found,
    )
    return Reading(alerts=(told,))


def _link(value: Any) -> str:
    written = fields.text(value, "link")
    found = fields.link(written)
    if written and not found:
        raise WrongShape(f"link must be an http or https address, not {fields.shown(written)}.")
    return found


def _key(secret: str) -> bytes:
    """Return the bytes with which it is signed: behind whsec_ they stand in base64."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise SecretMissing(
            "The secret of this hook is no base64 behind whsec_. Enter it anew at the desk."
        ) from fault
