"""Pages of the desk: unregistering a database, and what stays on record of one that was."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import Database
from incidents.errors import Refused
from incidents.queries import hidden_incident_ids

_INVALID = 422
_RECENT = 25


@staff_required
def unregister_database(request: HttpRequest, pk: int) -> HttpResponse:
    """Unregister a database, once its name is typed."""
    database = get_object_or_404(Database.objects.select_related("storage"), pk=pk)
    form = forms.UnregisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = operations.unregister_database(
                database_id=pk,
                typed=form.cleaned_data["typed"],
                by=actor(request),
                at=timezone.now(),
            )
        except operations.DatabaseNameDiffers as refusal:
            form.add_error("typed", str(refusal))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is unregistered. Nothing was deleted.") % database)
            if done.ending:
                messages.info(
                    request, _("Asked to end, which takes a moment: %s.") % ", ".join(done.ending)
                )
            return redirect("backups:database-detail", pk=pk)
    return render(
        request,
        "backups/database_unregister.html",
        {"database": database, "form": form},
        status=_INVALID if form.errors else 200,
    )


def past_database(request: HttpRequest, database: Database) -> HttpResponse:
    """Show what stays on record of a database that is not registered any more."""
    return render(
        request,
        "backups/database_past.html",
        {
            "database": database,
            "restores": database.restores.select_related("target", "incident")
            .filter(is_scratch=False)
            .newest_first()[:_RECENT],
            "drills": queries.drills(database_id=database.pk)[:_RECENT],
            "hidden": hidden_incident_ids(actor(request)),
            "now": timezone.now(),
        },
    )
