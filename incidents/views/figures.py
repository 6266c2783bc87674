"""Figures over incidents, and past incidents that are like one."""

from collections.abc import Iterator

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, queries
from incidents.models import Component, Incident, IncidentFigures, Measure
from incidents.sheets import sheet
from incidents.views.boxes import Boxes, boxes
from incidents.views.desk import PAGE

# Beyond the last page on which something can stand.
_LAST_PAGE = 10_000
_CHUNK = 2000


@require_GET
@staff_required
def show_figures(request: HttpRequest) -> HttpResponse:
    """Show medians and quartiles over the incidents that an address chooses, and their list."""
    user = actor(request)
    components = list(queries.component_tree())
    form = _form(request, user, components)
    chosen, measure = form.chosen, form.looks_at
    asked = {name: said for name in form.fields if (said := request.GET.get(name))}
    page = _page(request.GET.get("page", ""))
    with queries.counting():
        overview = queries.overview(user, chosen)
        plots = _plots(user, chosen, measure, components, asked)
        behind = queries.longest_first(user, chosen, measure)
        listed = list(behind[(page - 1) * PAGE :][: PAGE + 1])
    # Few are shown: only of these the incident is read.
    prefetch_related_objects(listed, "incident")
    return render(
        request,
        "incidents/figures.html",
        {
            "form": form,
            "chosen": chosen,
            "measure": measure,
            "overview": overview,
            "measures": [
                (each.label, _address(asked, measure=each.value), each == measure, middle)
                for each, middle in overview.measures.items()
            ],
            "plots": plots,
            "rows": [(row, queries.kept_span(row, measure)) for row in listed[:PAGE]],
            "newer": _address(asked, page=str(page - 1)) if page > 1 else "",
            "older": _address(asked, page=str(page + 1)) if len(listed) > PAGE else "",
            "top": _address(asked),
            "csv": f"csv/{_address(asked)}",
            "is_narrowed": bool(asked),
        },
    )


@require_GET
@staff_required
def figures_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Answer with the figures of each chosen incident, a line each, in seconds."""
    user = actor(request)
    form = _form(request, user, list(queries.component_tree()))
    rows = queries.longest_first(user, form.chosen, form.looks_at)
    answer = StreamingHttpResponse(
        _lines(rows.select_related("incident").iterator(_CHUNK)), content_type="text/csv"
    )
    answer["Content-Disposition"] = 'attachment; filename="figures.csv"'
    return answer


@require_GET
@staff_required
def show_similar(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the past incidents that are like this one, on a page of their own."""
    return render(request, "incidents/similar.html", _similar(request, pk))


@require_GET
@staff_required
def similar_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with them alone, for the page of the incident."""
    return render(request, "incidents/_similar.html", _similar(request, pk))


def _similar(request: HttpRequest, pk: int) -> dict[str, object]:
    user = actor(request)
    incident = get_object_or_404(Incident.objects.seen_by(user), pk=pk)
    return {"incident": incident, "found": queries.similar_incidents(incident, user=user)}


def _form(request: HttpRequest, user: User, components: list[Component]) -> forms.FiguresForm:
    asked = request.GET.copy()
    asked.setdefault("measure", Measure.RESOLVE.value)
    form = forms.FiguresForm(
        asked, periods=queries.periods(user, at=timezone.now()), components=components
    )
    # What is wrong is said beside its field; the rest narrows.
    form.is_valid()
    return form


def _plots(
    user: User,
    chosen: queries.Chosen,
    measure: Measure,
    components: list[Component],
    asked: dict[str, str],
) -> list[tuple[Boxes, list[tuple[queries.Group, str]]]]:
    """Return each plot with the rows of its table, and the address that narrows to one."""
    found = (
        ("period", "By when it began", queries.by_period(user, chosen, measure)),
        ("severity", "By severity", queries.by_severity(user, chosen, measure)),
        ("component", "By component", queries.by_component(user, chosen, measure, components)),
        ("cause", "By kind of cause", queries.by_cause(user, chosen, measure)),
    )
    return [
        (
            boxes(name, title, groups),
            [(group, _address(asked, **{name: group.value})) for group in groups],
        )
        for name, title, groups in found
        if groups
    ]


def _lines(rows: Iterator[IncidentFigures]) -> Iterator[str]:
    ends = [f"{measure}_{end}" for measure in Measure.values for end in ("low", "high")]
    promises = ["promises_kept", "promises_settled"]
    head = ["incident", "title", "severity", "kind", "began_at"]
    return sheet(
        [*head, *(f"{end}_seconds" for end in ends), *promises],
        (
            [
                row.incident.ref,
                row.incident.title,
                row.severity,
                row.kind,
                row.began_at.isoformat(),
                *(getattr(row, name) for name in (*ends, *promises)),
            ]
            for row in rows
        ),
    )


def _page(typed: str) -> int:
    """Return the number of a page; the first one for what is none."""
    return min(max(int(typed[:6]), 1), _LAST_PAGE) if typed.isdecimal() else 1


def _address(asked: dict[str, str], **more: str) -> str:
    """Return an address of the same page that asks for this; what is empty is left out."""
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in {**asked, **more}.items() if value})
    return f"?{query.urlencode()}"
