"""What PagerDuty and senders of our own shape send: proven, then read."""

from datetime import timedelta
from typing import Any

import pytest

from incidents import inbound
from incidents.inbound import (
    BadSignature,
    ImpossibleTime,
    SecretMissing,
    SignatureOutOfTime,
    Unsigned,
    WrongShape,
)
from incidents.values import AlertProvider, AlertState
from tests.factories import MINUTE, NOON
from tests.incidents.payloads import (
    SECRET,
    WHSEC,
    aside,
    event,
    moment,
    news,
    ping,
    reading,
    sent,
    signed_as_standard,
    signed_by_pagerduty,
    told,
)

PD, OWN = AlertProvider.PAGERDUTY, AlertProvider.GENERIC


def _pagerduty(headers: dict[str, str], *, body: bytes = b"", secret: str = SECRET) -> None:
    inbound.read(PD, body=body or sent(event()), headers=headers, secret=secret, at=NOON)


class TestPagerDutySignature:
    def test_that_fits_is_taken(self) -> None:
        body = sent(event())

        _pagerduty(signed_by_pagerduty(body), body=body)

    def test_of_two_secrets_either_will_do(self) -> None:
        body = sent(event())
        fits = signed_by_pagerduty(body)["X-PagerDuty-Signature"]

        _pagerduty({"X-PagerDuty-Signature": f"v1={'0' * 64},{fits}"}, body=body)
        _pagerduty({"X-PagerDuty-Signature": f"{fits}, v2=later"}, body=body)

    def test_is_of_the_bytes_as_they_came(self) -> None:
        body = sent(event())

        with pytest.raises(BadSignature):
            _pagerduty(signed_by_pagerduty(body), body=body + b" ")

    @pytest.mark.parametrize("header", ["v1=", "v1=zz", "v1=\u00e4\u00f6", "v1=" + "a" * 64])
    def test_that_does_not_fit_is_refused(self, header: str) -> None:
        with pytest.raises(BadSignature):
            _pagerduty({"X-PagerDuty-Signature": header})

    @pytest.mark.parametrize("header", ["", "v2=abc", "sha256=abc"])
    def test_that_is_missing_is_refused(self, header: str) -> None:
        with pytest.raises(Unsigned):
            _pagerduty({"X-PagerDuty-Signature": header} if header else {})

    def test_without_a_secret_at_the_desk_proves_nothing(self) -> None:
        body = sent(event())

        with pytest.raises(SecretMissing):
            _pagerduty(signed_by_pagerduty(body, ""), body=body, secret="")

    def test_is_looked_at_before_the_payload(self) -> None:
        with pytest.raises(BadSignature):
            _pagerduty({"X-PagerDuty-Signature": "v1=00"}, body=b"{not json")


class TestPagerDutyEvents:
    def test_triggered_fires(self) -> None:
        (one,) = told(PD, event(priority={"id": "P", "summary": "P1"}))

        assert one.state == AlertState.FIRING
        assert (one.fingerprint, one.dedup_key) == ("PT4KHLK", "PT4KHLK")
        assert one.title == "The server is on fire."
        assert one.link == "https://subdomain.pagerduty.com/incidents/PT4KHLK"
        assert (one.starts_at, one.told_at) == (moment("11:50"), moment("11:50"))
        assert (one.severity, one.remark) == ("P1", "")
        assert one.labels == {"service": "My Mail Service"}

    def test_resolved_ends_when_it_occurred(self) -> None:
        (one,) = told(PD, event("resolved", at="2026-01-12T11:58:00Z"))

        assert (one.state, one.ends_at) == (AlertState.RESOLVED, moment("11:58"))

    def test_resolved_by_merging_says_into_what(self) -> None:
        reason = {"type": "merge_resolve_reason", "incident": {"id": "Q", "summary": "[#7] Fire"}}

        (one,) = told(PD, event("resolved", resolve_reason=reason))

        assert one.text == "Merged into [#7] Fire in PagerDuty."

    def test_reopened_fires(self) -> None:
        (one,) = told(PD, event("reopened"))

        assert (one.state, one.remark) == (AlertState.FIRING, "")

    @pytest.mark.parametrize(
        ("payload", "remark"),
        [
            (event("acknowledged"), "Acknowledged in PagerDuty by Earline Greenholt"),
            (event("unacknowledged"), "No longer acknowledged in PagerDuty"),
            (event("reassigned"), "Reassigned in PagerDuty to Earline Greenholt"),
            (event("escalated", assignees=None), "Escalated in PagerDuty"),
            (event("delegated"), "Delegated in PagerDuty to Earline Greenholt"),
            (
                event("priority_updated", priority={"summary": "P2"}),
                "Priority in PagerDuty: P2",
            ),
            (event("priority_updated"), "Priority in PagerDuty: none"),
        ],
    )
    def test_what_people_do_is_a_remark_on_what_fires(
        self, payload: dict[str, Any], remark: str
    ) -> None:
        (one,) = told(PD, payload)

        assert (one.remark, one.state) == (remark, AlertState.FIRING)

    @pytest.mark.parametrize(
        ("payload", "remark"),
        [
            (
                aside("incident.annotated", content="We are glad."),
                "Note in PagerDuty by Earline Greenholt: We are glad.",
            ),
            (
                aside("incident.status_update_published", message="A fix comes."),
                "Status update in PagerDuty: A fix comes.",
            ),
        ],
    )
    def test_words_say_nothing_of_the_state(self, payload: dict[str, Any], remark: str) -> None:
        (one,) = told(PD, payload)

        assert (one.remark, one.state, one.fingerprint) == (remark, None, "PT4KHLK")

    def test_ping_is_answered_and_ignored(self) -> None:
        read = reading(PD, ping())

        assert (read.alerts, read.ignored) == ((), "pagey.ping")

    @pytest.mark.parametrize("kind", ["incident.responder.added", "service.updated", "x.y"])
    def test_unknown_kinds_are_ignored(self, kind: str) -> None:
        read = reading(PD, aside(kind))

        assert (read.alerts, read.ignored) == ((), kind)

    @pytest.mark.parametrize(
        ("payload", "why"),
        [
            ({"messages": []}, "no event"),
            ({"event": {"id": "1"}}, "event_type is missing"),
            ({"event": {"event_type": "incident.triggered", "data": {}}}, "data.id is missing"),
            ({"event": {"event_type": "incident.triggered", "data": []}}, "must be an object"),
            (aside("incident.annotated", incident="x"), "must be an object"),
            (event(at=""), "occurred_at is missing"),
        ],
    )
    def test_another_shape_is_refused(self, payload: dict[str, Any], why: str) -> None:
        with pytest.raises(WrongShape, match=why):
            told(PD, payload)


