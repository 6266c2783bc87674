"""Pages of the desk: what staff were told of backups, by which rules, and who knows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheckName,
    Database,
    Heartbeat,
    Silence,
)
from incidents.errors import Refused

_PAGE = 25
_INVALID = 422


@require_GET
@staff_required
def list_alerts(request: HttpRequest) -> HttpResponse:
    """Show the alerts that are open, then those that are over."""
    return _alerts_page(request)


@require_POST
@staff_required
def acknowledge_alert(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that one knows."""
    get_object_or_404(BackupAlert, pk=pk)
    try:
        operations.acknowledge_alert(alert_id=pk, by=actor(request), at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("You know of it now: nobody is reminded."))
    return redirect("backups:alert-list")


@require_POST
@staff_required
def acknowledge_alerts(request: HttpRequest) -> HttpResponse:
    """Say that one knows of all that the page showed; what came since then stays."""
    shown = [int(pk) for pk in request.POST.getlist("alert") if pk.isdecimal() and pk.isascii()]
    known = operations.acknowledge_alerts(alert_ids=shown, by=actor(request), at=timezone.now())
    messages.success(request, _("You know of %s by now: nobody is reminded.") % known)
    return redirect("backups:alert-list")


@require_POST
@staff_required
def silence_findings(request: HttpRequest) -> HttpResponse:
    """Have nobody told of some findings for a while."""
    form, now = forms.SilenceForm(request.POST), timezone.now()
    if form.is_valid():
        said = form.cleaned_data
        try:
            operations.silence_findings(
                database_id=said["database"].pk if said["database"] else None,
                checks=[BackupCheckName(name) for name in said["checks"]],
                until=form.until(now),
                reason=said["reason"],
                by=actor(request),
                at=now,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Silenced. It ends by itself."))
            return redirect("backups:alert-list")
    return _alerts_page(request, silence=form, status=_INVALID)


@require_POST
@staff_required
def end_silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a silence end now."""
    get_object_or_404(Silence, pk=pk)
    operations.end_silence(silence_id=pk, at=timezone.now())
    messages.success(request, _("The silence is over."))
    return redirect("backups:alert-list")


@require_GET
@staff_required
def list_rules(request: HttpRequest) -> HttpResponse:
    """Show who is told of what, and whether Highwater itself is heard."""
    return _rules_page(request)


@staff_required
def write_rule(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Write a rule, or say anew what one says."""
    row = get_object_or_404(AlertRule, pk=pk) if pk is not None else None
    if request.method == "POST":
        form = forms.AlertRuleForm(request.POST)
        if form.is_valid() and _is_written(form, pk, at=timezone.now()):
            messages.success(request, _("The rule holds from the next minute on."))
            return redirect("backups:alert-rule-list")
    else:
        form = forms.AlertRuleForm.of(row) if row else forms.AlertRuleForm()
    return render(
        request,
        "backups/alert_rule.html",
        {"form": form, "rule": row},
        status=_INVALID if form.errors else 200,
    )


def _is_written(form: forms.AlertRuleForm, pk: int | None, *, at: datetime) -> bool:
    try:
        operations.write_alert_rule(form.terms, rule_id=pk, at=at)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


@require_POST
@staff_required
def remove_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a rule away."""
    get_object_or_404(AlertRule, pk=pk)
    try:
        operations.remove_alert_rule(rule_id=pk)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The rule is gone."))
    return redirect("backups:alert-rule-list")


@require_POST
@staff_required
def set_heartbeat(request: HttpRequest) -> HttpResponse:
    """Say where "all is well here" is sent."""
    form = forms.HeartbeatForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        try:
            operations.set_heartbeat(
                url=said["url"], every=timedelta(seconds=said["every_seconds"])
            )
        except Refused as refusal:
            form.add_error("url", str(refusal))
        else:
            messages.success(
                request,
                _("The first heartbeat goes out within a minute.")
                if said["url"]
                else _("No heartbeat is sent any more."),
            )
            return redirect("backups:alert-rule-list")
    return _rules_page(request, heartbeat=form, status=_INVALID)


def _alerts_page(
    request: HttpRequest, *, silence: forms.SilenceForm | None = None, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    rows = list(queries.open_alerts())
    context: dict[str, Any] = {
        "places": _by_database(rows),
        "unknown": [row.pk for row in rows if row.acknowledged_at is None],
        "page": Paginator(queries.past_alerts(), _PAGE).get_page(request.GET.get("page")),
        "silences": queries.silences(at=now),
        "form": silence or forms.SilenceForm(),
        "now": now,
    }
    return render(request, "backups/alert_list.html", context, status=status)


def _by_database(rows: Iterable[BackupAlert]) -> list[tuple[Database | None, list[BackupAlert]]]:
    """Return the alerts of each database, of which two rules that tell of one finding are one."""
    places: dict[Database | None, dict[str, BackupAlert]] = {}
    for row in rows:
        places.setdefault(row.database, {}).setdefault(row.about, row)
    return [(database, list(findings.values())) for database, findings in places.items()]


def _rules_page(
    request: HttpRequest, *, heartbeat: forms.HeartbeatForm | None = None, status: int = 200
) -> HttpResponse:
    row = Heartbeat.objects.first()
    return render(
        request,
        "backups/alert_rules.html",
        {
            "rules": queries.alert_rules(),
            "heartbeat": row,
            "form": heartbeat or forms.HeartbeatForm(),
            "now": timezone.now(),
        },
        status=status,
    )
