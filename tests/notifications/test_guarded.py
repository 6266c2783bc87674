"""Posting to addresses that people typed in: what is reached, refused, and cut short."""

import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from notifications import guarded
from notifications.errors import PlaceAway, Undelivered
from notifications.guarded import Limits
from tests.sinks import (
    Chat,
    answering,
    drip,
    drip_a_header,
    drip_the_body,
    hang,
    pour,
    talk_nonsense,
)
from tests.tls import tls_front

SHORT = Limits(connect=1, silence=0.5, total=1)


class Names:
    """The names of the world outside, in the hands of a test: what each look-up finds in turn."""

    def __init__(self) -> None:
        self.known: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def look_up(self, host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        if host not in self.known:
            return self._real(host, port, *args, **named)
        self.asked.append(host)
        found = self.known[host]
        numbers = found.pop(0) if len(found) > 1 else found[0]
        if not numbers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET6 if ":" in number else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (number, port, 0, 0) if ":" in number else (number, port),
            )
            for number in numbers
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    known = Names()
    monkeypatch.setattr(socket, "getaddrinfo", known.look_up)
    return known


def _post(url: str, limits: Limits = SHORT, headers: Mapping[str, str] | None = None) -> None:
    guarded.post(url, body=b'{"text": "Hello"}', headers=headers or {}, limits=limits)


class TestArrives:
    def test_what_is_posted_is_what_arrives(self, chat: Chat) -> None:
        _post(chat.url("/hook?x=1"), headers={"Content-Type": "application/json"})

        (post,) = chat.posts
        assert (post.path, post.body) == ("/hook?x=1", b'{"text": "Hello"}')
        assert post.headers["Host"] == f"127.0.0.1:{chat.port}"
        assert post.headers["Content-Type"] == "application/json"

    def test_the_next_address_is_tried_where_one_does_not_answer(
        self, chat: Chat, names: Names
    ) -> None:
        names.known["chat.example.org"] = [["127.0.0.9", "127.0.0.1"]]

        _post(f"http://chat.example.org:{chat.port}{chat.door}/hook")

        assert chat.posts[0].headers["Host"] == f"chat.example.org:{chat.port}"

    @pytest.mark.parametrize("answer", [answering(200), answering(201, b"ok"), answering(204)])
    def test_any_200_is_taken(self, chat: Chat, answer: Any) -> None:
        chat.answer = answer

        _post(chat.url())

    @pytest.mark.parametrize("answer", [pour, drip_a_header, drip_the_body])
    def test_what_was_taken_was_taken_however_long_the_answer(
        self, chat: Chat, answer: Any
    ) -> None:
        chat.answer = answer

        _post(chat.url())

        assert len(chat.posts) == 1


class TestRefuses:
    def test_a_name_that_leads_inside(self, chat: Chat, names: Names, settings: Settings) -> None:
        settings.OUTGOING_NETWORKS = []
        names.known["inside.example.org"] = [["127.0.0.1"]]

        with pytest.raises(Undelivered, match="not the world outside") as refusal:
            _post(f"https://inside.example.org:{chat.port}/")

        assert refusal.value.is_final
        assert chat.posts == []

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254"]
    )
    def test_this_machine_by_any_name(self, chat: Chat, settings: Settings, host: str) -> None:
        settings.OUTGOING_NETWORKS = []

        with pytest.raises(Undelivered) as refusal:
            _post(f"https://{host}:{chat.port}/")

        assert refusal.value.is_final
        assert chat.posts == []

    def test_a_name_of_which_one_address_leads_inside(self, names: Names) -> None:
        names.known["both.example.org"] = [["127.0.0.1", "10.0.0.1"]]

        with pytest.raises(Undelivered, match="not the world outside"):
            _post("https://both.example.org/")

    def test_a_name_that_changes_its_mind_is_asked_once(
        self, chat: Chat, names: Names, settings: Settings
    ) -> None:
        settings.OUTGOING_NETWORKS = [ip_network("127.0.0.1/32")]
        names.known["fickle.example.org"] = [["127.0.0.1"], ["127.0.0.2"]]

        _post(f"http://fickle.example.org:{chat.port}{chat.door}/")
        assert names.asked == ["fickle.example.org"]
        assert len(chat.posts) == 1

        with pytest.raises(Undelivered, match="not the world outside"):
            _post(f"http://fickle.example.org:{chat.port}{chat.door}/")

    def test_plain_http_outside_the_named_networks(self, names: Names) -> None:
        names.known["plain.example.org"] = [["93.184.216.34"]]

        with pytest.raises(Undelivered, match="https") as refusal:
            _post("http://plain.example.org/")

        assert refusal.value.is_final

    def test_redirects(self, chat: Chat) -> None:
        chat.answer = answering(302, Location=f"http://127.0.0.1:{chat.port}/elsewhere")

        with pytest.raises(Undelivered, match="redirect") as refusal:
            _post(chat.url("/here"))

        assert refusal.value.is_final
        assert [post.path for post in chat.posts] == ["/here"]

    def test_headers_that_would_forge_others(self, chat: Chat) -> None:
        with pytest.raises(Undelivered):
            _post(chat.url(), headers={"X-One": "1\r\nX-Two: 2"})

        assert chat.posts == []


