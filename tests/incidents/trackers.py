"""Trackers on this machine that speak as the real ones are documented to speak.

GitHub's REST API of 2022-11-28, GitLab's version 4, Jira's version 2; each with the statuses, the
bodies and the names that its documentation gives, and with faults that a test asks for.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

WHEN = datetime(2026, 1, 12, 12, tzinfo=UTC)
TOKEN = "only-for-tests-token"


@dataclass(kw_only=True)
class Issue:
    """An issue of a fake tracker."""

    number: int
    title: str
    body: str
    labels: list[str] = field(default_factory=list)
    due: str | None = None
    is_open: bool = True
    is_dropped: bool = False
    changed_at: datetime = WHEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked of a fake tracker."""

    method: str
    path: str
    headers: dict[str, str]
    sent: Any


Reply = tuple[int, Any]
Trouble = Callable[["Door", Callable[[], Reply]], None]


class FakeTracker:
    """What all of them share: issues, who may come in, what was asked, and what goes wrong."""

    kind: ClassVar[str]
    project: ClassVar[str]
    secret: ClassVar[str] = TOKEN
    root: ClassVar[str] = ""

    def __init__(self) -> None:
        self.port = 0
        self.issues: dict[int, Issue] = {}
        self.calls: list[Call] = []
        # Each goes wrong once, in turn; None goes well.
        self.troubles: list[Trouble | None] = []
        self.moved_to = ""
        self.is_over = Event()
        # Set when an issue was created.
        self.created = Event()

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return self.site + self.root

    def add(self, title: str, body: str = "", **fields: Any) -> Issue:
        issue = Issue(number=len(self.issues) + 1, title=title, body=body, **fields)
        self.issues[issue.number] = issue
        return issue

    def close(self, issue: Issue, at: datetime, *, is_dropped: bool = False) -> None:
        issue.is_open, issue.is_dropped, issue.changed_at = False, is_dropped, at

    def reopen(self, issue: Issue, at: datetime) -> None:
        issue.is_open, issue.is_dropped, issue.changed_at = True, False, at

    def made(self, title: str, body: str, **fields: Any) -> Issue:
        issue = self.add(title, body, **fields)
        self.created.set()
        return issue

    def asked(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def url_of(self, issue: Issue) -> str:
        raise NotImplementedError

    def key_of(self, issue: Issue) -> str:
        return str(issue.number)

    def reply(self, call: Call) -> Reply:
        raise NotImplementedError

    def word(self, issue: Issue, secret: str) -> tuple[bytes, dict[str, str]]:
        """Return a webhook about an issue: its body and headers."""
        raise NotImplementedError


class FakeGitHub(FakeTracker):
    """One repository, as api.github.com answers for it."""

    kind = "github"
    project = "acme/shop"
    is_archived = False

    def url_of(self, issue: Issue) -> str:
        return f"{self.site}/acme/shop/issues/{issue.number}"

    def reply(self, call: Call) -> Reply:  # noqa: PLR0911 - one return an answer
        if call.headers.get("Authorization") != f"Bearer {self.secret}":
            return 401, {"message": "Bad credentials", "status": "401"}
        path = urlsplit(call.path)
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)(/issues)?(?:/(\d+))?", path.path)
        if found is None or (found[1] != self.project and not self.moved_to):
            return 404, {"message": "Not Found", "status": "404"}
        if self.moved_to:
            status = 301 if call.method == "GET" else 307
            return status, {
                "message": "Moved Permanently",
                "url": f"{self.site}/repositories/1{found[2] or ''}",
            }
        if found[2] is None:
            return 200, {
                "full_name": self.project,
                "archived": self.is_archived,
                "has_issues": True,
            }
        if found[3] is None:
            return self._all(call, path.query)
        issue = self.issues.get(int(found[3]))
        if issue is None:
            return 404, {"message": "Not Found", "status": "404"}
        if call.method == "PATCH":
            self._change(issue, call.sent)
        return 200, self._json(issue)

    def _all(self, call: Call, query: str) -> Reply:
        if call.method == "POST":
            if not call.sent.get("title"):
                return 422, {"message": "Validation Failed", "errors": [{"code": "missing_field"}]}
            sent = call.sent
            issue = self.made(sent["title"], sent["body"], labels=sent.get("labels", []))
            return 201, self._json(issue)
        asked = parse_qs(query)
        size, page = int(asked["per_page"][0]), int(asked["page"][0])
        newest = sorted(self.issues.values(), key=lambda one: -one.number)
        return 200, [self._json(one) for one in newest[(page - 1) * size : page * size]]

    def _change(self, issue: Issue, sent: dict[str, Any]) -> None:
        issue.title = sent.get("title", issue.title)
        issue.body = sent.get("body", issue.body)
        if "state" in sent:
            issue.is_open = sent["state"] == "open"
            issue.is_dropped = sent.get("state_reason") == "not_planned"

    def _json(self, issue: Issue) -> dict[str, Any]:
        closed = "not_planned" if issue.is_dropped else "completed"
        return {
            "number": issue.number,
            "html_url": self.url_of(issue),
            "title": issue.title,
            "body": issue.body,
            "state": "open" if issue.is_open else "closed",
            "state_reason": None if issue.is_open else closed,
            "closed_at": None if issue.is_open else issue.changed_at.isoformat(),
            "updated_at": issue.changed_at.isoformat(),
        }

    def word(self, issue: Issue, secret: str) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(
            {
                "action": "closed",
                "issue": self._json(issue),
                "repository": {"full_name": self.project},
            }
        ).encode()
        return body, {"X-GitHub-Event": "issues", "X-Hub-Signature-256": signed(body, secret)}


