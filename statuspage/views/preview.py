"""The page as it would be after a deed at the desk. Nothing is posted, kept or published."""

from collections.abc import Callable

from django.db import OperationalError
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident, Maintenance, MaintenanceUpdate, StatusUpdate
from incidents.models.updates import StatusUpdateQuerySet
from incidents.values import UpdateState
from incidents.views import maintenance, maintenance_deeds
from incidents.views.incidents import declare, reopen, reopen_form, resolve
from incidents.views.telling import update_form
from incidents.views.updates import correct, tell
from statuspage.models import Page
from statuspage.publisher.assets import assets
from statuspage.publisher.imagining import Imagined, Matter, imagine
from statuspage.serving import manifest
from statuspage.views.pages import page_called

_INVALID, _BUSY = 422, 503


@require_POST
@staff_required
def preview_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with an update that is being written."""
    incident = get_object_or_404(queries.incidents_seen_by(actor(request)), pk=pk)
    form = update_form(incident, now=timezone.now(), data=request.POST, may_have_blanks=True)
    return _preview(
        request, form, lambda author: _sent(tell(form, incident_id=pk, author=author), author)
    )


@require_POST
@staff_required
def preview_correction(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with a correction that is being written."""
    get_object_or_404(_updates(request).published(), pk=pk)
    form = forms.CorrectForm(request.POST)
    return _preview(
        request, form, lambda author: correct(form, update_id=pk, author=author).incident
    )


@require_POST
@staff_required
def preview_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with what is proposed, put aside or waits for approval."""
    update = get_object_or_404(_updates(request), pk=pk)
    return _preview(request, None, lambda author: _sent(update, author))


@require_POST
@staff_required
def preview_declaration(request: HttpRequest) -> HttpResponse:
    """Show the page with an incident that is being declared."""
    form = forms.DeclareForm(
        request.POST,
        now=timezone.now(),
        components=queries.component_tree(),
        may_have_blanks=True,
    )
    return _preview(request, form, lambda author: _told(declare(form, author=author), author))


@require_POST
@staff_required
def preview_resolution(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with the last word that is being written."""
    incident = get_object_or_404(queries.incidents_seen_by(actor(request)), pk=pk)
    form = forms.ResolveForm(
        request.POST,
        components=incident.components.in_tree(),
        may_have_blanks=True,
    )
    return _preview(
        request, form, lambda author: _told(resolve(form, incident_id=pk, author=author), author)
    )