class TestFails:
    def test_a_name_that_nobody_knows_may_be_known_later(self, names: Names) -> None:
        names.known["gone.example.org"] = [[]]

        with pytest.raises(PlaceAway, match="no address") as fault:
            _post("https://gone.example.org/")

        assert not fault.value.is_final

    def test_a_server_that_is_away(self) -> None:
        with pytest.raises(PlaceAway, match="Nothing answers"):
            _post("http://127.0.0.9:9999/")

    @pytest.mark.parametrize("answer", [hang, drip])
    def test_a_server_that_keeps_one_waiting_is_left(self, chat: Chat, answer: Any) -> None:
        chat.answer = answer

        with pytest.raises(PlaceAway, match="in time"):
            _post(chat.url(), limits=Limits(connect=1, silence=0.6, total=1))

    def test_a_server_that_breaks_off(self, chat: Chat) -> None:
        chat.answer = talk_nonsense

        with pytest.raises(PlaceAway, match="broke"):
            _post(chat.url())

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
    def test_what_passes_is_tried_again(self, chat: Chat, status: int) -> None:
        chat.answer = answering(status)

        with pytest.raises(PlaceAway) as fault:
            _post(chat.url())

        assert not fault.value.is_final

    def test_the_answer_is_quoted_shortly_and_without_secrets(self, chat: Chat) -> None:
        chat.answer = answering(404, b"no such hook: secret-token-Xk3z\x00\n" + b"x" * 9000)

        with pytest.raises(Undelivered) as refusal:
            _post(chat.url("/services/secret-token-Xk3z"))

        assert "no such hook: …" in str(refusal.value)
        assert "secret-token" not in str(refusal.value)
        assert len(str(refusal.value)) < 200


class TestNames:
    def test_a_slow_look_up_takes_no_more_than_all_may_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over = threading.Event()

        def look_up(*_args: Any, **_named: Any) -> list[Any]:
            over.wait(10)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        try:
            with pytest.raises(PlaceAway, match="not looked up in time"):
                _post("https://slow.example/hook", Limits(connect=1, silence=0.2, total=0.2))
        finally:
            over.set()


class TestPatience:
    @pytest.mark.parametrize(
        ("said", "wait"),
        [
            ("120", timedelta(minutes=2)),
            ("0", timedelta()),
            ("99999", timedelta(hours=1)),
            ("9" * 40, timedelta(hours=1)),
            ("-5", None),
            ("soon", None),
            (f"Wed, 01 Jan {'9' * 20} 00:00:00 GMT", None),
            (f"Wed, 01 Jan 2920 00:00:00 +{'9' * 20}", None),
            ("", None),
            ("Wed, 01 Jan 2020 00:00:00 GMT", timedelta()),
            ("Wed, 01 Jan 2920 00:00:00 GMT", timedelta(hours=1)),
        ],
    )
    def test_is_kept_within_reason(self, chat: Chat, said: str, wait: timedelta | None) -> None:
        chat.answer = answering(429, Retry_After=said)

        with pytest.raises(PlaceAway) as fault:
            _post(chat.url())

        assert fault.value.after == wait

    def test_may_be_a_moment(self, chat: Chat) -> None:
        until = timezone.now() + timedelta(minutes=10)
        chat.answer = answering(503, Retry_After=format_datetime(until))

        with pytest.raises(PlaceAway) as fault:
            _post(chat.url())

        assert fault.value.after is not None
        assert timedelta(minutes=5) < fault.value.after <= timedelta(minutes=10)