class FakeGitLab(FakeTracker):
    """One project, as the API of a GitLab answers for it."""

    kind = "gitlab"
    project = "acme/shop"
    root = "/api/v4"

    def url_of(self, issue: Issue) -> str:
        return f"{self.site}/acme/shop/-/issues/{issue.number}"

    def reply(self, call: Call) -> Reply:  # noqa: PLR0911 - one return an answer
        if call.headers.get("Private-Token") != self.secret:
            return 401, {"message": "401 Unauthorized"}
        path = urlsplit(call.path)
        found = re.fullmatch(r"/api/v4/projects/([^/]+)(/issues)?(?:/(\d+))?", path.path)
        if found is None or unquote(found[1]) != self.project:
            return 404, {"message": "404 Project Not Found"}
        if self.moved_to:
            if call.method == "GET":
                return 301, {"message": "Moved"}
            return 405, {"message": "405 Method Not Allowed: moved projects"}
        if found[2] is None:
            return 200, {"path_with_namespace": self.project, "issues_access_level": "enabled"}
        if found[3] is None:
            return self._all(call, path.query)
        issue = self.issues.get(int(found[3]))
        if issue is None:
            return 404, {"message": "404 Issue Not Found"}
        if call.method == "PUT":
            self._change(issue, call.sent)
        return 200, self._json(issue)

    def _all(self, call: Call, query: str) -> Reply:
        if call.method == "POST":
            sent = call.sent
            issue = self.made(
                sent["title"],
                sent["description"],
                labels=sent.get("labels", "").split(",") if sent.get("labels") else [],
                due=sent.get("due_date"),
            )
            return 201, self._json(issue)
        asked = parse_qs(query)
        size, page = int(asked["per_page"][0]), int(asked["page"][0])
        newest = sorted(self.issues.values(), key=lambda one: -one.number)
        return 200, [self._json(one) for one in newest[(page - 1) * size : page * size]]

    def _change(self, issue: Issue, sent: dict[str, Any]) -> None:
        issue.title = sent.get("title", issue.title)
        issue.body = sent.get("description", issue.body)
        issue.due = sent.get("due_date", issue.due) or None
        if "state_event" in sent:
            issue.is_open = sent["state_event"] == "reopen"

    def _json(self, issue: Issue) -> dict[str, Any]:
        return {
            "id": 1000 + issue.number,
            "iid": issue.number,
            "web_url": self.url_of(issue),
            "title": issue.title,
            "description": issue.body,
            "state": "opened" if issue.is_open else "closed",
            "closed_at": None if issue.is_open else issue.changed_at.isoformat(),
            "updated_at": issue.changed_at.isoformat(),
            "due_date": issue.due,
        }

    def word(self, issue: Issue, secret: str) -> tuple[bytes, dict[str, str]]:
        body = {
            "object_kind": "issue",
            "project": {"path_with_namespace": self.project},
            "object_attributes": {"iid": issue.number, "action": "close", "state": "closed"},
        }
        headers = {"X-Gitlab-Event": "Issue Hook", "X-Gitlab-Token": secret}
        return json.dumps(body).encode(), headers