@require_POST
@staff_required
def preview_reopening(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with an incident that is open again."""
    incident = get_object_or_404(queries.incidents_seen_by(actor(request)), pk=pk)
    form = reopen_form(incident, request.POST, may_all_work=True)
    return _preview(request, form, lambda author: reopen(form, incident_id=pk, author=author))


@require_POST
@staff_required
def preview_plan(request: HttpRequest) -> HttpResponse:
    """Show the page with a maintenance that is being scheduled."""
    form = forms.ScheduleForm(request.POST, components=queries.component_tree())
    return _preview(request, form, lambda author: maintenance.schedule(form, author=author))


@require_POST
@staff_required
def preview_maintenance_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with an update of a maintenance that is being written."""
    get_object_or_404(Maintenance, pk=pk)
    form = forms.MaintenanceUpdateForm(request.POST)
    return _preview(
        request,
        form,
        lambda author: maintenance.tell_more(form, maintenance_id=pk, author=author).maintenance,
    )


@require_POST
@staff_required
def preview_maintenance_correction(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with a correction of what was said of a maintenance."""
    get_object_or_404(MaintenanceUpdate, pk=pk)
    form = forms.CorrectForm(request.POST)
    return _preview(
        request,
        form,
        lambda author: maintenance.correct(form, update_id=pk, author=author).maintenance,
    )


@require_POST
@staff_required
def preview_maintenance_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with a maintenance that is called otherwise, or touches something else."""
    form = maintenance.edit_form(get_object_or_404(Maintenance, pk=pk), data=request.POST)
    return _preview(
        request, form, lambda author: maintenance.edit(form, maintenance_id=pk, author=author)
    )


@require_POST
@staff_required
def preview_maintenance_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with another time of a maintenance."""
    form = maintenance.move_form(get_object_or_404(Maintenance, pk=pk), data=request.POST)
    return _preview(
        request, form, lambda author: maintenance.move(form, maintenance_id=pk, author=author)
    )


@require_POST
@staff_required
def preview_maintenance_extension(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with a later end of a maintenance."""
    planned, now = get_object_or_404(Maintenance, pk=pk), timezone.now()
    form = forms.ExtendForm(request.POST, maintenance=planned, now=now)
    return _preview(
        request,
        form,
        lambda author: maintenance_deeds.extend(form, maintenance_id=pk, author=author, at=now),
    )


@require_POST
@staff_required
def preview_maintenance_deed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Show the page with a maintenance that begins, is checked, ends or is called off."""
    deed = maintenance_deeds.deed_named(name)
    get_object_or_404(Maintenance, pk=pk)
    form = forms.DeedForm(request.POST)
    return _preview(
        request,
        form,
        lambda author: maintenance_deeds.carry_out(deed, form, maintenance_id=pk, author=author),
    )


@require_safe
@staff_required
def show_asset(_request: HttpRequest, slug: str, role: str) -> HttpResponse:
    """Answer with a style or a picture of a page, for its preview."""
    asset = assets(page_called(slug)).get(role)
    if asset is None:
        raise Http404
    answer = HttpResponse(asset.body, content_type=manifest.type_of(asset.path))
    answer["Cache-Control"] = "private, no-store"
    return answer


def _preview(
    request: HttpRequest, form: BaseForm | None, deed: Callable[[User], Matter]
) -> HttpResponse:
    """Show the pages after the deed, or why there is nothing to show."""
    trouble, status = "", _INVALID
    imagined: list[Imagined] = []
    others: list[Page] = []
    if form is None or form.is_valid():
        try:
            imagined, others = imagine(lambda: deed(actor(request)), asset_base=_asset_base)
        except Refused as refusal:
            trouble = str(refusal)
        except OperationalError:
            trouble, status = "Somebody else is posting just now. Try again.", _BUSY
        else:
            status = 200
    return render(
        request,
        "statuspage/desk/preview.html",
        {"imagined": imagined, "others": others, "form": form, "trouble": trouble},
        status=status,
    )


def _told(incident: Incident, author: User) -> Incident:
    """Return the incident after what was just said of it is out, if it has to be approved."""
    waiting = StatusUpdate.objects.filter(incident=incident, state=UpdateState.IN_REVIEW)
    newest = waiting.order_by("-created_at", "-pk").first()
    return _sent(newest, author) if newest else incident


def _sent(update: StatusUpdate, author: User) -> Incident:
    """Return the incident after its update is out, whoever has to approve it before."""
    now = timezone.now()
    if update.state == UpdateState.DRAFT:
        update = operations.publish_draft(update_id=update.pk, at=now, approver=author)
    if update.state == UpdateState.IN_REVIEW and update.author_id == author.pk:
        update = operations.publish_unapproved(
            update_id=update.pk, reason="a preview", at=now, author=author
        )
    elif update.state == UpdateState.IN_REVIEW:
        update = operations.approve_update(update_id=update.pk, at=now, approver=author)
    return update.incident


def _updates(request: HttpRequest) -> StatusUpdateQuerySet:
    """Return the updates of the incidents that somebody may know of."""
    seen = queries.incidents_seen_by(actor(request))
    return StatusUpdate.objects.filter(incident__in=seen)


def _asset_base(page: Page) -> str:
    return reverse("statuspage:preview-asset", args=[page.slug, "x"]).removesuffix("x")
