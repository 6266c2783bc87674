"""The address at which monitoring speaks: every answer that it gives, and nothing that it tells."""

import json
import logging
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents import operations
from incidents.inbound import LARGEST
from incidents.models import AlertHook, AlertRefusal, Incident
from incidents.values import AlertProvider, Severity, Visibility
from tests.incidents.payloads import (
    SECRET,
    WHSEC,
    alert,
    event,
    group,
    news,
    ping,
    sent,
    signed_as_standard,
    signed_by_pagerduty,
)

pytestmark = pytest.mark.django_db


class Door:
    """A hook as its sender knows it."""

    def __init__(self, provider: AlertProvider, secret: str = "") -> None:
        self.hook, self.token = operations.add_hook(
            name=str(provider),
            provider=provider,
            severity=Severity.SEV2,
            visibility=Visibility.INTERNAL,
            signing_secret=secret,
            at=timezone.now(),
            author=None,
        )
        self.client = Client(enforce_csrf_checks=True)

    def post(self, payload: Any, *, address: str = "", **headers: str) -> Any:
        return self.client.post(
            address or f"/api/alerts/{self.token}/",
            payload if isinstance(payload, bytes) else sent(payload),
            content_type="application/json",
            headers=headers,
        )


@pytest.fixture
def prometheus() -> Door:
    return Door(AlertProvider.ALERTMANAGER)


@pytest.fixture
def pager() -> Door:
    return Door(AlertProvider.PAGERDUTY, SECRET)


@pytest.fixture
def script() -> Door:
    return Door(AlertProvider.GENERIC)


class TestTaking:
    def test_says_what_was_done(self, prometheus: Door) -> None:
        answer = prometheus.post(group())

        incident = Incident.objects.get()
        assert answer.status_code == 200
        assert answer.json() == {
            "alerts": [
                {
                    "key": '{}/{severity="critical"}:{alertname="BackupTooOld"}',
                    "fingerprint": alert()["fingerprint"],
                    "did": "declared",
                    "incident": incident.ref,
                }
            ],
            "refused": [],
        }
        assert prometheus.post(group()).json()["alerts"][0]["did"] == "repeated"

    @pytest.mark.parametrize("address", ["/api/alerts/{}/", "/api/alerts/{}"])
    def test_by_the_token_in_the_address(self, script: Door, address: str) -> None:
        assert script.post(news(), address=address.format(script.token)).status_code == 200

    @pytest.mark.parametrize("address", ["/api/alerts/", "/api/alerts"])
    def test_by_the_token_in_a_header(self, script: Door, address: str) -> None:
        answer = script.post(news(), address=address, authorization=f"Bearer {script.token}")

        assert answer.status_code == 200

    def test_sets_no_cookie(self, script: Door) -> None:
        assert not script.post(news()).cookies

    def test_of_pagerduty_signed(self, pager: Door) -> None:
        body = sent(event())

        answer = pager.post(body, **signed_by_pagerduty(body))

        assert answer.json()["alerts"][0]["did"] == "declared"

    def test_of_a_ping(self, pager: Door) -> None:
        body = sent(ping())

        answer = pager.post(body, **signed_by_pagerduty(body))

        assert answer.status_code == 200
        assert answer.json() == {"alerts": [], "refused": [], "ignored": "pagey.ping"}
        pager.hook.refresh_from_db()
        assert pager.hook.last_received_at

    def test_signed_as_standard(self) -> None:
        door = Door(AlertProvider.GENERIC, WHSEC)
        body = sent(news())
        headers = signed_as_standard(body, at=timezone.now())

        assert door.post(body, **headers).json()["alerts"][0]["did"] == "declared"
        assert door.post(body, **headers).json()["alerts"][0]["did"] == "repeated"

    def test_of_the_good_ones_among_bad_ones(self, prometheus: Door) -> None:
        answer = prometheus.post(group(alert("A"), alert("B", startsAt="?")))

        assert answer.status_code == 200
        assert [one["did"] for one in answer.json()["alerts"]] == ["declared"]
        assert answer.json()["refused"][0]["code"] == "alert-wrong-shape"
        assert AlertRefusal.objects.get().reason.startswith("alerts[1].startsAt")


