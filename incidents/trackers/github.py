"""GitHub, and GitHub Enterprise Server: the REST API, version 2022-11-28."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from incidents.trackers.base import Draft, Fault, Remote, TrackerFault, Where, Wish
from incidents.trackers.wire import (
    call,
    heard,
    inner,
    moment,
    nonsense,
    part,
    refuse_unsigned,
    text,
    too_many,
)

_PAGE = 100
_MOST_PAGES = 10
_ISSUE = re.compile(r"/([^/]+/[^/]+)/issues/(\d+)/?")
_PUBLIC_API = "api.github.com"
# Why an issue was closed, where that is not because it was done.
_DROPPED = {"not_planned", "duplicate"}


class GitHub:
    """Issues of one repository, named ``owner/name``."""

    label = "GitHub"
    usual_address = "https://api.github.com"
    example = "acme/shop"
    has_types = False
    needs_signing = True
    settles_in = timedelta(minutes=1)

    def look(self, where: Where) -> str:
        """Say what is there."""
        found = self._call(where, "GET", "")
        name = part(found, "full_name", str)
        if found.get("archived"):
            raise TrackerFault(Fault.INVALID, f"{name} is archived: it takes no issues.")
        if not found.get("has_issues", True):
            raise TrackerFault(Fault.INVALID, f"{name} has its issues switched off.")
        return f"{name} is there, and this token may read it."

    def create(self, where: Where, draft: Draft) -> Remote:
        """Create an issue with our labels."""
        sent = {"title": draft.title, "body": draft.body, "labels": list(where.labels)}
        return _read(self._call(where, "POST", "/issues", send=sent))

    def find(self, where: Where, marker: str, *, since: datetime) -> Remote | None:
        """Go through the newest issues: GitHub's search is minutes behind its lists."""
        for page in range(1, _MOST_PAGES + 1):
            asked = {
                "state": "all",
                "sort": "created",
                "direction": "desc",
                "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "per_page": _PAGE,
                "page": page,
            }
            found = self._call(where, "GET", f"/issues?{urlencode(asked)}")
            if not isinstance(found, list):
                raise nonsense("there is no list of issues in its answer")
            for issue in found:
                if marker in text(issue, "body"):
                    return _read(issue)
            if len(found) < _PAGE:
                return None
        raise too_many(marker)

    def read(self, where: Where, key: str) -> Remote:
        """Read an issue. One that was transferred answers with a redirect."""
        return _read(self._call(where, "GET", f"/issues/{key}"))

    def update(self, where: Where, remote: Remote, wish: Wish) -> Remote:
        """Change title, body and state in one go."""
        sent: dict[str, Any] = {}
        if wish.title is not None:
            sent["title"] = wish.title
        if wish.body is not None:
            sent["body"] = wish.body
        if wish.is_open is not None:
            sent["state"] = "open" if wish.is_open else "closed"
            closed = "not_planned" if wish.is_dropped else "completed"
            sent["state_reason"] = "reopened" if wish.is_open else closed
        return _read(self._call(where, "PATCH", f"/issues/{remote.key}", send=sent))

    def key_of(self, where: Where, url: str) -> str:
        """Return the number of an issue of the repository."""
        parts, host = urlsplit(url), urlsplit(where.address).hostname
        found = _ISSUE.fullmatch(parts.path)
        ours = "github.com" if host == _PUBLIC_API else host
        if found is None or parts.hostname != ours:
            return ""
        return found[2] if found[1].lower() == where.project.lower() else ""

    def hear(self, where: Where, body: bytes, headers: Mapping[str, str], secret: str) -> str:
        """Return the number of the issue that an event is about."""
        refuse_unsigned(body, headers.get("X-Hub-Signature-256", ""), secret)
        found = heard(body)
        if headers.get("X-GitHub-Event") != "issues":
            return ""
        name = text(found.get("repository"), "full_name")
        number = inner(found, "issue").get("number")
        if name.lower() != where.project.lower() or not isinstance(number, int):
            return ""
        return str(number)

    def _call(self, where: Where, method: str, path: str, *, send: Any = None) -> Any:
        return call(
            method,
            f"{where.address}/repos/{where.project}{path}",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {where.secret}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            send=send,
            secret=where.secret,
        )


def _read(found: Any) -> Remote:
    number, state = part(found, "number", int), part(found, "state", str)
    if state not in {"open", "closed"}:
        raise nonsense(f"an issue is “{state[:20]}”")
    if "pull_request" in found:
        raise TrackerFault(Fault.INVALID, f"{number} is a pull request, not an issue.")
    is_open = state == "open"
    changed = (not is_open and found.get("closed_at")) or found.get("updated_at")
    return Remote(
        key=str(number),
        url=part(found, "html_url", str),
        title=part(found, "title", str),
        body=text(found, "body"),
        is_open=is_open,
        is_dropped=not is_open and found.get("state_reason") in _DROPPED,
        changed_at=moment(changed),
    )


ADAPTERS = {"github": GitHub()}
