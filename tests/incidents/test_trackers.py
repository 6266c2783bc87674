"""The contract of adapters: each kind of tracker does the same for us, in its own tongue."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from incidents.trackers import Draft, Fault, TrackerFault, Unproven, Where, Wish, adapter, adapters
from tests.factories import NOON
from tests.incidents.trackers import (
    FAKES,
    TOKEN,
    FakeGitHub,
    FakeTracker,
    does_and_dies,
    open_tracker,
    says,
    signed,
    talks_html,
)

MARKER = "hw0123456789abcdef01234567"
BODY = f"Rehearse restores\n\nHighwater reference {MARKER}. What is written below stays."
DRAFT = Draft(title="Rehearse restores", body=BODY, marker=MARKER, due=date(2026, 2, 1))
SECRET = "what-webhooks-are-signed-with"
NONSENSE = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"issue": [], "object_kind": "issue", "object_attributes": 7, "webhookEvent": 3}',
    b'{"webhookEvent": "jira:issue_updated", "issue": {"key": "../SHOP-\\ud800"}}',
]


@pytest.fixture(params=FAKES, ids=lambda kind: kind.kind)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeTracker]:
    with open_tracker(request.param) as tracker:
        yield tracker


@pytest.fixture
def where(fake: FakeTracker) -> Where:
    return where_is(fake)


def where_is(fake: FakeTracker, **changes: str) -> Where:
    return Where(
        address=fake.address,
        project=changes.get("project", fake.project),
        labels=("incident",),
        issue_type=changes.get("issue_type", "Task"),
        secret=changes.get("secret", fake.secret),
    )


def test_every_adapter_has_a_tracker_to_be_tried_on() -> None:
    assert set(adapters()) == {fake.kind for fake in FAKES}


class TestTheContract:
    def test_a_look_says_what_is_there(self, fake: FakeTracker, where: Where) -> None:
        assert "is there" in adapter(fake.kind).look(where)

    def test_an_issue_is_created_and_read(self, fake: FakeTracker, where: Where) -> None:
        made = adapter(fake.kind).create(where, DRAFT)
        read = adapter(fake.kind).read(where, made.key)

        (issue,) = fake.issues.values()
        assert (issue.title, issue.body, issue.labels) == (DRAFT.title, BODY, ["incident"])
        assert made.key == read.key == fake.key_of(issue)
        assert read.url == fake.url_of(issue)
        assert (read.is_open, read.is_dropped) == (True, False)
        assert MARKER in read.body

    def test_an_issue_that_was_created_is_found_by_its_marker(
        self, fake: FakeTracker, where: Where
    ) -> None:
        speaks = adapter(fake.kind)
        made = speaks.create(where, DRAFT)
        for number in range(120):
            fake.add(f"Another {number}", "")

        found = speaks.find(where, MARKER, since=NOON - timedelta(minutes=10))
        assert found is not None
        assert found.key == made.key
        assert speaks.find(where, "hwffffffffffffffffffffffff", since=NOON) is None

    def test_its_texts_are_changed_and_its_state_stays(
        self, fake: FakeTracker, where: Where
    ) -> None:
        speaks = adapter(fake.kind)
        made = speaks.create(where, DRAFT)

        told = speaks.update(where, made, Wish(title="Rehearse them", body=BODY + "\nMore"))

        assert (told.title, told.is_open) == ("Rehearse them", True)
        assert fake.issues[1].body.endswith("More")

    @pytest.mark.parametrize("is_dropped", [False, True])
    def test_it_is_closed_and_opened_again(
        self, fake: FakeTracker, where: Where, *, is_dropped: bool
    ) -> None:
        speaks = adapter(fake.kind)
        made = speaks.create(where, DRAFT)

        closed = speaks.update(where, made, Wish(is_open=False, is_dropped=is_dropped))
        assert closed.is_open is False
        # GitLab knows one way to close.
        assert closed.is_dropped == (is_dropped and fake.kind != "gitlab")
        assert closed.changed_at is not None
        assert speaks.update(where, closed, Wish(is_open=True)).is_open is True
        assert fake.issues[1].title == DRAFT.title

    def test_the_address_of_an_issue_gives_its_key(self, fake: FakeTracker, where: Where) -> None:
        speaks, issue = adapter(fake.kind), fake.add("There before")

        assert speaks.key_of(where, fake.url_of(issue)) == fake.key_of(issue)
        for other in (
            fake.url_of(issue).replace("127.0.0.1", "example.org"),
            fake.url_of(issue).replace(fake.project, "acme/other"),
            fake.site,
            "javascript:alert(1)",
        ):
            assert speaks.key_of(where, other) == ""


class TestWebhooks:
    def test_one_that_is_proven_names_its_issue(self, fake: FakeTracker, where: Where) -> None:
        issue = fake.add("There before")
        body, headers = fake.word(issue, SECRET)

        assert adapter(fake.kind).hear(where, body, headers, SECRET) == fake.key_of(issue)

    def test_one_of_another_project_names_none(self, fake: FakeTracker) -> None:
        body, headers = fake.word(fake.add("There before"), SECRET)

        other = where_is(fake, project="acme/other")
        assert adapter(fake.kind).hear(other, body, headers, SECRET) == ""

    def test_one_that_is_signed_by_another_is_refused(
        self, fake: FakeTracker, where: Where
    ) -> None:
        body, headers = fake.word(fake.add("There before"), "another secret")

        with pytest.raises(Unproven):
            adapter(fake.kind).hear(where, body, headers, SECRET)

    def test_one_whose_signature_is_missing_is_refused(
        self, fake: FakeTracker, where: Where
    ) -> None:
        body, _headers = fake.word(fake.add("There before"), SECRET)

        with pytest.raises(Unproven):
            adapter(fake.kind).hear(where, body, {}, SECRET)

    def test_without_a_secret_only_an_address_can_be_proof(
        self, fake: FakeTracker, where: Where
    ) -> None:
        issue = fake.add("There before")
        body, headers = fake.word(issue, "")

        if adapter(fake.kind).needs_signing:
            with pytest.raises(Unproven):
                adapter(fake.kind).hear(where, body, headers, "")
        else:
            assert adapter(fake.kind).hear(where, body, {}, "") == fake.key_of(issue)

    @pytest.mark.parametrize("body", NONSENSE)
    def test_nonsense_names_no_issue(self, fake: FakeTracker, where: Where, body: bytes) -> None:
        _body, headers = fake.word(fake.add("x"), SECRET)
        for name in headers:
            if "Signature" in name:
                headers[name] = signed(body, SECRET)

        try:
            assert adapter(fake.kind).hear(where, body, headers, SECRET) == ""
        except Unproven as refusal:
            assert str(refusal)  # noqa: PT017 - either is right


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("trouble", "kind", "passes"),
        [
            (says(500, {"message": "oops"}), Fault.AWAY, True),
            (says(503), Fault.AWAY, True),
            (says(429, {"message": "slow"}, Retry_After="120"), Fault.AWAY, True),
            (talks_html, Fault.NONSENSE, True),
            (says(200, {"hello": "world"}), Fault.NONSENSE, True),
            (says(200, []), Fault.NONSENSE, True),
            (does_and_dies, Fault.AWAY, True),
            (says(401, {"message": "Bad credentials"}), Fault.DENIED, False),
            (says(403, {"message": "Forbidden"}), Fault.DENIED, False),
            (says(404, {"message": "Not Found"}), Fault.MISSING, False),
            (says(410, {"message": "Gone"}), Fault.MISSING, False),
            (says(301, {"message": "Moved"}, Location="/repositories/7"), Fault.MOVED, False),
            (says(422, {"message": "Validation Failed"}), Fault.INVALID, False),
        ],
    )
    def test_what_passes_is_told_from_what_waits_for_a_person(
        self, fake: FakeTracker, where: Where, trouble: object, kind: Fault, *, passes: bool
    ) -> None:
        fake.add("There before", BODY)
        fake.troubles = [trouble]  # type: ignore[list-item]

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).read(where, fake.key_of(fake.issues[1]))

        assert (fault.value.kind, fault.value.passes) == (kind, passes)
        assert TOKEN not in str(fault.value)

    def test_a_busy_tracker_says_how_long_it_is_left_alone(
        self, fake: FakeTracker, where: Where
    ) -> None:
        fake.troubles = [says(429, {}, Retry_After="300")]

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).look(where)

        assert fault.value.after == timedelta(minutes=5)

    def test_a_wrong_token_is_said_to_be_one(self, fake: FakeTracker) -> None:
        with pytest.raises(TrackerFault, match="token") as fault:
            adapter(fake.kind).look(where_is(fake, secret="wrong:secret-of-ours"))

        assert fault.value.kind == Fault.DENIED
        assert "secret-of-ours" not in str(fault.value)

    def test_a_secret_that_is_quoted_back_is_struck_out(
        self, fake: FakeTracker, where: Where
    ) -> None:
        fake.troubles = [says(400, {"message": f"I do not like {where.secret}"})]

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).look(where)

        assert where.secret not in str(fault.value)

    def test_a_renamed_project_is_said_to_be_one(self, fake: FakeTracker, where: Where) -> None:
        fake.moved_to = "OTHER"

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).look(where)

        assert fault.value.kind == Fault.MOVED

    def test_nothing_is_created_in_a_project_that_was_renamed(
        self, fake: FakeTracker, where: Where
    ) -> None:
        fake.moved_to = "OTHER"
        if "jira" in fake.kind:
            # Jira takes the old key of a project.
            adapter(fake.kind).create(where, DRAFT)
            assert len(fake.issues) == 1
            return

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).create(where, DRAFT)

        assert (fault.value.kind, fault.value.passes) == (Fault.MOVED, False)
        assert fake.issues == {}

    def test_what_a_tracker_says_is_shown_without_what_no_page_can_hold(
        self, fake: FakeTracker, where: Where
    ) -> None:
        fake.troubles = [says(400, {"message": "a\ud800b\x00c\x1b[31m"})]

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).look(where)

        assert str(fault.value).isprintable()

    def test_a_server_that_is_down_is_away(self, where: Where, fake: FakeTracker) -> None:
        gone = where_is_nowhere(where)

        with pytest.raises(TrackerFault) as fault:
            adapter(fake.kind).read(gone, fake.key_of(fake.add("x")))

        assert fault.value.kind == Fault.AWAY


def where_is_nowhere(where: Where) -> Where:
    """Return a place where nobody listens."""
    return Where(
        address="http://127.0.0.1:65000",
        project=where.project,
        labels=(),
        issue_type=where.issue_type,
        secret=where.secret,
    )


class TestGitHub:
    @pytest.fixture
    def fake(self) -> Iterator[FakeTracker]:
        with open_tracker(FakeGitHub) as tracker:
            yield tracker

    def test_its_limit_of_calls_passes_by_itself(self, fake: FakeTracker, where: Where) -> None:
        fake.troubles = [
            says(403, {"message": "API rate limit exceeded"}, X_RateLimit_Remaining="0")
        ]

        with pytest.raises(TrackerFault) as fault:
            adapter("github").look(where)

        assert fault.value.kind == Fault.AWAY
        assert fault.value.after == timedelta(minutes=1)

    def test_the_signature_of_its_documentation_is_taken(self, where: Where) -> None:
        # The test values that GitHub publishes for X-Hub-Signature-256.
        headers = {
            "X-Hub-Signature-256": (
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
            )
        }
        with pytest.raises(Unproven, match="JSON"):
            adapter("github").hear(where, b"Hello, World!", headers, "It's a Secret to Everybody")

    def test_an_archived_repository_takes_nothing(self, fake: FakeTracker, where: Where) -> None:
        assert isinstance(fake, FakeGitHub)
        fake.is_archived = True

        with pytest.raises(TrackerFault, match="archived"):
            adapter("github").look(where)
