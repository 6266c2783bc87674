"""Who is told what a page says, for staff: look, add, end, begin again, hand over, erase."""

from collections.abc import Iterator
from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import staff_required
from incidents.errors import Refused
from incidents.forms.fields import DeskForm
from incidents.sheets import sheet
from statuspage import deliveries, subscribing
from statuspage.forms import VouchForm
from statuspage.models import Page, Subscriber
from statuspage.models.subscribers import SubscriberQuerySet, SubscriberState
from statuspage.publisher.scope import scope_of
from statuspage.views.pages import page_called

_PAGE = 50
_COLUMNS = ["channel", "address", "state", "pace", "language", "asked", "confirmed", "left"]


class _Narrowing(forms.Form):
    state = forms.ChoiceField(choices=[("", "All"), *SubscriberState.choices], required=False)
    q = forms.CharField(max_length=254, required=False)
    older = forms.IntegerField(min_value=1, required=False)


class PersonForm(DeskForm):
    """Whose data are wanted."""

    ids = "person"

    email = forms.EmailField(
        label="Email address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def list_subscribers(request: HttpRequest, slug: str) -> HttpResponse:
    """Show who is told, the newest first, and take in another one."""
    page = page_called(slug)
    form = VouchForm(scope_of(page).components, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            subscriber = subscribing.add_subscriber(
                page_id=page.pk, wish=form.wish(), at=timezone.now()
            )
        except Refused as refused:
            form.add_error("endpoint", str(refused))
        else:
            messages.success(request, f"{subscriber} is told from now on.")
            return redirect("statuspage:subscriber-list", slug)
    narrowing = _Narrowing(request.GET)
    shown = _narrowed(page, narrowing)
    older = narrowing.cleaned_data.get("older")
    rows = list((shown.filter(pk__lt=older) if older else shown).order_by("-pk")[: _PAGE + 1])
    counts = deliveries.delivery_counts([row.email or row.endpoint for row in rows[:_PAGE]])
    return render(
        request,
        "statuspage/desk/subscribers.html",
        {
            "status_page": page,
            "form": form,
            "rows": [(row, counts.get(row.email or row.endpoint)) for row in rows[:_PAGE]],
            "older": rows[_PAGE - 1].pk if len(rows) > _PAGE else None,
            "states": _counted(page),
            "narrowing": narrowing,
        },
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
    )


@require_POST
@staff_required
def remove_subscriber(request: HttpRequest, pk: int) -> HttpResponse:
    """End somebody's messages, as they could themselves."""
    subscriber = get_object_or_404(Subscriber.objects.select_related("page"), pk=pk)
    subscribing.unsubscribe(token=subscriber.token, at=timezone.now())
    messages.success(request, f"{subscriber} gets no more messages.")
    return redirect("statuspage:subscriber-list", subscriber.page.slug)


@require_POST
@staff_required
def readmit_subscriber(request: HttpRequest, pk: int) -> HttpResponse:
    """Send messages again to somebody who left, never confirmed, or is quarantined."""
    subscriber = get_object_or_404(Subscriber.objects.select_related("page"), pk=pk)
    subscribing.confirm(token=subscriber.token, at=timezone.now())
    messages.success(request, f"{subscriber} is told again from now on.")
    return redirect("statuspage:subscriber-list", subscriber.page.slug)


@require_safe
@staff_required
def export_subscribers(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Hand over the list as CSV, narrowed as it is shown. Secret addresses are masked."""
    page = page_called(slug)
    rows = _narrowed(page, _Narrowing(request.GET)).order_by("pk")
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="subscribers-{page.slug}.csv"'
    return answer


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def show_person(request: HttpRequest) -> HttpResponse:
    """Hand over all that is kept of a mailbox, or erase it."""
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if "erase" in request.POST:
            if request.POST.get("again", "").strip().lower() != email.strip().lower():
                form.add_error(None, "Type the address once more, to erase what is kept of it.")
            else:
                count = subscribing.erase(email)
                messages.success(
                    request,
                    f"{count} subscription{'' if count == 1 else 's'} of {email} "
                    "and every message to it are erased.",
                )
                return redirect("statuspage:person")
        else:
            answer = JsonResponse(subscribing.data_of(email), json_dumps_params={"indent": 2})
            answer["Content-Disposition"] = 'attachment; filename="person.json"'
            return answer
    return render(
        request,
        "statuspage/desk/person.html",
        {"form": form},
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
    )


def _narrowed(page: Page, narrowing: _Narrowing) -> SubscriberQuerySet:
    narrowing.is_valid()
    to = narrowing.cleaned_data
    rows = Subscriber.objects.filter(page=page)
    if state := to.get("state"):
        rows = rows.in_state(SubscriberState(state))
    if words := to.get("q"):
        rows = rows.filter(Q(email__icontains=words) | Q(endpoint__icontains=words))
    return rows


def _counted(page: Page) -> list[tuple[str, str, int]]:
    """Return each state with how many are in it. One query."""
    rows = Subscriber.objects.filter(page=page)
    counted = rows.aggregate(
        **{state: Count("pk", filter=state.condition()) for state in SubscriberState}
    )
    return [(state.value, str(state.label), counted[state]) for state in SubscriberState]


def _lines(rows: SubscriberQuerySet) -> Iterator[str]:
    return sheet(_COLUMNS, (_cells(row) for row in rows.iterator(chunk_size=2000)))


def _cells(row: Subscriber) -> list[str]:
    moments = (row.created_at, row.confirmed_at, row.unsubscribed_at)
    said = [moment.isoformat() if moment else "" for moment in moments]
    return [row.channel, str(row), row.state.value, row.pace, row.language, *said]
