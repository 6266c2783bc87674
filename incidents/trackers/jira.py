"""Jira: the Cloud and Data Center, by version 2 of the REST API, whose texts are plain."""

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from incidents.trackers.base import Draft, Fault, Remote, TrackerFault, Where, Wish
from incidents.trackers.wire import call, heard, moment, nonsense, part, refuse_unsigned, text

_FIELDS = "summary,description,status,resolution,resolutiondate,statuscategorychangedate,updated"
_ISSUE = re.compile(r"(.*)/browse/([A-Za-z][A-Za-z0-9_]*-\d+)/?")
# How Jira's own workflows call an end that is no completion.
_DROPPED = {"won't do", "won't fix", "wontfix", "declined", "duplicate", "cannot reproduce"}
_DONE = "done"
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-\d+")


class Jira:
    """Issues of one project, named by its key. A move in a workflow is a transition of its own."""

    example = "SHOP"
    has_types = True
    # Jira's search is behind what was created, by seconds as a rule.
    settles_in = timedelta(minutes=5)

    def __init__(self, *, is_cloud: bool) -> None:
        self._is_cloud = is_cloud
        self.label = "Jira Cloud" if is_cloud else "Jira Data Center"
        self.usual_address = ""
        # Older Data Centers sign nothing.
        self.needs_signing = is_cloud

    def look(self, where: Where) -> str:
        """Say what is there: the project, its type of issue, and whether we may create one."""
        found = self._call(where, "GET", f"/project/{where.project}")
        name = part(found, "name", str)
        if part(found, "key", str).upper() != where.project.upper():
            raise TrackerFault(Fault.MOVED, f"The project's key is {found['key']} now. Enter that.")
        types = [text(one, "name") for one in part(found, "issueTypes", list)]
        if where.issue_type.lower() not in {one.lower() for one in types}:
            raise TrackerFault(
                Fault.INVALID,
                f"{name} has no issues of the type {where.issue_type}, but of {', '.join(types)}.",
            )
        asked = urlencode({"projectKey": where.project, "permissions": "CREATE_ISSUES"})
        rights = part(self._call(where, "GET", f"/mypermissions?{asked}"), "permissions", dict)
        right = rights.get("CREATE_ISSUES")
        if not isinstance(right, dict) or not right.get("havePermission"):
            raise TrackerFault(Fault.DENIED, f"This token may not create issues in {name}.")
        return f"{name} is there, and this token may create issues in it."

    def create(self, where: Where, draft: Draft) -> Remote:
        """Create an issue. The day by which it is due stands in its text: screens may lack it."""
        fields: dict[str, Any] = {
            "project": {"key": where.project},
            "issuetype": {"name": where.issue_type},
            "summary": draft.title,
            "description": draft.body,
        }
        if where.labels:
            fields["labels"] = list(where.labels)
        made = self._call(where, "POST", "/issue", send={"fields": fields})
        key = _key(made)
        return Remote(
            key=key,
            url=f"{where.address}/browse/{key}",
            title=draft.title,
            body=draft.body,
            is_open=True,
            is_dropped=False,
            changed_at=None,
        )

    def find(self, where: Where, marker: str, *, since: datetime) -> Remote | None:
        """Search for the marker in descriptions. The Cloud has a search of a newer kind."""
        # Jira's days are those of whoever asks: one to spare.
        day = (since - timedelta(days=1)).strftime("%Y-%m-%d")
        jql = f'project = "{where.project}" AND created >= "{day}" AND description ~ "{marker}"'
        path = "/search/jql" if self._is_cloud else "/search"
        asked = urlencode({"jql": jql, "fields": _FIELDS, "maxResults": 20})
        found = self._call(where, "GET", f"{path}?{asked}")
        for issue in part(found, "issues", list):
            if marker in text(part(issue, "fields", dict), "description"):
                return _read(issue, where)
        return None

    def read(self, where: Where, key: str) -> Remote:
        """Read an issue. One that was moved comes back with its new key."""
        return _read(self._call(where, "GET", f"/issue/{key}?fields={_FIELDS}"), where)

    def update(self, where: Where, remote: Remote, wish: Wish) -> Remote:
        """Change the texts, then the state, and read what came of it."""
        fields: dict[str, Any] = {}
        if wish.title is not None:
            fields["summary"] = wish.title
        if wish.body is not None:
            fields["description"] = wish.body
        if fields:
            self._call(where, "PUT", f"/issue/{remote.key}", send={"fields": fields})
        if wish.is_open is not None:
            self._move(where, remote.key, is_open=wish.is_open, is_dropped=wish.is_dropped)
        return self.read(where, remote.key)

    def key_of(self, where: Where, url: str) -> str:
        """Return the key of an issue of the project."""
        parts, site = urlsplit(url), urlsplit(where.address)
        found = _ISSUE.fullmatch(parts.path)
        if found is None or parts.hostname != site.hostname or found[1] != site.path:
            return ""
        key = found[2].upper()
        return key if key.rpartition("-")[0] == where.project.upper() else ""

    def hear(self, where: Where, body: bytes, headers: Mapping[str, str], secret: str) -> str:
        """Return the key of the issue that an event is about."""
        if secret or self.needs_signing:
            refuse_unsigned(body, headers.get("X-Hub-Signature", ""), secret)
        found = heard(body)
        if not text(found, "webhookEvent").startswith("jira:issue_"):
            return ""
        key = text(found.get("issue"), "key").upper()
        is_ours = key.rpartition("-")[0] == where.project.upper() and _KEY.fullmatch(key)
        return key if is_ours else ""

    def _move(self, where: Where, key: str, *, is_open: bool, is_dropped: bool) -> None:
        """Take the transition that leads there: only some are open from where an issue is."""
        path = f"/issue/{key}/transitions"
        found = part(self._call(where, "GET", path), "transitions", list)
        ways = [(way, _category(way.get("to") or {}), text(way.get("to"), "name")) for way in found]
        if is_open:
            # Back to work rather than to the beginning.
            fit = [way for way, category, _ in ways if category == "indeterminate"]
            fit += [way for way, category, _ in ways if category == "new"]
        else:
            ends = [(way, name) for way, category, name in ways if category == _DONE]
            ends.sort(key=lambda end: (end[1].lower() in _DROPPED) != is_dropped)
            fit = [way for way, _ in ends]
        if not fit:
            aim = "open it again" if is_open else "close it"
            raise TrackerFault(
                Fault.INVALID,
                f"The workflow has no way to {aim} from where {key} is. Move it in Jira by hand.",
            )
        self._call(where, "POST", path, send={"transition": {"id": part(fit[0], "id", str)}})

    def _call(self, where: Where, method: str, path: str, *, send: Any = None) -> Any:
        if self._is_cloud:
            # “Somebody's mail address:API token”, as Basic has it.
            proof = "Basic " + base64.b64encode(where.secret.encode()).decode()
        else:
            proof = f"Bearer {where.secret}"
        return call(
            method,
            f"{where.address}/rest/api/2{path}",
            headers={"Accept": "application/json", "Authorization": proof},
            send=send,
            secret=where.secret,
        )


def _key(found: Any) -> str:
    key: str = part(found, "key", str)
    if not _KEY.fullmatch(key):
        raise nonsense(f"an issue is called “{key[:20]}”")
    return key


def _category(status: Any) -> str:
    return text(status.get("statusCategory"), "key") if isinstance(status, dict) else ""


def _read(found: Any, where: Where) -> Remote:
    key, fields = _key(found), part(found, "fields", dict)
    category = _category(part(fields, "status", dict))
    if not category:
        raise nonsense("there is no state in its answer")
    is_open = category != _DONE
    changed = (
        fields.get("statuscategorychangedate")
        or (not is_open and fields.get("resolutiondate"))
        or fields.get("updated")
    )
    ending = {text(fields.get("resolution"), "name"), text(fields.get("status"), "name")}
    return Remote(
        key=key,
        url=f"{where.address}/browse/{key}",
        title=part(fields, "summary", str),
        body=text(fields, "description"),
        is_open=is_open,
        is_dropped=not is_open and any(name.lower() in _DROPPED for name in ending),
        changed_at=moment(changed),
    )


ADAPTERS = {"jira-cloud": Jira(is_cloud=True), "jira": Jira(is_cloud=False)}
