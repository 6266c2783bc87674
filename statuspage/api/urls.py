"""Addresses under /v1/, each with and without ``.json``."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, register_converter

from statuspage.api import components as parts
from statuspage.api import incidents, pages, postmortems, subscribers, templates, uptime
from statuspage.api.absent import Absent, AbsentOne, Unknown


class CodeConverter:
    """An id: no dot, so that ``.json`` is none of it."""

    regex = "[0-9A-Za-z_-]{1,64}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CodeConverter, "code")

_PAGE = "pages/<code:page>"
_INCIDENT = f"{_PAGE}/incidents/<code:incident>"
_SUBSCRIBERS = f"{_PAGE}/subscribers"
_FOLLOWER = f"{_INCIDENT}/subscribers/<code:subscriber>"

_VIEWS: dict[str, Any] = {
    "pages": pages.Pages,
    _PAGE: pages.PageOne,
    f"{_PAGE}/incidents": incidents.Incidents,
    f"{_PAGE}/incidents/unresolved": incidents.Unresolved,
    f"{_PAGE}/incidents/scheduled": incidents.Scheduled,
    f"{_PAGE}/incidents/upcoming": incidents.Upcoming,
    f"{_PAGE}/incidents/active_maintenance": incidents.ActiveMaintenance,
    _INCIDENT: incidents.IncidentOne,
    f"{_INCIDENT}/incident_updates/<code:update>": incidents.UpdateOne,
    f"{_INCIDENT}/postmortem": postmortems.PostmortemOne,
    f"{_INCIDENT}/postmortem/publish": postmortems.PostmortemPublish,
    f"{_INCIDENT}/postmortem/revert": postmortems.PostmortemRevert,
    f"{_INCIDENT}/subscribers": subscribers.IncidentSubscribers,
    _FOLLOWER: subscribers.IncidentSubscriberOne,
    f"{_FOLLOWER}/resend_confirmation": subscribers.IncidentResend,
    f"{_PAGE}/components": parts.Components,
    f"{_PAGE}/components/<code:component>": parts.ComponentOne,
    f"{_PAGE}/components/<code:component>/uptime": uptime.ComponentUptime,
    f"{_PAGE}/component-groups": parts.Groups,
    f"{_PAGE}/component-groups/<code:group>": parts.GroupOne,
    f"{_PAGE}/component-groups/<code:group>/uptime": uptime.GroupUptime,
    f"{_PAGE}/incident_templates": templates.Templates,
    _SUBSCRIBERS: subscribers.Subscribers,
    f"{_SUBSCRIBERS}/count": subscribers.Counts,
    f"{_SUBSCRIBERS}/histogram_by_state": subscribers.Histogram,
    f"{_SUBSCRIBERS}/unsubscribed": subscribers.Unsubscribed,
    f"{_SUBSCRIBERS}/resend_confirmation": subscribers.Resend,
    f"{_SUBSCRIBERS}/unsubscribe": subscribers.Unsubscribe,
    f"{_SUBSCRIBERS}/reactivate": subscribers.Reactivate,
    f"{_SUBSCRIBERS}/<code:subscriber>": subscribers.SubscriberOne,
    f"{_SUBSCRIBERS}/<code:subscriber>/resend_confirmation": subscribers.ResendOne,
}


def _both(address: str, view: Callable[..., Any]) -> list[URLPattern]:
    return [path(address, view), path(f"{address}.json", view)]


def _absent() -> list[URLPattern]:
    found: list[URLPattern] = []
    for kind in ("metrics", "metrics_providers", "page_access_users", "page_access_groups"):
        found += _both(f"{_PAGE}/{kind}", Absent.as_view(kind=kind))
        found.append(path(f"{_PAGE}/{kind}/<path:rest>", AbsentOne.as_view(kind=kind)))
    for kind in ("page_access_users", "page_access_groups"):
        found += _both(f"{_PAGE}/components/<code:component>/{kind}", AbsentOne.as_view(kind=kind))
    embed = AbsentOne.as_view(kind="status_embed_config")
    found += _both(f"{_PAGE}/status_embed_config", embed)
    found.append(path("organizations/<path:rest>", AbsentOne.as_view(kind="organizations")))
    return found


urlpatterns: list[URLPattern] = [
    *(pattern for address, view in _VIEWS.items() for pattern in _both(address, view.as_view())),
    *_absent(),
    path("", Unknown.as_view()),
    path("<path:rest>", Unknown.as_view()),
]
