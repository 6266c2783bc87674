"""Notices to staff: the channels that hear of them, and the ledger of what was told."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import actor, staff_required
from accounts.people import set_address
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import NoticeChannel
from notifications.mail import leaves_the_house

_INVALID = 422
# A notice takes several lines.
_PAGE = 25


@require_GET
@staff_required
def list_notices(request: HttpRequest) -> HttpResponse:
    """Show who hears of what, what is missing for that, and what was told."""
    return _list_page(request, forms.MyAddressForm(initial={"email": actor(request).email}))


@require_POST
@staff_required
def set_my_address(request: HttpRequest) -> HttpResponse:
    """Keep where whoever asks is told of what concerns them."""
    form = forms.MyAddressForm(request.POST)
    if not form.is_valid():
        return _list_page(request, form)
    email = form.cleaned_data["email"]
    set_address(user_id=actor(request).pk, email=email)
    said = f"You are told at {email} from now on." if email else "You are told nothing by mail."
    messages.success(request, said)
    return redirect("incidents:notice-list")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def add_channel(request: HttpRequest) -> HttpResponse:
    """Ask for a mailbox or a room of the chat, and tell it from now on."""
    form = forms.NoticeChannelForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            row = operations.add_notice_channel(
                channel=form.kind, at=timezone.now(), author=actor(request), **form.meant()
            )
        except Refused as refusal:
            _show(form, refusal)
        else:
            if row.signing_key is not None:
                return _key_page(request, row)
            messages.success(request, f"“{row}” hears from now on. Send it a test message.")
            return redirect("incidents:notice-list")
    return _channel_page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def edit_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what a channel hears, or where it is."""
    row = get_object_or_404(NoticeChannel, pk=pk)
    form = forms.NoticeChannelForm(request.POST or None, row=row)
    if form.is_bound and form.is_valid():
        try:
            operations.edit_notice_channel(channel_id=pk, **form.meant())
        except Refused as refusal:
            _show(form, refusal)
        else:
            messages.success(request, f"“{form.cleaned_data['name']}” is kept.")
            return redirect("incidents:notice-list")
    return _channel_page(request, form, row)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def remove_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether it is meant, and tell a channel nothing any more."""
    row = get_object_or_404(NoticeChannel, pk=pk)
    if request.method == "POST":
        operations.remove_notice_channel(channel_id=pk)
        messages.success(request, f"“{row}” hears nothing any more.")
        return redirect("incidents:notice-list")
    others = queries.notice_channels().exclude(pk=pk)
    return render(
        request,
        "incidents/notice_channel_remove.html",
        {"channel": row, "unheard": queries.kinds_unheard(others)},
    )


@require_POST
@staff_required
def renew_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign with another key from now on, and show it this once."""
    get_object_or_404(NoticeChannel, pk=pk, signing_key__isnull=False)
    return _key_page(request, operations.renew_signing_key(channel_id=pk, at=timezone.now()))


@require_POST
@staff_required
def try_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test message, and say what became of it."""
    row = get_object_or_404(NoticeChannel, pk=pk)
    try:
        operations.try_notice_channel(
            channel_id=pk,
            desk_url=settings.DESK_URL + reverse("incidents:notice-list"),
            author=actor(request),
            at=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, f"“{row}” did not get the test message. {refusal}")
    else:
        messages.success(request, f"“{row}” has taken the test message. Look whether it is there.")
    return redirect("incidents:notice-list")


def _key_page(request: HttpRequest, row: NoticeChannel) -> HttpResponse:
    assert row.signing_key is not None
    answer = render(
        request,
        "incidents/notice_channel_key.html",
        {"channel": row, "secret": row.signing_key.secret},
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _show(form: forms.NoticeChannelForm, refusal: Refused) -> None:
    fields = {operations.ChannelNameTaken: "name", operations.UnfitAddress: "address"}
    form.add_error(fields.get(type(refusal)), str(refusal))


def _list_page(request: HttpRequest, my_form: forms.MyAddressForm) -> HttpResponse:
    channels = list(queries.notice_channels())
    page = Paginator(queries.notices(actor(request)), _PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "channels": channels,
        "unheard": queries.kinds_unheard(channels),
        "unreached": queries.staff_without_address(),
        "mail_leaves": leaves_the_house(),
        "my_form": my_form,
        "page": page,
        "told": queries.told(page.object_list),
        "tz": queries.usual_zone(),
        "now": timezone.now(),
    }
    status = _INVALID if my_form.errors else 200
    return render(request, "incidents/notice_list.html", context, status=status)


def _channel_page(
    request: HttpRequest, form: forms.NoticeChannelForm, row: NoticeChannel | None
) -> HttpResponse:
    return render(
        request,
        "incidents/notice_channel.html",
        {"form": form, "channel": row},
        status=_INVALID if form.errors else 200,
    )
