"""Pages of the desk: whether everything would come back, and one database's readiness."""

from collections.abc import Sequence
from datetime import timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from backups import operations, plots, queries
from backups.models import BackupCheckName, CheckState, Database, LossForecast
from backups.options.words import amount, duration

_PAGE = 100
_PLOTTED_FOR = timedelta(days=30)
_CHANGES = 20


@require_GET
@staff_required
def show_dashboard(request: HttpRequest) -> HttpResponse:
    """Show every database on a line: if it were lost now, and what was found."""
    now = timezone.now()
    lines = queries.readiness(at=now)
    context = {
        "page": Paginator(lines, _PAGE).get_page(request.GET.get("page")),
        "counts": [
            (state, sum(1 for line in lines if line.state == state)) for state in CheckState
        ],
        "alerts": queries.open_alerts().count(),
        "reviews": queries.workarounds_due(at=now),
        "now": now,
    }
    is_part = request.headers.get("HX-Request") == "true"
    return render(request, "backups/_lines.html" if is_part else "backups/dashboard.html", context)


@require_GET
@staff_required
def show_readiness(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the checks of one database found, and how its figures went."""
    database = get_object_or_404(Database.objects.select_related("storage"), pk=pk)
    now = timezone.now()
    losses = queries.losses_since(pk, since=now - _PLOTTED_FOR)
    order = list(BackupCheckName)
    return render(
        request,
        "backups/readiness.html",
        {
            "database": database,
            "checks": sorted(
                database.backup_checks.all(), key=lambda row: order.index(BackupCheckName(row.name))
            ),
            "changes": database.check_changes.all()[:_CHANGES],
            "loss": losses[-1] if losses else None,
            "restore": queries.restores_at_work().filter(database_id=pk).last(),
            "standbys": queries.standbys_of(pk, at=now),
            "loss_words": _span(losses[-1].loss_seconds) if losses else "",
            "back_words": queries.back_words(losses[-1]) if losses else "",
            "plots": [*_loss_plots(database, losses), *_backup_plots(database)],
            "now": now,
        },
    )


@require_POST
@staff_required
def check_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the archive, look with every check, and have the storage listed anew by a worker."""
    get_object_or_404(Database, pk=pk)
    operations.ask_to_list(database_id=pk)
    found = operations.check_now(database_id=pk, at=timezone.now())
    bad = sum(1 for row in found if row.state != CheckState.OK)
    if bad:
        messages.warning(
            request,
            _(
                "Looked: %(bad)s of %(all)s checks not ok. A worker lists the storage anew: look "
                "here again in some minutes."
            )
            % {"bad": bad, "all": len(found)},
        )
    else:
        messages.success(
            request,
            _(
                "Looked: all is well. A worker lists the storage anew: look here again in some "
                "minutes."
            ),
        )
    return redirect("backups:readiness", pk=pk)


def _span(seconds: float | None) -> str:
    return duration(timedelta(seconds=seconds)) if seconds is not None else ""


def _loss_plots(database: Database, losses: Sequence[LossForecast]) -> list[plots.Plot | None]:
    may_lose, within = database.recovery_point_objective, database.recovery_time_objective
    return [
        plots.plotted(
            _("Data lost, if it were lost then"),
            [plots.Point(at=row.at, value=row.loss_seconds) for row in losses],
            told=_span,
            name="loss",
            limit=may_lose.total_seconds() if may_lose else None,
            limit_label=_("may be lost"),
        ),
        plots.plotted(
            _("Time until it is back, if it were lost then"),
            [
                plots.Point(
                    at=row.at, value=row.middle_seconds, low=row.low_seconds, high=row.high_seconds
                )
                for row in losses
            ],
            told=_span,
            name="back",
            limit=within.total_seconds() if within else None,
            limit_label=_("back within"),
        ),
    ]


def _backup_plots(database: Database) -> list[plots.Plot | None]:
    backups = list(reversed(queries.backups_of(database.pk)[:60]))
    drills = queries.measured_drills(database.pk)
    return [
        plots.plotted(
            _("Size of each backup, as stored"),
            [plots.Point(at=row.ended_at, value=row.stored_bytes) for row in backups],
            told=amount,
            name="size",
        ),
        plots.plotted(
            _("How long each backup took"),
            [
                plots.Point(at=row.ended_at, value=(row.ended_at - row.began_at).total_seconds())
                for row in backups
            ],
            told=_span,
            name="duration",
        ),
        plots.plotted(
            _("How long each drill took, and what was forecast"),
            [
                plots.Point(
                    at=row.requested_at, value=row.measured_seconds,
                    low=row.low_seconds, high=row.high_seconds,
                )
                for row in drills
            ],
            told=_span,
            name="drills",
        ),
    ]  # fmt: skip
