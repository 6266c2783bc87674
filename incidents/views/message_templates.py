"""The messages that staff prepare: listed, added, changed, taken away."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import MessageTemplate
from incidents.values import TemplateKind

_INVALID = 422


@require_GET
@staff_required
def list_templates(request: HttpRequest) -> HttpResponse:
    """Show what is prepared, by kind."""
    rows = list(MessageTemplate.objects.order_by("name", "pk").prefetch_related("components"))
    kinds = [(kind, [row for row in rows if row.kind == kind]) for kind in TemplateKind]
    return render(request, "incidents/template_ready.html", {"kinds": kinds})


@staff_required
def add_template(request: HttpRequest, kind: str) -> HttpResponse:
    """Prepare a message."""
    if kind not in TemplateKind.values:
        raise Http404
    form = forms.MessageTemplateForm(request.POST or None, kind=TemplateKind(kind))
    if form.is_bound and form.is_valid():
        try:
            operations.add_message_template(kind=form.kind, **form.meant())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("“%s” is ready.") % form.cleaned_data["name"])
            return redirect("incidents:ready-list")
    return _form_page(request, form, None)


@staff_required
def edit_template(request: HttpRequest, pk: int) -> HttpResponse:
    """Prepare a message anew."""
    template = get_object_or_404(MessageTemplate, pk=pk)
    named = ("name", "title", "body", "phase", "severity", "component_status")
    initial = {name: getattr(template, name) for name in named}
    initial["components"] = list(template.components.values_list("pk", flat=True))
    form = forms.MessageTemplateForm(
        request.POST or None, kind=TemplateKind(template.kind), initial=initial
    )
    if form.is_bound and form.is_valid():
        try:
            operations.edit_message_template(template_id=pk, **form.meant())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("“%s” is kept.") % form.cleaned_data["name"])
            return redirect("incidents:ready-list")
    return _form_page(request, form, template)


@require_POST
@staff_required
def remove_template(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a prepared message away."""
    operations.remove_message_template(template_id=pk)
    messages.success(request, _("The template is gone. What was posted with it stands."))
    return redirect("incidents:ready-list")


def _form_page(
    request: HttpRequest, form: forms.MessageTemplateForm, template: MessageTemplate | None
) -> HttpResponse:
    return render(
        request,
        "incidents/template_prepare.html",
        {"form": form, "template": template, "kind": form.kind.label},
        status=_INVALID if form.errors else 200,
    )
