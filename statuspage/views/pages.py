"""Setting up the pages."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.access import staff_required
from incidents.errors import Refused
from statuspage import operations
from statuspage.forms import AccessForm, ContentForm, LookForm, NewPageForm, PageForm
from statuspage.models import Access, Page
from statuspage.publisher.site import SiteBusy

_INVALID = 422
_BUSY = "This is kept, but the page could not be published. Save it once more."
# Under which field a refusal is shown; others stand above the form.
_FIELDS = {
    "no-such-zone": "time_zone",
    "not-a-host": "url",
    "host-taken": "url",
    "slug-taken": "slug",
    "no-colour": "accent",
    "unreadable-colour": "accent",
    "no-password": "password",
    "no-networks": "networks",
}

Form = PageForm | ContentForm | LookForm | AccessForm


@staff_required
def list_pages(request: HttpRequest) -> HttpResponse:
    """Show the pages there are, and add another one."""
    now = timezone.now()
    Page.objects.first_page(at=now)
    form = NewPageForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def add() -> None:
            operations.add_page(at=now, **form.cleaned_data)

        if _is_done(request, form, add, "The page is published. Say what it shows."):
            return redirect("statuspage:page-settings", form.cleaned_data["slug"])
    return render(
        request,
        "statuspage/desk/page_list.html",
        {"form": form, "pages": Page.objects.in_order()},
        status=_INVALID if form.errors else 200,
    )


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Name a page, choose what it shows, dress it, and say who may read it: a form for each."""
    page = page_called(slug)
    part = request.POST.get("part", "")
    forms: dict[str, Form] = {
        name: kind(page, *((request.POST, request.FILES) if name == part else ()))
        for name, kind in _PARTS.items()
    }
    form = forms.get(part)
    if form is not None and form.is_valid():
        deed = _DEEDS[part]
        values = form.cleaned_data

        def do() -> None:
            deed(page, values)

        if _is_done(request, form, do, "The page is published anew, with these settings."):
            return redirect("statuspage:page-settings", slug)
    return render(
        request,
        "statuspage/desk/page.html",
        {"page": page, "forms": forms, "is_only": Page.objects.count() == 1},
        status=_INVALID if form is not None else 200,
    )


@staff_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask before a page is taken away for good."""
    page = page_called(slug)
    if request.method == "POST":
        try:
            operations.remove_page(page_id=page.pk)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{page} is gone, and so are its followers.")
        return redirect("statuspage:page-list")
    context = {"page": page, "followers": page.subscribers.following().count()}
    return render(request, "statuspage/desk/page_remove.html", context)


def page_called(slug: str) -> Page:
    """Return the page with this short name, or answer that there is none."""
    try:
        return Page.objects.called(slug, at=timezone.now())
    except Page.DoesNotExist as fault:
        raise Http404 from fault


def _is_done(request: HttpRequest, form: Any, deed: Callable[[], None], said: str) -> bool:
    """Do the deed; a refusal goes to its field."""
    try:
        deed()
    except Refused as refusal:
        field = _FIELDS.get(refusal.code)
        form.add_error(field if field in form.fields else None, str(refusal))
        return False
    except (SiteBusy, OSError):
        # The row is committed; only its publishing, which comes after, failed or was kept waiting.
        messages.error(request, _BUSY)
        return True
    messages.success(request, said)
    return True


def _name(page: Page, values: Mapping[str, Any]) -> None:
    operations.set_up_page(page_id=page.pk, at=timezone.now(), **values)


def _choose(page: Page, values: Mapping[str, Any]) -> None:
    operations.choose_content(
        page_id=page.pk,
        shows_everything=values["shows"] == ContentForm.EVERYTHING,
        component_ids=[component.pk for component in values["components"]],
        has_my_data=values["has_my_data"],
        has_backup_proof=values["has_backup_proof"],
        at=timezone.now(),
    )


def _dress(page: Page, values: Mapping[str, Any]) -> None:
    operations.dress_page(
        page_id=page.pk,
        accent=values["accent"],
        logo=_picture(values, "logo"),
        icon=_picture(values, "icon"),
        at=timezone.now(),
    )


def _picture(values: Mapping[str, Any], name: str) -> bytes | None:
    if values[f"no_{name}"]:
        return b""
    upload = values[name]
    return upload.read() if upload else None


def _admit(page: Page, values: Mapping[str, Any]) -> None:
    operations.set_access(
        page_id=page.pk,
        access=Access(values["access"]),
        password=values["password"],
        networks=values["networks"].split(),
        viewer_ids=[viewer.pk for viewer in values["viewers"]],
        at=timezone.now(),
    )


_PARTS: dict[str, type[Form]] = {
    "settings": PageForm,
    "content": ContentForm,
    "look": LookForm,
    "access": AccessForm,
}
_DEEDS = {"settings": _name, "content": _choose, "look": _dress, "access": _admit}
