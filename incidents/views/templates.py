"""The sentences that jobs say to customers, and staff's own in their place."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from incidents import forms, operations, wording
from incidents.models import UpdateTemplate

_INVALID = 422
_EXAMPLE = {
    "percent": "64 %",
    "progress": _("copying the backup, 64 %"),
    "phase": _("Copying the backup"),
    "eta": _("We expect it to be back between 14:20 and 15:05 UTC, by the speed of the last hour."),
    "data_until": "12 Jan 2026, 00:11 UTC",
    "attempts": "2",
    "amount": "38.2 GB",
    "checks": _("Every table was counted. Every page was read."),
    "resumes": _("It is planned to go on at 12 January 18:24 UTC."),
    "begins": "14 January 02:00 UTC",
    "ends": "14 January 04:00 UTC",
}


@require_GET
@staff_required
def list_templates(request: HttpRequest) -> HttpResponse:
    """Show every sentence, ours or staff's own, as customers would read it."""
    own = dict(UpdateTemplate.objects.values_list("code", "body"))
    rows = [
        {
            "code": code,
            "body": own.get(code, str(ours)),
            "is_own": code in own,
            "example": wording.fill(own.get(code, str(ours)), _EXAMPLE),
        }
        for code, ours in wording.UPDATES.items()
    ]
    return render(request, "incidents/template_list.html", {"rows": rows})


@staff_required
def edit_template(request: HttpRequest, code: str) -> HttpResponse:
    """Replace a sentence. Looked at first, if asked for; nothing is kept by that."""
    if code not in wording.UPDATES:
        raise Http404
    ours = str(wording.UPDATES[code])
    own = UpdateTemplate.objects.filter(code=code).first()
    form = forms.TemplateForm(
        request.POST or None,
        names={name: str(meaning) for name, meaning in wording.NAMES.items()},
        initial={"body": own.body if own else ours},
    )
    example = ""
    if request.method == "POST" and form.is_valid():
        if "preview" not in request.POST:
            operations.replace_template(code=code, body=form.cleaned_data["body"])
            messages.success(request, _("Jobs say it in your words from now on."))
            return redirect("incidents:template-list")
        example = wording.fill(form.cleaned_data["body"], _EXAMPLE)
    return render(
        request,
        "incidents/template_edit.html",
        {
            "code": code,
            "form": form,
            "ours": ours,
            "is_own": own is not None,
            "example": example,
            "names": wording.NAMES.items(),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def reset_template(request: HttpRequest, code: str) -> HttpResponse:
    """Go back to our sentence."""
    if code not in wording.UPDATES:
        raise Http404
    operations.reset_template(code=code)
    messages.success(request, _("Our sentence is back in its place."))
    return redirect("incidents:template-list")
