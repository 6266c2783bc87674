"""Where trackers say that an issue changed: proven, noted, answered.

What a webhook tells is not believed, but looked at: it says which issue to read, and the tracker's
API says how that stands. One that comes twice, late or out of order does no harm.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from incidents import operations, queries
from incidents.errors import Refused
from incidents.models import Tracker
from incidents.trackers import TrackerFault, Unproven, Where, adapter

_LARGEST = 5 * 1024 * 1024
# What has more is too large, whatever its figures are.
_DIGITS = 12


class TokenUnknown(Refused):
    code = "tracker-token-unknown"
    message = "No tracker has this token. Copy the address again, or renew it at the desk."


class WordTooLarge(Refused):
    code = "tracker-word-too-large"
    message = "This is more than 5 MiB. Send events of issues alone."


class WordBrokenOff(Refused):
    code = "tracker-word-broken-off"
    message = "It broke off before its end. Send it again."


class WordUnproven(Refused):
    code = "tracker-word-unproven"
    message = "It cannot be told who sent this. Sign it with the secret that the desk knows."


class KindUnknown(Refused):
    code = "tracker-kind-unknown"
    message = "Nothing here speaks with this kind of tracker any more. Stop sending."


_STATUS: dict[type[Refused], int] = {
    WordBrokenOff: 400,
    WordUnproven: 401,
    TokenUnknown: 404,
    KindUnknown: 410,
    WordTooLarge: 413,
}


@csrf_exempt
def take_word(request: HttpRequest, token: str) -> HttpResponse:
    """Take in that an issue changed. The token stands in the address; most sign as well."""
    # From here on nothing that logs the address can tell the token.
    request.path = request.path_info = request.META["PATH_INFO"] = "/api/trackers/"
    if request.method != "POST":
        return JsonResponse(
            {"code": "post-webhooks-here", "detail": "Send webhooks by POST, as JSON."},
            status=405,
            headers={"Allow": "POST"},
        )
    try:
        tracker = queries.tracker_of(token)
        if tracker is None:
            raise TokenUnknown
        key = _key_in(request, tracker)
    except Refused as refusal:
        return JsonResponse(
            {"code": refusal.code, "detail": str(refusal)}, status=_STATUS[type(refusal)]
        )
    known = operations.ring(tracker_id=tracker.pk, key=key, at=timezone.now())
    return JsonResponse({"did": "noted" if known else "ignored"})


def _key_in(request: HttpRequest, tracker: Tracker) -> str:
    """Return the key of the issue that a webhook is about; empty if it is about none of ours."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or len(length) > _DIGITS or int(length) > _LARGEST:
        raise WordTooLarge
    where = Where(
        address=tracker.address,
        project=tracker.project,
        labels=(),
        issue_type="",
        secret="",
    )
    try:
        speaks = adapter(tracker.kind)
        secret = queries.webhook_secret(tracker)
        return speaks.hear(where, request.body, request.headers, secret)
    except Unproven as refusal:
        raise WordUnproven(str(refusal)) from refusal
    except TrackerFault as fault:
        raise KindUnknown from fault
    except UnreadablePostError as fault:
        raise WordBrokenOff from fault
