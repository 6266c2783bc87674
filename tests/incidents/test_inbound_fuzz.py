"""Whatever is sent, the answer is one that the sender can read, and never a fault of ours."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents import inbound, operations
from incidents.inbound import AlertRefused
from incidents.values import AlertProvider, Severity, Visibility
from tests.factories import NOON
from tests.incidents.payloads import (
    SECRET,
    alert,
    aside,
    event,
    group,
    news,
    sent,
    signed_by_pagerduty,
)

ANSWERS = {200, 400, 413, 422}

# Text with everything in it that JSON can write, and half of what it should not.
text = st.text(st.characters(exclude_categories=()), max_size=30)
times = st.one_of(
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.sampled_from(["0001-01-01T00:00:00Z", "", "9999-12-31T23:59:59-23:59"]),
)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text, times)
anything = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)
SHAPES = [
    (AlertProvider.ALERTMANAGER, group(alert())),
    (AlertProvider.PAGERDUTY, event()),
    (AlertProvider.PAGERDUTY, aside("incident.annotated", content="x")),
    (AlertProvider.GENERIC, news(state="firing", starts_at="2026-01-12T11:00:00Z", labels={})),
]


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a message."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [here] + [path for name, part in inner for path in _paths(part, (*here, name))]


def _with(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return the message with another thing in the place of one of its parts."""
    if not path:
        return part
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = _with(value[path[0]], path[1:], part)
    return changed


@st.composite
def messages(draw: st.DrawFn) -> tuple[AlertProvider, bytes]:
    """Draw what a provider sends, with some of its parts replaced by anything."""
    provider, message = draw(st.sampled_from(SHAPES))
    for _turn in range(draw(st.integers(1, 3))):
        message = _with(message, draw(st.sampled_from(_paths(message))), draw(anything))
    return provider, sent(message)


def _headers(provider: AlertProvider, body: bytes) -> dict[str, str]:
    return signed_by_pagerduty(body) if provider == AlertProvider.PAGERDUTY else {}


@given(message=messages())
@settings(max_examples=400, deadline=None)
def test_a_message_is_read_or_refused_with_a_sentence(
    message: tuple[AlertProvider, bytes],
) -> None:
    provider, body = message
    secret = SECRET if provider == AlertProvider.PAGERDUTY else ""

    read = _read(provider, body, secret)

    for one in read.alerts:
        assert 0 < len(one.fingerprint) <= 180
        assert 0 < len(one.dedup_key) <= 180
        assert one.title or one.state is None
        assert len(one.title) <= 300
        json.dumps(one.payload, allow_nan=False).encode()
    for refusal in read.refused:
        assert str(refusal).endswith(".")
        assert len(str(refusal)) < 300


def _read(provider: AlertProvider, body: bytes, secret: str) -> inbound.Reading:
    """Read a message; one that is refused as a whole tells nothing but why."""
    try:
        return inbound.read(
            provider, body=body, headers=_headers(provider, body), secret=secret, at=NOON
        )
    except AlertRefused as refusal:
        return inbound.Reading(refused=(refusal,))


@given(body=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_bytes_are_refused_with_a_sentence(body: bytes) -> None:
    for provider in (AlertProvider.ALERTMANAGER, AlertProvider.GENERIC):
        with pytest.raises(AlertRefused):
            inbound.read(provider, body=body, headers={}, secret="", at=NOON)
    inbound.excerpt(body, hide=["x"]).encode()


@pytest.mark.django_db
@given(message=messages())
@settings(max_examples=150, deadline=None)
def test_the_address_never_answers_with_a_fault(message: tuple[AlertProvider, bytes]) -> None:
    provider, body = message
    token = _token(provider)

    answer = Client().post(
        f"/api/alerts/{token}/",
        body,
        content_type="application/json",
        headers=_headers(provider, body),
    )

    assert answer.status_code in ANSWERS
    assert answer.json().keys() & {"alerts", "code"}


def _token(provider: AlertProvider) -> str:
    """Open a hook for one message."""
    hook_name = f"{provider}-{timezone.now().timestamp()}"
    _hook, token = operations.add_hook(
        name=hook_name,
        provider=provider,
        severity=Severity.SEV2,
        visibility=Visibility.INTERNAL,
        signing_secret=SECRET if provider == AlertProvider.PAGERDUTY else "",
        at=timezone.now(),
        author=None,
    )
    return token
