"""Asking for messages, confirming, choosing and leaving: without a cookie and without a login.

A token is the right to everything of one subscription. What scanners of mail do, which is to
follow every link, changes nothing: each deed is a POST.
"""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from incidents import queries
from incidents.errors import Refused
from incidents.models import Incident
from notifications.models import Channel
from statuspage import subscribing
from statuspage.forms import ChoicesForm, FollowForm
from statuspage.models import Page, Subscriber
from statuspage.publisher.scope import concerns, scope_of
from statuspage.subscribing import Wish
from statuspage.views.hosts import page_at, visitor_of

_WAIT_SECONDS = str(int(subscribing.ASKING_WINDOW.total_seconds()))


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Take in what somebody wants to be told, and ask the mailbox to confirm."""
    page = page_at(request)
    incident = _incident_on(page, request.GET.get("incident", ""))
    with translation.override(page.language):
        form = FollowForm(
            scope_of(page).components, request.POST or None, initial=request.GET.dict()
        )
        status = HTTPStatus.OK
        if request.method == "POST":
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            if form.is_valid():
                wish = form.wish(incident_id=incident.pk if incident else None)
                refused = _asked(request, page, wish)
                if refused is None:
                    return redirect("statuspage:subscription-asked")
                form.add_error(None, str(refused))
                if isinstance(refused, subscribing.TooMuchAsked):
                    status = HTTPStatus.TOO_MANY_REQUESTS
        answer = render(
            request,
            "statuspage/subscribe.html",
            {"page": page, "form": form, "incident": incident},
            status=status,
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        answer["Retry-After"] = _WAIT_SECONDS
    return answer


@require_safe
def show_asked(request: HttpRequest) -> HttpResponse:
    """Say that a mail is on its way, to whomever."""
    page = page_at(request)
    with translation.override(page.language):
        return render(request, "statuspage/subscribe_asked.html", {"page": page})


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, take in on POST, which may come twice."""
    subscriber = _subscriber(token)
    if request.method == "POST":
        subscribing.confirm(token=token, at=timezone.now())
        return redirect("statuspage:subscription", token)
    with translation.override(_language(subscriber)):
        return render(
            request,
            "statuspage/subscribe_confirm.html",
            {"page": subscriber.page, "subscriber": subscriber},
        )


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, token: str) -> HttpResponse:
    """Show what somebody is told, and change it."""
    subscriber = _subscriber(token)
    page = subscriber.page
    with translation.override(_language(subscriber)):
        form = ChoicesForm(
            scope_of(page).components,
            request.POST or None,
            initial=ChoicesForm.said_by(subscriber),
        )
        is_saved = request.method == "POST" and form.is_valid()
        if is_saved:
            subscribing.choose(token=token, **form.meant())
            return redirect(f"{request.path}?saved")
        return render(
            request,
            "statuspage/preferences.html",
            {
                "page": page,
                "form": form,
                "subscriber": subscriber,
                "is_saved": "saved" in request.GET,
            },
            status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
        )


@csrf_exempt
@require_POST
def renew_secret(_request: HttpRequest, token: str) -> HttpResponse:
    """Give a webhook a new secret; both are good for a day."""
    get_object_or_404(Subscriber, token=token, channel=Channel.WEBHOOK)
    subscribing.renew_secret(token=token, at=timezone.now())
    return redirect("statuspage:subscription", token)


# No cookie and no login: the token is the right, and mail programs send nothing else.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, because scanners follow links; leave on POST, which may come twice."""
    subscriber = _subscriber(token)
    if request.method == "POST":
        subscribing.unsubscribe(token=token, at=timezone.now())
    with translation.override(_language(subscriber)):
        return render(
            request,
            "statuspage/unsubscribe.html",
            {
                "page": subscriber.page,
                "subscriber": subscriber,
                "has_left": request.method == "POST",
            },
        )


@csrf_exempt
@require_POST
def take_subscriber(request: HttpRequest) -> HttpResponse:
    """Take what clients of hosted status pages post; the answer tells nothing of who follows."""
    page = page_at(request)
    said = _subscriber_of(request)
    form = FollowForm(
        scope_of(page).components,
        {
            "channel": Channel.WEBHOOK if said.get("endpoint") else Channel.EMAIL,
            "email": said.get("email", ""),
            "endpoint": said.get("endpoint", ""),
            "components": [said["component_id"]] if said.get("component_id") else [],
            "pace": "every",
            "hears_of_maintenance": True,
        },
    )
    if not form.is_valid():
        wrong = [f"{name}: {error}" for name, errors in form.errors.items() for error in errors]
        return _answer({"error": wrong}, HTTPStatus.UNPROCESSABLE_ENTITY)
    incident = _incident_on(page, str(said.get("incident_id", "")))
    if said.get("incident_id") and incident is None:
        return _answer({"error": ["incident_id: There is no such incident."]}, HTTPStatus.NOT_FOUND)
    refused = _asked(request, page, form.wish(incident_id=incident.pk if incident else None))
    if isinstance(refused, subscribing.TooMuchAsked):
        return _answer(
            {"error": [str(refused)]}, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": _WAIT_SECONDS}
        )
    if refused is not None:
        return _answer({"error": [str(refused)]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    mode = "webhook" if said.get("endpoint") else "email_sms"
    return _answer({"can_select_components": True, "mode": mode}, HTTPStatus.CREATED)


def _answer(said: Any, status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse(
        said, status=status, headers={"Access-Control-Allow-Origin": "*"} | (headers or {})
    )


def _subscriber_of(request: HttpRequest) -> dict[str, Any]:
    """Return what stands under ``subscriber``, as a form or as JSON."""
    if request.content_type == "application/json":
        try:
            said = json.loads(request.body)
        except ValueError:
            return {}
        found = said.get("subscriber") if isinstance(said, dict) else None
        return found if isinstance(found, dict) else {}
    posted: QueryDict = request.POST
    return {
        name[len("subscriber[") : -1]: posted[name]
        for name in posted
        if name.startswith("subscriber[") and name.endswith("]")
    }


def _asked(request: HttpRequest, page: Page, wish: Wish) -> Refused | None:
    """Ask the mailbox to confirm; return why that is refused, if it is."""
    now = timezone.now()
    try:
        subscribing.count_asking(page_id=page.pk, visitor=visitor_of(request), at=now)
        subscribing.ask_to_follow(page_id=page.pk, wish=wish, at=now)
    except Refused as refused:
        return refused
    return None


def _incident_on(page: Page, public_id: str) -> Incident | None:
    """Return an open incident that this page shows."""
    found = queries.public_unresolved().filter(public_id=public_id).first()
    return found if found and concerns(page, found.pk) else None


def _subscriber(token: str) -> Subscriber:
    rows = Subscriber.objects.select_related("page", "signing_key", "incident")
    return get_object_or_404(rows, token=token)


def _language(subscriber: Subscriber) -> str:
    return subscriber.language or subscriber.page.language