class TestTls:
    @pytest.fixture
    def front(self, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        with tls_front(chat.port, tmp_path) as front:
            monkeypatch.setenv("SSL_CERT_FILE", str(front.authority))
            guarded._trust.cache_clear()
            yield f"{front.endpoint}{chat.door}"
        guarded._trust.cache_clear()

    def test_a_name_that_is_proven_is_posted_to(self, chat: Chat, front: str) -> None:
        _post(f"{front}/hook")

        assert [post.path for post in chat.posts] == ["/hook"]

    def test_another_name_is_not_though_the_address_is_the_same(
        self, chat: Chat, front: str, names: Names
    ) -> None:
        names.known["chat.example.org"] = [["127.0.0.1"]]

        with pytest.raises(PlaceAway, match="certificate"):
            _post(front.replace("localhost", "chat.example.org"))

        assert chat.posts == []

    def test_an_authority_that_nobody_knows_proves_nothing(
        self, chat: Chat, front: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        guarded._trust.cache_clear()

        with pytest.raises(PlaceAway, match="certificate"):
            _post(front)

        assert chat.posts == []

    def test_a_server_without_it_is_not_spoken_to(self, chat: Chat) -> None:
        with pytest.raises(PlaceAway):
            _post(chat.url().replace("http://", "https://"))

        assert chat.posts == []


class TestRefuseUnfit:
    def test_looks_up_no_name(self, names: Names) -> None:
        names.known["chat.example.org"] = [["10.0.0.1"]]

        guarded.refuse_unfit("https://chat.example.org/hook")

        assert names.asked == []

    @pytest.mark.parametrize("address", ["https://10.0.0.1/", "https://[::1]/", "nonsense"])
    def test_refuses_what_can_never_do(self, address: str) -> None:
        with pytest.raises(Undelivered):
            guarded.refuse_unfit(address)


class TestAsking:
    def test_the_answer_comes_back_whole_whatever_its_status(self, chat: Chat) -> None:
        chat.answer = answering(404, b'{"message": "Not Found"}', X_Name="value")

        answer = guarded.ask("POST", chat.url("/x"), headers={"A": "b"}, body=b"{}", limits=SHORT)

        assert (answer.status, answer.body) == (404, b'{"message": "Not Found"}')
        assert answer.headers["x-name"] == "value"
        assert chat.posts[0].headers["A"] == "b"

    def test_a_redirect_is_an_answer(self, chat: Chat) -> None:
        chat.answer = answering(301, b"", Location="http://169.254.169.254/")

        assert guarded.ask("POST", chat.url(), headers={}, limits=SHORT).status == 301
        assert len(chat.posts) == 1

    def test_how_long_to_wait_is_told(self, chat: Chat) -> None:
        chat.answer = answering(429, b"", Retry_After="90")

        answer = guarded.ask("POST", chat.url(), headers={}, limits=SHORT)

        assert answer.after == timedelta(seconds=90)

    @pytest.mark.parametrize(
        "trouble",
        [drip, drip_a_header, drip_the_body, talk_nonsense, hang, pour],
        ids=lambda trouble: trouble.__name__,
    )
    def test_an_answer_that_does_not_end_is_none(self, chat: Chat, trouble: Any) -> None:
        chat.answer = trouble

        with pytest.raises(PlaceAway):
            guarded.ask("POST", chat.url(), headers={}, limits=SHORT)

    def test_an_answer_that_is_too_long_is_none(self, chat: Chat) -> None:
        chat.answer = answering(200, b"x" * 2000)
        small = Limits(connect=1, silence=0.5, total=1, answer=1999)

        with pytest.raises(PlaceAway, match="longer"):
            guarded.ask("POST", chat.url(), headers={}, limits=small)

    def test_where_nothing_may_be_posted_nothing_is_asked(self) -> None:
        with pytest.raises(Undelivered) as fault:
            guarded.ask("GET", "https://169.254.169.254/x", headers={}, limits=SHORT)

        assert fault.value.is_final