class FakeJiraCloud(FakeTracker):
    """One project, as a site of Jira Cloud answers for it."""

    kind = "jira-cloud"
    project = "SHOP"
    secret = f"bot@example.org:{TOKEN}"
    search = "/rest/api/2/search/jql"
    # A search finds what was created only after a while.
    is_behind = False

    def url_of(self, issue: Issue) -> str:
        return f"{self.site}/browse/{self.key_of(issue)}"

    def key_of(self, issue: Issue) -> str:
        return f"SHOP-{issue.number}"

    def proof(self) -> str:
        return "Basic " + base64.b64encode(self.secret.encode()).decode()

    def reply(self, call: Call) -> Reply:  # noqa: PLR0911 - one return an answer
        if call.headers.get("Authorization") != self.proof():
            return 401, {"errorMessages": ["You do not have the permission"], "errors": {}}
        path = urlsplit(call.path)
        asked = parse_qs(path.query)
        if path.path == "/rest/api/2/project/SHOP":
            return 200, {
                "key": self.moved_to or "SHOP",
                "name": "The shop",
                "issueTypes": [{"name": "Task", "subtask": False}, {"name": "Bug"}],
            }
        if path.path == "/rest/api/2/mypermissions":
            return 200, {"permissions": {"CREATE_ISSUES": {"havePermission": True}}}
        if path.path == "/rest/api/2/issue" and call.method == "POST":
            return self._made(call.sent["fields"])
        if path.path == self.search:
            word = re.search(r'description ~ "(\w+)"', asked["jql"][0])
            hits = [one for one in self.issues.values() if word and word[1] in one.body]
            return 200, {"issues": [] if self.is_behind else [self._json(one) for one in hits]}
        found = re.fullmatch(r"/rest/api/2/issue/SHOP-(\d+)(/transitions)?", path.path)
        issue = self.issues.get(int(found[1])) if found else None
        if found is None or issue is None:
            said = "Issue does not exist or you do not have permission to see it."
            return 404, {"errorMessages": [said], "errors": {}}
        return self._one(call, issue, at_transitions=bool(found[2]))

    def _one(self, call: Call, issue: Issue, *, at_transitions: bool) -> Reply:
        if at_transitions and call.method == "GET":
            ways = [("31", "Done", "done"), ("41", "Won't Do", "done")]
            back = [("11", "To Do", "new"), ("21", "In Progress", "indeterminate")]
            return 200, {
                "transitions": [
                    {
                        "id": number,
                        "name": name,
                        "to": {"name": name, "statusCategory": {"key": category}},
                    }
                    for number, name, category in (ways if issue.is_open else back)
                ]
            }
        if at_transitions:
            number = call.sent["transition"]["id"]
            issue.is_open, issue.is_dropped = number in {"11", "21"}, number == "41"
            return 204, None
        if call.method == "PUT":
            issue.title = call.sent["fields"].get("summary", issue.title)
            issue.body = call.sent["fields"].get("description", issue.body)
            return 204, None
        return 200, self._json(issue)

    def _made(self, fields: dict[str, Any]) -> Reply:
        if fields["issuetype"]["name"] not in {"Task", "Bug"} or "\n" in fields["summary"]:
            return 400, {"errorMessages": [], "errors": {"issuetype": "valid type is required"}}
        labels = fields.get("labels", [])
        issue = self.made(fields["summary"], fields["description"], labels=labels)
        key = self.key_of(issue)
        return 201, {"id": "1", "key": key, "self": f"{self.site}/rest/api/2/issue/1"}

    def _json(self, issue: Issue) -> dict[str, Any]:
        closed = "Won't Do" if issue.is_dropped else "Done"
        return {
            "key": self.key_of(issue),
            "fields": {
                "summary": issue.title,
                # As Jira writes lines.
                "description": issue.body.replace("\r\n", "\n").replace("\n", "\r\n"),
                "status": {
                    "name": "To Do" if issue.is_open else closed,
                    "statusCategory": {"key": "new" if issue.is_open else "done"},
                },
                "resolution": None if issue.is_open else {"name": closed},
                "statuscategorychangedate": issue.changed_at.strftime("%Y-%m-%dT%H:%M:%S.000%z"),
                "updated": issue.changed_at.strftime("%Y-%m-%dT%H:%M:%S.000%z"),
            },
        }

    def word(self, issue: Issue, secret: str) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(
            {"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "key": self.key_of(issue)}}
        ).encode()
        return body, {"X-Hub-Signature": signed(body, secret)}


class FakeJira(FakeJiraCloud):
    """One project of a Jira Data Center."""

    kind = "jira"
    secret = TOKEN
    search = "/rest/api/2/search"

    def proof(self) -> str:
        return f"Bearer {self.secret}"


FAKES: list[type[FakeTracker]] = [FakeGitHub, FakeGitLab, FakeJiraCloud, FakeJira]


class Door(BaseHTTPRequestHandler):
    """One call at a fake tracker."""

    tracker: FakeTracker

    def do_GET(self) -> None:
        self._take()

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - the names that the server calls

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(
            method=self.command,
            path=self.path,
            headers={name.title(): value for name, value in self.headers.items()},
            sent=json.loads(body) if body else None,
        )
        self.tracker.calls.append(call)
        trouble = self.tracker.troubles.pop(0) if self.tracker.troubles else None
        with suppress(OSError):
            if trouble is not None:
                trouble(self, lambda: self.tracker.reply(call))
            else:
                self.answer(*self.tracker.reply(call))

    def answer(self, status: int, found: Any, **headers: str) -> None:
        body = b"" if found is None else json.dumps(found).encode()
        self.raw(status, body, "application/json", **headers)

    def raw(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def says(status: int, found: Any = None, **headers: str) -> Trouble:
    """Answer so, and do nothing."""
    return lambda door, _do: door.answer(status, found, **headers)


def talks_html(door: Door, _do: Callable[[], Reply]) -> None:
    """Answer as the sign-in page of something in between."""
    door.raw(200, b"<html><body>Please sign in</body></html>", "text/html")


def does_and_dies(door: Door, do: Callable[[], Reply]) -> None:
    """Do what was asked for, and break off without an answer."""
    do()
    door.close_connection = True


def does_and_hangs(door: Door, do: Callable[[], Reply]) -> None:
    """Do what was asked for, and say nothing."""
    do()
    door.tracker.is_over.wait(30)


def signed(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@contextmanager
def open_tracker(kind: type[FakeTracker]) -> Iterator[FakeTracker]:
    """Run a fake tracker until the block ends."""
    tracker = kind()
    door = type("Door", (Door,), {"tracker": tracker})
    server = ThreadingHTTPServer(("127.0.0.1", 0), door)
    server.daemon_threads = True
    tracker.port = server.server_address[1]
    serving = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield tracker
    finally:
        tracker.is_over.set()
        server.shutdown()
        server.server_close()
        serving.join(timeout=10)
