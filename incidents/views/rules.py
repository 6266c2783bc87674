"""What staff have agreed on: shown, changed, and set back to what is usual."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused

_INVALID = 422


@staff_required
def edit_rules(request: HttpRequest) -> HttpResponse:
    """Show the rules that hold, and write down others."""
    agreed = queries.agreed()
    revisions = list(queries.revisions(agreed.desk).select_related("replaced_by"))
    form = forms.RulesForm(request.POST or None, agreed=agreed, revision=len(revisions))
    if form.is_bound and form.is_valid():
        try:
            operations.set_rules(at=timezone.now(), author=actor(request), **form.meant())
        except Refused as refusal:
            typed = request.POST.dict() | {"revision": str(len(revisions))}
            form = forms.RulesForm(typed, agreed=agreed, revision=len(revisions))
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("These rules hold from now on."))
            return redirect("incidents:rules")
    return render(
        request,
        "incidents/rules.html",
        {
            "form": form,
            "agreed": agreed,
            "revisions": revisions,
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def reset_rules(request: HttpRequest) -> HttpResponse:
    """Go back to what is usual."""
    operations.reset_rules(at=timezone.now(), author=actor(request))
    messages.success(request, _("The usual rules hold again. What held before is kept below."))
    return redirect("incidents:rules")
