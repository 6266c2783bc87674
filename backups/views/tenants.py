"""Pages of the desk: the tenants of a database, and their private links."""

from collections.abc import Iterable

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import staff_required
from backups import operations, queries
from backups.models import Database, Tenant
from incidents import queries as record
from incidents.errors import Refused
from incidents.models import Tenant as Known
from incidents.views.desk import PAGE

_INVALID = 422


@require_GET
@staff_required
def list_tenants(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the tenants of a database, each with its private link."""
    database = get_object_or_404(Database, pk=pk)
    named = request.GET.get("q", "").replace("\0", "")
    page = Paginator(queries.tenants_of(pk, named=named), PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "backups/tenant_list.html",
        {"database": database, "page": page, "named": named, "tenants": with_codes(page)},
    )


@staff_required
def renew_code(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a tenant a new code, once that is confirmed."""
    tenant = get_object_or_404(_registered(), pk=pk)
    if request.method == "POST":
        operations.renew_code(tenant_id=pk, at=timezone.now())
        messages.success(request, _("%s has a new code. Hand it out again.") % tenant)
        return redirect("backups:tenant-list", pk=tenant.database_id)
    return render(request, "backups/tenant_code.html", {"tenant": tenant})


@staff_required
def remove_tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """Unregister a tenant, once that is confirmed."""
    tenant = get_object_or_404(_registered(), pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            operations.unregister_tenant(tenant_id=pk)
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("%s is removed, and its page with it.") % tenant)
            return redirect("backups:tenant-list", pk=tenant.database_id)
    return render(
        request,
        "backups/tenant_remove.html",
        {"tenant": tenant, "refusal": refusal},
        status=_INVALID if refusal else 200,
    )


def _registered() -> QuerySet[Tenant]:
    return Tenant.objects.filter(unregistered_at=None).select_related("database")


def with_codes(tenants: Iterable[Tenant]) -> list[tuple[Tenant, Known | None]]:
    """Return tenants with what the record of incidents knows of each: its code above all."""
    found = list(tenants)
    known = record.tenants([tenant.key for tenant in found])
    return [(tenant, known.get(tenant.key)) for tenant in found]