class TestOwnShape:
    def test_needs_a_key_and_a_title(self) -> None:
        (one,) = told(OWN, news())

        assert (one.fingerprint, one.dedup_key) == ("nightly-backup", "nightly-backup")
        assert (one.state, one.starts_at, one.told_at) == (AlertState.FIRING, None, None)

    def test_says_more_if_it_likes(self) -> None:
        (one,) = told(
            OWN,
            news(
                state="resolved",
                text="Exit code 2",
                link="https://ci.example.org/1",
                severity="SEV1",
                starts_at="2026-01-12T11:00:00Z",
                ends_at="2026-01-12T11:30:00Z",
                told_at="2026-01-12T11:31:00Z",
                labels={"host": "db-1", "tries": 3},
            ),
        )

        assert (one.text, one.link, one.severity) == (
            "Exit code 2", "https://ci.example.org/1", "SEV1",
        )  # fmt: skip
        assert (one.starts_at, one.ends_at, one.told_at) == (
            moment("11:00"), moment("11:30"), moment("11:31"),
        )  # fmt: skip
        assert one.labels == {"host": "db-1", "tries": "3"}

    def test_an_end_needs_the_key_alone(self) -> None:
        (one,) = told(OWN, {"key": "nightly-backup", "state": "resolved"})

        assert one.title == "nightly-backup"

    @pytest.mark.parametrize(
        ("payload", "why"),
        [
            ({}, "key is missing"),
            ({"key": "   ", "title": "x"}, "key is missing"),
            ({"key": 3, "title": "x"}, "key must be a string"),
            ({"key": "x"}, "title is missing"),
            (news(state="ok"), "state must be firing or resolved"),
            (news(state=None), "state must be firing or resolved"),
            (news(state=["firing"]), "state must be firing or resolved"),
            (news(link="javascript:alert(1)"), "link must be an http"),
            (news(starts_at="now"), "starts_at must be a time"),
            (news(labels={str(number): "x" for number in range(101)}), "more than 100"),
        ],
    )
    def test_another_shape_is_refused(self, payload: dict[str, Any], why: str) -> None:
        with pytest.raises(WrongShape, match=why):
            told(OWN, payload)

    def test_a_time_that_cannot_be_meant_is_refused(self) -> None:
        with pytest.raises(ImpossibleTime):
            told(OWN, news(starts_at="2226-01-12T11:00:00Z"))


class TestStandardSignature:
    def _read(self, headers: dict[str, str], *, secret: str = WHSEC) -> inbound.Reading:
        return inbound.read(OWN, body=sent(news()), headers=headers, secret=secret, at=NOON)

    def test_that_fits_is_taken_and_names_the_message(self) -> None:
        read = self._read(signed_as_standard(sent(news()), at=NOON - 4 * MINUTE))

        assert read.alerts[0].event_id == "msg_1"

    def test_of_several_one_is_enough(self) -> None:
        headers = signed_as_standard(sent(news()))
        headers["webhook-signature"] = f"v1a,x v1,AAAA {headers['webhook-signature']}"

        assert self._read(headers).alerts

    @pytest.mark.parametrize("away", [timedelta(minutes=6), timedelta(minutes=-6)])
    def test_of_another_time_is_refused(self, away: timedelta) -> None:
        with pytest.raises(SignatureOutOfTime):
            self._read(signed_as_standard(sent(news()), at=NOON + away))

    @pytest.mark.parametrize("stamp", ["soon", "-5", "1" * 5000, "\u0661"])
    def test_of_no_time_is_refused(self, stamp: str) -> None:
        with pytest.raises(SignatureOutOfTime):
            self._read(signed_as_standard(sent(news())) | {"webhook-timestamp": stamp})

    @pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_without_one_of_its_headers_is_refused(self, header: str) -> None:
        headers = signed_as_standard(sent(news()))
        del headers[header]

        with pytest.raises(Unsigned):
            self._read(headers)

    @pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
    def test_holds_for_its_message_alone(self, header: str) -> None:
        headers = signed_as_standard(sent(news()))
        headers[header] = str(int(NOON.timestamp()) + 1)

        with pytest.raises(BadSignature):
            self._read(headers)

    def test_with_a_secret_that_is_no_base64_proves_nothing(self) -> None:
        with pytest.raises(SecretMissing):
            self._read(signed_as_standard(sent(news())), secret="whsec_***")

    def test_is_not_asked_for_without_a_secret(self) -> None:
        assert self._read({}, secret="").alerts
