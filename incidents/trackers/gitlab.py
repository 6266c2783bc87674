"""GitLab, at gitlab.com or anywhere: the REST API, version 4."""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from incidents.trackers.base import Draft, Fault, Remote, TrackerFault, Unproven, Where, Wish
from incidents.trackers.wire import call, heard, inner, moment, nonsense, part, text, too_many

_PAGE = 100
_MOST_PAGES = 10
_ISSUE = re.compile(r"/(.+?)/(?:-/)?(?:issues|work_items)/(\d+)/?")


class GitLab:
    """Issues of one project, named by its path ``group/project``."""

    label = "GitLab"
    usual_address = "https://gitlab.com/api/v4"
    example = "acme/shop"
    has_types = False
    needs_signing = True
    settles_in = timedelta(minutes=1)

    def look(self, where: Where) -> str:
        """Say what is there."""
        found = self._call(where, "GET", "")
        name = part(found, "path_with_namespace", str)
        if name.lower() != where.project.lower():
            raise TrackerFault(Fault.MOVED, f"The project is called {name} now. Enter that.")
        if found.get("archived"):
            raise TrackerFault(Fault.INVALID, f"{name} is archived: it takes no issues.")
        if found.get("issues_access_level") == "disabled":
            raise TrackerFault(Fault.INVALID, f"{name} has its issues switched off.")
        return f"{name} is there, and this token may read it."

    def create(self, where: Where, draft: Draft) -> Remote:
        """Create an issue with our labels and the day by which it is due."""
        sent: dict[str, Any] = {"title": draft.title, "description": draft.body}
        if where.labels:
            sent["labels"] = ",".join(where.labels)
        if draft.due:
            sent["due_date"] = draft.due.isoformat()
        return _read(self._call(where, "POST", "/issues", send=sent))

    def find(self, where: Where, marker: str, *, since: datetime) -> Remote | None:
        """Go through the newest issues."""
        for page in range(1, _MOST_PAGES + 1):
            asked = {
                "scope": "all",
                "created_after": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "order_by": "created_at",
                "sort": "desc",
                "per_page": _PAGE,
                "page": page,
            }
            found = self._call(where, "GET", f"/issues?{urlencode(asked)}")
            if not isinstance(found, list):
                raise nonsense("there is no list of issues in its answer")
            for issue in found:
                if marker in text(issue, "description"):
                    return _read(issue)
            if len(found) < _PAGE:
                return None
        raise too_many(marker)

    def read(self, where: Where, key: str) -> Remote:
        """Read an issue."""
        return _read(self._call(where, "GET", f"/issues/{key}"))

    def update(self, where: Where, remote: Remote, wish: Wish) -> Remote:
        """Change title, description, due day and state in one go."""
        sent: dict[str, Any] = {}
        if wish.title is not None:
            sent["title"] = wish.title
        if wish.body is not None:
            # Both are ours to say, and an empty day takes the old one away.
            sent["description"] = wish.body
            sent["due_date"] = wish.due.isoformat() if wish.due else ""
        if wish.is_open is not None:
            sent["state_event"] = "reopen" if wish.is_open else "close"
        return _read(self._call(where, "PUT", f"/issues/{remote.key}", send=sent))

    def key_of(self, where: Where, url: str) -> str:
        """Return the number of an issue within the project."""
        parts, api = urlsplit(url), urlsplit(where.address)
        root = api.path.removesuffix("/api/v4")
        found = _ISSUE.fullmatch(parts.path.removeprefix(root))
        if found is None or parts.hostname != api.hostname:
            return ""
        return found[2] if found[1].lower() == where.project.lower() else ""

    def hear(self, where: Where, body: bytes, headers: Mapping[str, str], secret: str) -> str:
        """Return the number of the issue that an event is about. GitLab sends the secret as it is.

        :raises Unproven: if it is another one
        """
        if not secret:
            raise Unproven("The desk has no secret for this webhook. Enter where it is kept there.")
        offered = headers.get("X-Gitlab-Token", "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(offered, secret.encode()):
            raise Unproven("The secret token does not fit. Compare both.")
        found = heard(body)
        if found.get("object_kind") not in {"issue", "work_item"}:
            return ""
        name = text(found.get("project"), "path_with_namespace")
        number = inner(found, "object_attributes").get("iid")
        if name.lower() != where.project.lower() or not isinstance(number, int):
            return ""
        return str(number)

    def _call(self, where: Where, method: str, path: str, *, send: Any = None) -> Any:
        try:
            return call(
                method,
                f"{where.address}/projects/{quote(where.project, safe='')}{path}",
                headers={"Accept": "application/json", "PRIVATE-TOKEN": where.secret},
                send=send,
                secret=where.secret,
            )
        except TrackerFault as fault:
            # Where a project was renamed, GET is redirected and all else is not allowed.
            if f"({HTTPStatus.METHOD_NOT_ALLOWED.value}" in str(fault):
                raise TrackerFault(
                    Fault.MOVED, "The project was renamed. Enter its new name."
                ) from None
            raise


def _read(found: Any) -> Remote:
    number, state = part(found, "iid", int), part(found, "state", str)
    if state not in {"opened", "closed"}:
        raise nonsense(f"an issue is “{state[:20]}”")
    is_open = state == "opened"
    changed = (not is_open and found.get("closed_at")) or found.get("updated_at")
    return Remote(
        key=str(number),
        url=part(found, "web_url", str),
        title=part(found, "title", str),
        body=text(found, "description"),
        is_open=is_open,
        is_dropped=False,
        changed_at=moment(changed),
    )


ADAPTERS = {"gitlab": GitLab()}
