"""Deeds of the desk: having manifests recorded of backups that were taken elsewhere."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import staff_required
from backups import operations
from backups.models import Database, ManifestJob
from incidents.errors import Refused

_NAMED = 5


@require_POST
@staff_required
def record_manifests(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the backups without a manifest read, and theirs recorded."""
    database = get_object_or_404(Database, pk=pk)
    try:
        jobs = operations.record_manifests(database_id=database.pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        said = _("Queued: %s. Workers take one at a time.")
        messages.success(request, said % ", ".join(str(job) for job in jobs[:_NAMED]))
    return redirect("backups:database-detail", pk=pk)


@require_POST
@staff_required
def cancel_manifest(request: HttpRequest, pk: int) -> HttpResponse:
    """Call a recording off."""
    job = get_object_or_404(ManifestJob.objects.select_related("backup"), pk=pk)
    try:
        operations.cancel_manifest(manifest_id=pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is called off. What was read so far serves later.") % job)
    return redirect("backups:database-detail", pk=job.database_id)
