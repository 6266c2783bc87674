"""Who follows a page."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import staff_required
from statuspage import deliveries, operations
from statuspage.forms import SubscriberForm
from statuspage.models import Subscriber
from statuspage.views.pages import page_called

_INVALID = 422
_PAGE = 50


# No cookie and no login: the token is the right, and mail programs send nothing else.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, because scanners follow links; leave on POST, which may come twice."""
    subscriber = get_object_or_404(Subscriber.objects.select_related("page"), token=token)
    if request.method == "POST":
        operations.unsubscribe(token=token, at=timezone.now())
    context = {"page": subscriber.page, "has_left": request.method == "POST"}
    with translation.override(subscriber.page.language):
        return render(request, "statuspage/unsubscribe.html", context)


@staff_required
def list_subscribers(request: HttpRequest, slug: str) -> HttpResponse:
    """Show who follows the page and what was sent to them, and take in another one."""
    page = page_called(slug)
    form = SubscriberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        subscriber = operations.add_subscriber(
            page_id=page.pk, email=form.cleaned_data["email"], at=timezone.now()
        )
        messages.success(request, f"{subscriber} gets every update from now on.")
        return redirect("statuspage:subscriber-list", slug)
    # Those who left stand behind those who follow, the last to leave first.
    everyone = page.subscribers.order_by(F("unsubscribed_at").desc(nulls_first=True), "email", "pk")
    shown = Paginator(everyone, _PAGE).get_page(request.GET.get("page"))
    counts = deliveries.delivery_counts([subscriber.email for subscriber in shown])
    return render(
        request,
        "statuspage/desk/subscribers.html",
        {
            "status_page": page,
            "form": form,
            "page": shown,
            "rows": [(subscriber, counts.get(subscriber.email)) for subscriber in shown],
            "following": page.subscribers.following().count(),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def remove_subscriber(request: HttpRequest, pk: int) -> HttpResponse:
    """End somebody's following, as they could themselves."""
    subscriber = get_object_or_404(Subscriber.objects.select_related("page"), pk=pk)
    operations.unsubscribe(token=subscriber.token, at=timezone.now())
    messages.success(request, f"{subscriber} gets no more messages.")
    return redirect("statuspage:subscriber-list", subscriber.page.slug)
