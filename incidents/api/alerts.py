"""Where monitoring speaks: parse, one operation, say what was done.

No session, no cookie: the token is the proof, and the signature where the provider has one. What
is wrong is answered in the 400s, once; a fault of ours in the 500s, and the sender tries again.
"""

import logging
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.utils.log import log_response
from django.views.decorators.csrf import csrf_exempt

from incidents import inbound, operations, queries
from incidents.errors import Refused
from incidents.models import AlertHook

logger = logging.getLogger(__name__)

_STATUS: dict[type[Refused], int] = {
    inbound.NotJson: 400,
    inbound.SecretMissing: 401,
    inbound.Unsigned: 401,
    inbound.BadSignature: 401,
    inbound.SignatureOutOfTime: 401,
    operations.HookUnknown: 404,
    operations.HookDisabled: 410,
    inbound.TooLarge: 413,
}
_UNPROCESSABLE = 422
# What has more is too large, whatever its figures are.
_DIGITS = 12
# Of more than this not even the end is waited for.
_READ_OUT = 16 * inbound.LARGEST


@csrf_exempt
def take_alerts(request: HttpRequest, token: str = "") -> HttpResponse:
    """Take in what a monitoring system sends. Its token stands in the address or in a header."""
    # From here on nothing that logs the address, of an answer or of a fault, can tell the token.
    request.path = request.path_info = request.META["PATH_INFO"] = "/api/alerts/"
    if request.method != "POST":
        return _answer_method(request)
    now = timezone.now()
    token = token or inbound.offered_token(request.headers)
    hook = queries.hook_of(token)
    body = b""
    try:
        if hook is None:
            raise operations.HookUnknown
        if not hook.is_enabled:
            raise operations.HookDisabled
        body = _body(request)
        reading = _read(request, hook, body, at=now)
        taken = operations.take_in(
            hook_id=hook.pk, alerts=reading.alerts, at=now, tz=queries.usual_zone()
        )
    except Refused as refusal:
        status = _STATUS.get(type(refusal), _UNPROCESSABLE)
        reason = _keep(hook, refusal, body, token=token, at=now)
        return _refuse(request, hook, refusal.code, reason, status=status)
    for part in reading.refused:
        reason = _keep(hook, part, body, token=token, at=now)
        logger.warning("alert hook %s: left out, %s: %s", hook.pk, part.code, reason)
    return JsonResponse(_done(reading, taken))


def _read(request: HttpRequest, hook: AlertHook, body: bytes, *, at: datetime) -> inbound.Reading:
    return inbound.read(
        hook.provider,
        body=body,
        headers=request.headers,
        secret=queries.signing_secret(hook),
        at=at,
    )


def _body(request: HttpRequest) -> bytes:
    """Return what was sent; too much is read and forgotten: a sender reads no answer before that.

    :raises TooLarge: if it is more than a mebibyte
    :raises NotJson: if the sender broke off
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise inbound.NotJson("Its Content-Length is no figure. Send it again.")
    is_large = len(length) > _DIGITS or int(length) > inbound.LARGEST
    left = _READ_OUT if is_large else 0
    try:
        while left > 0 and (read := request.read(min(left, inbound.LARGEST))):
            left -= len(read)
        body = b"" if is_large else request.body
    except UnreadablePostError as fault:
        raise inbound.NotJson("It broke off before its end. Send it again.") from fault
    if is_large:
        raise inbound.TooLarge
    return body


def _done(reading: inbound.Reading, taken: list[operations.Taken]) -> dict[str, Any]:
    done: dict[str, Any] = {
        "alerts": [
            {
                "key": one.told.dedup_key,
                "fingerprint": one.told.fingerprint,
                "did": one.did,
                "incident": one.incident.ref if one.incident else None,
            }
            for one in taken
        ],
        "refused": [{"code": refusal.code, "detail": str(refusal)} for refusal in reading.refused],
    }
    return done | ({"ignored": reading.ignored} if reading.ignored else {})


def _keep(
    hook: AlertHook | None, refusal: Refused, body: bytes, *, token: str, at: datetime
) -> str:
    """Keep why, and how it began, and return why. What strangers send is not kept at all.

    What was sent may hold a secret, and a reason may quote it.
    """
    hidden = [token, hook.signing_secret] if hook else []
    reason = inbound.without_secrets(str(refusal), hide=hidden)
    operations.note_refusal(
        hook_id=hook.pk if hook else None,
        code=refusal.code,
        reason=reason,
        excerpt=inbound.excerpt(body, hide=hidden) if hook else "",
        at=at,
    )
    return reason


def _refuse(
    request: HttpRequest, hook: AlertHook | None, code: str, reason: str, *, status: int
) -> HttpResponse:
    response = JsonResponse({"code": code, "detail": reason}, status=status)
    # In the place of the line that Django writes of each such answer, which says nothing of why.
    log_response(
        "alert hook %s: refused, %s: %s",
        hook.pk if hook else "unknown",
        code,
        reason,
        response=response,
        request=request,
        logger=logger,
    )
    return response


def _answer_method(request: HttpRequest) -> HttpResponse:
    """Answer somebody who looks whether there is anything, the same for every token."""
    response = JsonResponse(
        {"code": "post-alerts-here", "detail": "Send alerts by POST, as JSON."},
        status=405,
        headers={"Allow": "POST"},
    )
    log_response("alert hook: %s", request.method, response=response, request=request)
    return response
