"""Pages of the desk: the buckets that hold backups, and how each is reached."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import staff_required
from backups import forms, operations, queries
from backups.models import StorageLocation
from incidents.errors import Refused

_INVALID = 422


@require_GET
@staff_required
def list_locations(request: HttpRequest) -> HttpResponse:
    """Show where backups lie."""
    return render(request, "backups/location_list.html", {"locations": queries.storage_locations()})


@staff_required
def edit_location(request: HttpRequest, pk: int) -> HttpResponse:
    """Reach a storage location in another way from now on."""
    location = get_object_or_404(StorageLocation, pk=pk)
    form = (
        forms.LocationForm(request.POST)
        if request.method == "POST"
        else forms.LocationForm.of(location)
    )
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            operations.change_storage_location(
                location_id=pk,
                endpoint=said["endpoint"],
                region=said["region"],
                credentials_reference=said["credentials_reference"],
                uses_path_style=said["uses_path_style"],
                provider=said["provider"],
                bucket=said["bucket"],
                prefix=said["folder"],
                tz=said["tz"].strip(),
                is_read_only=said["is_read_only"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("From now on %s is reached like this.") % location)
            return redirect("backups:location-list")
    return render(
        request,
        "backups/location_edit.html",
        {"location": location, "form": form},
        status=_INVALID if form.errors else 200,
    )