class TestRefusing:
    @pytest.mark.parametrize(
        ("payload", "status", "code"),
        [
            (b"", 400, "alert-not-json"),
            (b"{", 400, "alert-not-json"),
            (b"[]", 422, "alert-wrong-shape"),
            ({"alerts": []}, 422, "alert-wrong-shape"),
            (group(alert(startsAt="1970-01-01T00:00:00+14:00")), 422, "alert-impossible-time"),
            (b'{"a":' * 40 + b"1" + b"}" * 40, 422, "alert-too-deep"),
            (b" " * (LARGEST + 1), 413, "alert-too-large"),
        ],
    )
    def test_says_why_and_keeps_it(
        self, prometheus: Door, payload: Any, status: int, code: str
    ) -> None:
        answer = prometheus.post(payload)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        row = AlertRefusal.objects.get()
        assert (row.hook, row.code, row.reason) == (prometheus.hook, code, answer.json()["detail"])
        assert not Incident.objects.exists()

    def test_of_what_is_not_signed(self, pager: Door) -> None:
        body = sent(event())

        answers = [
            pager.post(body),
            pager.post(body, **signed_by_pagerduty(body, "another")),
            pager.post(body + b" ", **signed_by_pagerduty(body)),
        ]

        assert [answer.status_code for answer in answers] == [401, 401, 401]
        assert [answer.json()["code"] for answer in answers] == [
            "alert-unsigned",
            "alert-bad-signature",
            "alert-bad-signature",
        ]
        assert AlertRefusal.objects.count() == 3
        assert not Incident.objects.exists()

    def test_of_a_hook_that_is_off(self, script: Door) -> None:
        operations.switch_hook(hook_id=script.hook.pk, is_enabled=False)

        assert script.post(news()).status_code == 410
        assert not Incident.objects.exists()

    @pytest.mark.parametrize("address", ["/api/alerts/x/", "/api/alerts/x", "/api/alerts/"])
    def test_of_an_unknown_token_is_always_the_same(self, script: Door, address: str) -> None:
        answers = [
            script.post(news(), address=address),
            script.post(b"", address=address),
            script.post(b" " * (LARGEST + 1), address=address),
            script.post(news(), address=address, authorization="Basic nonsense"),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert {row.excerpt for row in AlertRefusal.objects.all()} == {""}

    @pytest.mark.parametrize("method", ["get", "put", "delete", "head"])
    def test_of_other_methods_tells_nothing_of_the_token(self, script: Door, method: str) -> None:
        known = getattr(script.client, method)(f"/api/alerts/{script.token}/")
        unknown = getattr(script.client, method)("/api/alerts/x/")

        assert (known.status_code, known.headers["Allow"]) == (405, "POST")
        assert known.content == unknown.content

    def test_of_a_length_that_is_none(self, script: Door) -> None:
        for length in ("x", "-1", "9" * 5000):
            answer = script.client.generic(
                "POST", f"/api/alerts/{script.token}/", b"", "application/json",
                CONTENT_LENGTH=length,
            )  # fmt: skip

            assert answer.status_code in (400, 413)

    def test_of_a_flood_fills_nothing(self, script: Door) -> None:
        for _number in range(40):
            script.post(b"{")

        assert AlertRefusal.objects.count() == 30


class TestSecrets:
    def test_stand_in_no_log_and_no_row(
        self, script: Door, caplog: pytest.LogCaptureFixture
    ) -> None:
        body = json.dumps(
            {"link": script.token, "key": {"password": "hunter2"}, "token": script.token}
        )

        with caplog.at_level(logging.DEBUG):
            script.post(body.encode())
            script.post(
                body.encode(), address="/api/alerts/", authorization=f"Bearer {script.token}"
            )
            script.client.get(f"/api/alerts/{script.token}/")

        logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
        kept = "".join(row.excerpt + row.reason for row in AlertRefusal.objects.all())
        assert AlertRefusal.objects.count() == 2
        assert "alert-wrong-shape" in caplog.text
        assert script.token not in logged + kept
        assert "hunter2" not in logged + kept
        assert 'key must be a string, not {"password": "…"}.' in kept

    def test_stand_in_no_log_of_a_fault(
        self, script: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(**_arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(operations, "take_in", fail)
        script.client.raise_request_exception = False

        answer = script.post(news())

        # Ours to mend: the sender tries again.
        assert answer.status_code == 500
        assert "ZeroDivisionError" in caplog.text
        assert script.token not in caplog.text


def test_hooks_are_rows_of_their_own(prometheus: Door, script: Door) -> None:
    assert AlertHook.objects.count() == 2
    assert prometheus.post(news()).status_code == 422
    assert script.post(group()).status_code == 422
