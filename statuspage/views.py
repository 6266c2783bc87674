"""What needs Django: leaving the list of followers, and the page's rooms at the desk."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import staff_required
from statuspage import deliveries, operations
from statuspage.forms import PageForm, SubscriberForm
from statuspage.models import Page, Subscriber
from statuspage.operations import NoSuchZone
from statuspage.publisher.site import SiteBusy

_INVALID = 422
_PAGE = 50


# No cookie and no login: the token is the right, and mail programs send nothing else.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, because scanners follow links; leave on POST, which may come twice."""
    get_object_or_404(Subscriber, token=token)
    now = timezone.now()
    if request.method == "POST":
        operations.unsubscribe(token=token, at=now)
    context = {"page": Page.objects.the_one(at=now), "has_left": request.method == "POST"}
    return render(request, "statuspage/unsubscribe.html", context)


@staff_required
def edit_page(request: HttpRequest) -> HttpResponse:
    """Name the page, say where it lies and by which clock it goes."""
    now = timezone.now()
    page = Page.objects.the_one(at=now)
    names = ("name", "url", "time_zone", "support_url")
    form = PageForm(request.POST or None, initial={name: getattr(page, name) for name in names})
    if request.method == "POST" and form.is_valid():
        try:
            operations.set_up_page(at=now, **form.cleaned_data)
        except NoSuchZone as refusal:
            form.add_error("time_zone", str(refusal))
        except SiteBusy:
            # The row is committed; only its publishing, which comes after, was kept waiting.
            messages.error(
                request, _("This is kept, but the page could not be published. Save it once more.")
            )
            return redirect("statuspage:page-settings")
        else:
            messages.success(request, _("The page is published anew, with these settings."))
            return redirect("statuspage:page-settings")
    return render(
        request,
        "statuspage/desk/page.html",
        {"form": form},
        status=_INVALID if form.errors else 200,
    )


@staff_required
def list_subscribers(request: HttpRequest) -> HttpResponse:
    """Show who follows the page and what was sent to them, and take in another one."""
    form = SubscriberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        subscriber = operations.add_subscriber(email=form.cleaned_data["email"], at=timezone.now())
        messages.success(request, _("%s gets every update from now on.") % subscriber)
        return redirect("statuspage:subscriber-list")
    # Those who left stand behind those who follow, the last to leave first.
    everyone = Subscriber.objects.order_by(
        F("unsubscribed_at").desc(nulls_first=True), "email", "pk"
    )
    page = Paginator(everyone, _PAGE).get_page(request.GET.get("page"))
    counts = deliveries.delivery_counts([subscriber.email for subscriber in page])
    return render(
        request,
        "statuspage/desk/subscribers.html",
        {
            "form": form,
            "page": page,
            "rows": [(subscriber, counts.get(subscriber.email)) for subscriber in page],
            "following": Subscriber.objects.following().count(),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def remove_subscriber(request: HttpRequest, pk: int) -> HttpResponse:
    """End somebody's following, as they could themselves."""
    subscriber = get_object_or_404(Subscriber, pk=pk)
    operations.unsubscribe(token=subscriber.token, at=timezone.now())
    messages.success(request, _("%s gets no more messages.") % subscriber)
    return redirect("statuspage:subscriber-list")
