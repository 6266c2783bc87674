"""What is usually planned: kept under a name, and filled in when it comes up again."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import MaintenanceTemplate

_INVALID = 422


@require_GET
@staff_required
def list_templates(request: HttpRequest) -> HttpResponse:
    """Show every template."""
    return render(
        request,
        "incidents/maintenance_templates.html",
        {"templates": queries.maintenance_templates()},
    )


@staff_required
def add_template(request: HttpRequest) -> HttpResponse:
    """Keep a plan under a name."""
    form = forms.MaintenanceTemplateForm(request.POST or None, components=queries.component_tree())
    if form.is_bound and form.is_valid():
        try:
            operations.add_maintenance_template(**_meant(form))
        except Refused as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, _("“%s” is kept.") % form.cleaned_data["name"])
            return redirect("incidents:maintenance-templates")
    return _form_page(request, form, None)


@staff_required
def edit_template(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a template."""
    template = get_object_or_404(MaintenanceTemplate, pk=pk)
    shown = {
        "name": template.name,
        "body": template.body,
        "minutes": int(template.duration.total_seconds()) // 60,
    }
    form = forms.MaintenanceTemplateForm(
        request.POST or None,
        components=queries.component_tree(),
        initial=forms.plan_of(template) | shown,
    )
    if form.is_bound and form.is_valid():
        try:
            operations.edit_maintenance_template(template_id=pk, **_meant(form))
        except Refused as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, _("“%s” is kept.") % form.cleaned_data["name"])
            return redirect("incidents:maintenance-templates")
    return _form_page(request, form, template)


@require_POST
@staff_required
def remove_template(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a template away."""
    operations.remove_maintenance_template(template_id=pk)
    messages.success(request, _("The template is gone. What was scheduled with it stands."))
    return redirect("incidents:maintenance-templates")


def _meant(form: forms.MaintenanceTemplateForm) -> dict[str, Any]:
    return {
        "name": form.cleaned_data["name"],
        "plan": form.plan(),
        "duration": form.duration,
        "body": form.cleaned_data["body"],
    }


def _form_page(
    request: HttpRequest,
    form: forms.MaintenanceTemplateForm,
    template: MaintenanceTemplate | None,
) -> HttpResponse:
    return render(
        request,
        "incidents/maintenance_template_edit.html",
        {"form": form, "template": template},
        status=_INVALID if form.errors else 200,
    )
