"""The places to which a page is copied."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import staff_required
from incidents.errors import Refused
from statuspage import targets
from statuspage.forms import BucketForm, DirectoryForm
from statuspage.models import Page, PublishTarget
from statuspage.views.pages import page_called

_INVALID = 422


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def list_targets(request: HttpRequest, slug: str) -> HttpResponse:
    """Show where a page is copied to and how that goes, and add a place."""
    page = page_called(slug)
    kind = request.POST.get("kind", "")
    directory = DirectoryForm(request.POST if kind == "directory" else None)
    bucket = BucketForm(request.POST if kind == "s3" else None)
    for form, add in ((directory, targets.add_directory), (bucket, targets.add_bucket)):
        if form.is_bound and form.is_valid() and _is_added(page, form, add):
            messages.success(request, "The page is copied there from now on, within seconds.")
            return redirect("statuspage:target-list", slug)
    return render(
        request,
        "statuspage/desk/target_list.html",
        {
            "page": page,
            "targets": page.targets.order_by("name", "pk"),
            "directory": directory,
            "bucket": bucket,
        },
        status=_INVALID if kind else 200,
    )


@require_POST
@staff_required
def try_target(request: HttpRequest, pk: int) -> HttpResponse:
    """Write something small there, delete it again, and say whether that worked."""
    target = _target(pk)
    try:
        targets.try_target(target_id=pk)
    except Refused as refusal:
        messages.error(request, f"{target}: {refusal}")
    else:
        messages.success(request, f"{target} takes files, and deletes them.")
    return redirect("statuspage:target-list", target.page.slug)


@require_POST
@staff_required
def switch_target(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave a place alone, or serve it again."""
    target = targets.switch_target(target_id=_target(pk).pk, is_on="on" in request.POST)
    said = "is served again" if target.is_on else "is left alone from now on"
    messages.success(request, f"{target} {said}.")
    return redirect("statuspage:target-list", target.page.slug)


@require_POST
@staff_required
def remove_target(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a place."""
    target = _target(pk)
    targets.remove_target(target_id=pk)
    messages.success(request, f"{target} is forgotten. What lies there is left there.")
    return redirect("statuspage:target-list", target.page.slug)


def _is_added(
    page: Page,
    form: DirectoryForm | BucketForm,
    add: Callable[..., PublishTarget],
) -> bool:
    try:
        add(page_id=page.pk, at=timezone.now(), **form.meant())
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _target(pk: int) -> PublishTarget:
    return get_object_or_404(PublishTarget.objects.select_related("page"), pk=pk)
