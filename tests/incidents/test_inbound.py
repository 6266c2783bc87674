"""What Alertmanager and Grafana send, read; and what no hook takes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from incidents import inbound
from incidents.inbound import (
    ImpossibleTime,
    NotJson,
    TooDeep,
    TooLarge,
    TooMany,
    WrongShape,
    excerpt,
    offered_token,
    severity_of,
)
from incidents.inbound.reading import load
from incidents.values import AlertProvider, AlertState, Severity
from tests.factories import NOON
from tests.incidents.payloads import NEVER, alert, ended, grafana, group, moment, reading, told

AM = AlertProvider.ALERTMANAGER


def _one(payload: Any) -> inbound.Told:
    (only,) = told(AM, payload)
    return only


class TestAlertmanager:
    def test_tells_name_state_times_and_severity(self) -> None:
        one = _one(group())

        assert one.state == AlertState.FIRING
        assert one.title == "No full backup for 26 h"
        assert one.dedup_key == '{}/{severity="critical"}:{alertname="BackupTooOld"}'
        assert one.starts_at == datetime(2026, 1, 12, 11, 50, 0, 123456, tzinfo=UTC)
        assert one.ends_at is None
        assert one.severity == "critical"
        assert one.link == "http://prometheus.example.org:9090/graph?g0.expr=x"
        assert one.labels["db"] == "vtb"

    def test_tells_the_end(self) -> None:
        one = _one(group(ended(), status="resolved"))

        assert (one.state, one.ends_at) == (AlertState.RESOLVED, moment("11:55"))

    def test_an_end_in_the_year_one_is_none(self) -> None:
        assert _one(group(ended(NEVER))).ends_at is None

    def test_a_group_is_several_alerts_of_one_incident(self) -> None:
        first, second = told(AM, group(alert("A"), ended(fingerprint="b")))

        assert first.dedup_key == second.dedup_key
        assert first.fingerprint != second.fingerprint
        assert (first.state, second.state) == (AlertState.FIRING, AlertState.RESOLVED)

    def test_old_versions_leave_the_fingerprint_out(self) -> None:
        old = alert()
        del old["fingerprint"]
        payload = group(old, groupKey=1234567890123456789)
        del payload["truncatedAlerts"]

        one = _one(payload)

        assert one.fingerprint == _one(payload).fingerprint != ""
        assert one.dedup_key == "1234567890123456789"

    def test_without_a_group_key_the_labels_of_the_group_are_the_key(self) -> None:
        payload = group()
        del payload["groupKey"]

        one = _one(payload)

        assert one.dedup_key == _one(payload).dedup_key
        assert len(one.dedup_key) == 32

    def test_without_any_group_each_alert_is_its_own(self) -> None:
        payload = {"alerts": [alert()]}

        one = _one(payload)

        assert one.dedup_key == one.fingerprint

    def test_a_long_key_keeps_apart_what_differs_at_its_end(self) -> None:
        keys = {_one(group(groupKey="x" * 400 + end)).dedup_key for end in ("a", "b")}

        assert len(keys) == 2
        assert max(map(len, keys)) <= 180

    def test_without_a_summary_it_is_called_by_name_and_place(self) -> None:
        bare = alert(annotations={}, labels={"alertname": "Down", "instance": "db-1:9100"})

        assert _one(group(bare, commonAnnotations={})).title == "Down: db-1:9100"

    def test_of_several_the_good_ones_are_told(self) -> None:
        read = reading(
            AM, group(alert("A"), alert("B", startsAt="yesterday"), alert("C", labels=[]))
        )

        assert [one.title for one in read.alerts] == ["No full backup for 26 h"]
        assert [type(refusal) for refusal in read.refused] == [WrongShape, WrongShape]
        assert str(read.refused[0]).startswith("alerts[1].startsAt must be a time")

    def test_of_very_many_the_first_are_told(self) -> None:
        read = reading(AM, group(*(alert(str(number)) for number in range(501))))

        assert len(read.alerts) == 500
        assert [type(refusal) for refusal in read.refused] == [TooMany]

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"alerts": None}, "no list named alerts"),
            ({"alerts": []}, "alerts is empty"),
            ({"alerts": None, "ruleId": 1}, "legacy alerting"),
            ({"alerts": None, "event": {}}, "looks like PagerDuty"),
            ({"alerts": [3]}, r"alerts\[0\] must be an object"),
            ({"alerts": [alert(status="asleep")]}, "firing or resolved"),
            ({"alerts": [alert(startsAt=NEVER)]}, "startsAt is missing"),
            ({"alerts": [alert(labels={"a": {"b": 1}})]}, r"labels\.a must be a string"),
            ({"alerts": [alert(labels=[1])]}, "labels must be an object"),
            ({"groupKey": ["x"]}, "groupKey must be a string"),
        ],
    )
    def test_another_shape_is_refused_with_what_is_wrong(
        self, changes: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(WrongShape, match=why):
            told(AM, group(**changes))


class TestGrafana:
    def test_is_read_like_alertmanager(self) -> None:
        one = _one(grafana())

        assert one.starts_at == moment("11:30")
        assert one.link == "https://grafana.example.org/d/abc?viewPanel=2"
        assert one.state == AlertState.FIRING
        assert one.payload["values"] == {"B": 85.23, "C": 1}


class TestTimes:
    @pytest.mark.parametrize(
        "written",
        ["2026-01-12T11:50:00Z", "2026-01-12T12:50:00.000000000+01:00", "2026-01-12t11:50:00.0z"],
    )
    def test_are_read_whatever_their_zone_and_figures(self, written: str) -> None:
        assert _one(group(alert(startsAt=written))).starts_at == moment("11:50")

    @pytest.mark.parametrize(
        "written",
        [
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:01+14:00",
            "2026-02-30T00:00:00Z",
            "2026-01-12T25:00:00Z",
            "2026-01-14T12:00:00Z",
        ],
    )
    def test_that_cannot_be_meant_are_refused(self, written: str) -> None:
        with pytest.raises(ImpossibleTime, match=r"alerts\[0\]\.startsAt"):
            told(AM, group(alert(startsAt=written)))

    @pytest.mark.parametrize("written", ["2026-01-12T11:50:00", "12 January", 1768218600, True, {}])
    def test_that_are_no_times_are_refused(self, written: Any) -> None:
        with pytest.raises(WrongShape, match="must be a time such as"):
            told(AM, group(alert(startsAt=written)))


class TestLoading:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"   ",
            b"{",
            b"alert!",
            b'{"a": NaN}',
            b'{"a": 1e999}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b'{"a": "\xff"}',
            b'{"a": 1} {"b": 2}',
        ],
    )
    def test_what_is_no_json_is_refused(self, body: bytes) -> None:
        with pytest.raises(NotJson):
            load(body)

    @pytest.mark.parametrize("body", [b"[1]", b'"x"', b"null", b"3"])
    def test_json_that_is_no_object_is_refused(self, body: bytes) -> None:
        with pytest.raises(WrongShape, match="begins with"):
            load(body)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":' * 30 + b"1" + b"}" * 30,
            b'{"a":' + b"[" * 200_000,
            b'{"a": [' + b"0," * 60_000 + b"0]}",
        ],
    )
    def test_what_is_too_deep_or_has_too_many_parts_is_refused(self, body: bytes) -> None:
        with pytest.raises(TooDeep):
            load(body)

    def test_more_than_a_mebibyte_is_refused(self) -> None:
        with pytest.raises(TooLarge):
            inbound.read(AM, body=b" " * (inbound.LARGEST + 1), headers={}, secret="", at=NOON)

    def test_what_no_row_can_hold_is_replaced(self) -> None:
        assert load(rb'{"a\u0000": "b\u0000\ud800"}') == {"a\ufffd": "b\ufffd?"}


class TestExcerpt:
    def test_shows_the_beginning_without_secrets(self) -> None:
        body = b'{"token": "abc", "password":"hunter2", "Authorization: Bearer xyz", "n": "my-own"}'

        shown = excerpt(body + b"x" * 1000, hide=["my-own", ""])

        assert len(shown) == 400
        for secret in ("abc", "hunter2", "xyz", "my-own"):
            assert secret not in shown
        assert shown.startswith('{"token": "…"')

    def test_a_secret_at_the_cut_is_not_shown_by_halves(self) -> None:
        assert "half" not in excerpt(b"a" * 398 + b"half-of-it", hide=["half-of-it"])

    def test_of_bytes_that_are_no_text_is_text(self) -> None:
        assert "\x00" not in excerpt(b"\x00\xff\xfe{}")


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.SEV1),
        ("SEV-1", Severity.SEV1),
        ("P1", Severity.SEV1),
        ("sev 2", Severity.SEV2),
        ("Error", Severity.SEV2),
        ("warning", Severity.SEV3),
        ("info", Severity.SEV4),
        ("P5", Severity.SEV4),
        ("purple", None),
        ("", None),
    ],
)
def test_words_for_severities(word: str, severity: Severity | None) -> None:
    assert severity_of(word) == severity


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic aG9vazphYmM=", "abc"),
        ("Basic not-base64", ""),
        ("Basic //8=", ""),
        ("Digest abc", ""),
        ("", ""),
    ],
)
def test_a_token_is_found_in_the_header(header: str, token: str) -> None:
    assert offered_token({"Authorization": header}) == token
