"""The list of incidents, and the search of all that is on record."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import actor, staff_required
from incidents import forms, queries
from incidents.errors import Refused
from incidents.models import Incident
from incidents.views.desk import PAGE

_INVALID = 422
# Beyond the last page on which something can stand.
_LAST_PAGE = 1000


@require_GET
@staff_required
def list_incidents(request: HttpRequest) -> HttpResponse:
    """Show the incidents, those that are open first."""
    form = forms.IncidentFilterForm(request.GET, components=queries.component_tree())
    # What is wrong is said beside its field; the rest narrows.
    form.is_valid()
    stretch = queries.Stretch(incidents=[])
    try:
        stretch = queries.incident_list(
            actor(request),
            form.narrowing,
            size=PAGE,
            after=request.GET.get("after", ""),
            before=request.GET.get("before", ""),
        )
    except Refused as refusal:
        form.add_error("q", str(refusal))
    asked = _asked(request.GET, list(form.fields))
    return render(
        request,
        "incidents/incident_list.html",
        {
            "form": form,
            "incidents": stretch.incidents,
            "newer": _address(asked, before=stretch.newer) if stretch.newer else "",
            "older": _address(asked, after=stretch.older) if stretch.older else "",
            "top": _address(asked),
            "is_further": "after" in request.GET,
            "narrowed": [
                (label, words, _address({**asked, name: ""}))
                for name, label, words in form.narrowed_by()
            ],
            "is_wrong": bool(form.errors),
            "now": timezone.now(),
        },
    )


@require_GET
@staff_required
def search(request: HttpRequest) -> HttpResponse:
    """Show in which incidents the words stand; the name of an incident leads to it."""
    form = forms.SearchForm(request.GET)
    found, page = None, _page(request.GET.get("page", ""))
    typed = ""
    if form.is_valid() and (typed := form.cleaned_data["q"].strip()):
        number = queries.named_incident(typed)
        seen = Incident.objects.seen_by(actor(request))
        if number is not None and (named := seen.filter(pk=number).first()):
            return redirect(named)
        try:
            found = queries.search_record(
                typed,
                user=actor(request),
                part=queries.Part(form.cleaned_data["part"]) if form.cleaned_data["part"] else None,
                incident_id=form.cleaned_data["incident"],
                page=page,
            )
        except Refused as refusal:
            form.add_error("q", str(refusal))
    asked = _asked(request.GET, list(form.fields))
    return render(
        request,
        "incidents/search.html",
        {
            "form": form,
            "typed": typed,
            "found": found,
            "page": page,
            "newer": _address(asked, page=str(page - 1)) if page > 1 else "",
            "older": _address(asked, page=str(page + 1)) if found and found.has_more else "",
            "everywhere": _address({**asked, "part": "", "incident": ""}),
            "is_narrowed": bool(asked.get("part") or asked.get("incident")),
        },
        status=_INVALID if form.errors else 200,
    )


def _page(typed: str) -> int:
    """Return the number of a page; the first one for what is none."""
    return min(max(int(typed[:6]), 1), _LAST_PAGE) if typed.isdecimal() else 1


def _asked(query: QueryDict, names: list[str]) -> dict[str, str]:
    """Return what an address says about these fields."""
    return {name: said for name in names if (said := query.get(name))}


def _address(asked: dict[str, str], **more: str) -> str:
    """Return an address of the same page that asks for this; what is empty is left out."""
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in {**asked, **more}.items() if value})
    return f"?{query.urlencode()}"
