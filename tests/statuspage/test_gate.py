"""Private pages: who is let in, and that nothing leaks to anybody else."""

import errno
import ipaddress
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import User
from incidents import operations as record
from incidents.values import Severity
from statuspage import operations, publisher
from statuspage.models import Access, Page, Publication
from statuspage.serving import PublicSite, directory
from statuspage.serving.gate import (
    TICKET,
    hash_password,
    is_password,
    is_valid,
    is_within,
    new_ticket,
    visitor_address,
)
from tests.factories import MINUTE, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor, _behind

SECRET = "Tours are down for one customer"
ADDRESSES = ["/", "/live", "/history", "/history.atom", "/robots.txt", "/api/v2/summary.json"]
PASSWORD = "correct horse"

pytestmark = pytest.mark.django_db(transaction=True)
Close = Callable[..., Page]


@pytest.fixture
def close(public_root: Path) -> Close:
    """Give what makes the first page a private one, with a secret on it."""

    def closed(access: Access, **values: object) -> Page:
        page = operations.set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
        record.declare_incident(
            title=SECRET, severity=Severity.SEV2, at=NOON, author=None, body="We are looking."
        )
        return operations.set_access(
            page_id=page.pk,
            access=access,
            at=NOON + MINUTE,
            **values,  # type: ignore[arg-type]
        )

    return closed


class TestAPrivatePage:
    @pytest.mark.parametrize(
        ("access", "values"),
        [
            (Access.PASSWORD, {"password": PASSWORD}),
            (Access.NETWORKS, {"networks": ["10.0.0.0/8"]}),
            (Access.VIEWERS, {}),
        ],
    )
    def test_tells_strangers_nothing(
        self, close: Close, visitor: Visitor, access: Access, values: dict[str, object]
    ) -> None:
        close(access, **values)

        for path in [*ADDRESSES, "/incidents/nothing", "/favicon.ico", "/assets/x"]:
            answer = visitor.get(path)
            assert answer.status == 401, path
            assert SECRET not in answer.text
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert answer.headers["X-Robots-Tag"] == "noindex"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert not [name for name in answer.headers if name.startswith("X-Highwater")]
        assert visitor.get("/", method="OPTIONS").status == 401
        assert visitor.get("/", method="HEAD").body == b""

    def test_is_not_kept_by_anybody_on_the_way(self, close: Close, visitor: Visitor) -> None:
        close(Access.NETWORKS, networks=["203.0.113.0/24"])

        for path in ADDRESSES:
            answer = visitor.get(path)
            assert answer.status == 200, path
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert "Access-Control-Allow-Origin" not in answer.headers
        tag = visitor.get("/").headers["ETag"]
        assert visitor.get("/", if_none_match=tag).headers["Cache-Control"] == "private, no-store"
        assert "Disallow: /" in visitor.get("/robots.txt").text

    def test_opens_to_the_feed_key(self, close: Close, visitor: Visitor) -> None:
        page = close(Access.PASSWORD, password=PASSWORD)

        assert SECRET in visitor.get(f"/history.atom?key={page.feed_key}").text
        for wrong in ("", "x", page.feed_key[:-1], page.ticket_key, "%ff"):
            assert visitor.get(f"/history.atom?key={wrong}").status == 401

    def test_that_becomes_public_is_open_at_once(self, close: Close, visitor: Visitor) -> None:
        page = close(Access.PASSWORD, password=PASSWORD)
        assert visitor.get("/").status == 401

        operations.set_access(page_id=page.pk, access=Access.PUBLIC, at=NOON + 2 * MINUTE)

        assert SECRET in visitor.get("/").text
        assert visitor.get("/").headers["Cache-Control"].startswith("public")

    def test_keeps_its_keys_from_other_users_of_the_machine(
        self, close: Close, public_root: Path
    ) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        assert (public_root / "pages.json").stat().st_mode & 0o077 == 0
        assert PASSWORD not in (public_root / "pages.json").read_text()


class TestPassword:
    def test_opens_the_page_for_a_while(self, close: Close, visitor: Visitor) -> None:
        close(Access.PASSWORD, password=PASSWORD)
        visitor.clock[0] = 1000.0

        answer = visitor.post("/enter", {"password": PASSWORD})
        cookie = answer.headers["Set-Cookie"]
        ticket = cookie.partition(";")[0]

        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        visitor.clock[0] += 11 * 3600
        assert visitor.get("/", cookie=f"a=b; {ticket}").status == 200
        visitor.clock[0] += 2 * 3600
        assert visitor.get("/", cookie=ticket).status == 401

    @pytest.mark.parametrize(
        ("referer", "leads_to"),
        [
            ("https://status.acme.example/uptime", "/uptime"),
            ("https://status.acme.example/enter", "/"),
            ("https://elsewhere.example/uptime", "/"),
            ("https://status.acme.example//elsewhere.example", "/"),
            ("https://[", "/"),
            ("", "/"),
        ],
    )
    def test_leads_to_what_was_asked_for(
        self, close: Close, visitor: Visitor, referer: str, leads_to: str
    ) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        answer = visitor.post(
            "/enter", {"password": PASSWORD}, host="status.acme.example", referer=referer
        )

        assert answer.headers["Location"] == leads_to

    def test_sends_its_ticket_over_tls_alone_where_there_is_tls(
        self, close: Close, visitor: Visitor
    ) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        answer = visitor.post("/enter", {"password": PASSWORD}, x_forwarded_proto="https")

        assert "; Secure" in answer.headers["Set-Cookie"]

    def test_that_is_wrong_is_told(self, close: Close, visitor: Visitor) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        answer = visitor.post("/enter", {"password": "battery staple"})

        assert answer.status == 403
        assert "This is not the password" in answer.text
        assert "Set-Cookie" not in answer.headers

    def test_cannot_be_guessed_fast(self, close: Close, visitor: Visitor) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        found = [self._guess(visitor, str(n)) for n in range(12)]

        assert found == [403] * 10 + [429] * 2
        assert self._guess(visitor, PASSWORD) == 429
        visitor.clock[0] += 60
        assert self._guess(visitor, PASSWORD) == 303

    def test_cannot_be_guessed_from_a_network_of_ones_own(
        self, close: Close, visitor: Visitor
    ) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        found = []
        for number in range(12):
            visitor.address = f"2001:db8::{number:x}"
            found.append(self._guess(visitor, "wrong"))
        visitor.address = "2001:db8:0:1::1"

        assert found == [403] * 10 + [429] * 2
        assert self._guess(visitor, PASSWORD) == 303

    def test_that_are_tried_all_at_once_keep_no_worker_busy(
        self, close: Close, visitor: Visitor
    ) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        found = []
        for number in range(6):
            visitor.address = f"198.51.100.{number}"
            found.append(visitor.post("/enter", {"password": "wrong"}).status)

        assert found == [403] * 4 + [429] * 2

    def _guess(self, visitor: Visitor, password: str) -> int:
        visitor.clock[0] += 1
        return visitor.post("/enter", {"password": password}).status

    def test_that_is_changed_closes_the_page_to_those_inside(
        self, close: Close, visitor: Visitor
    ) -> None:
        page = close(Access.PASSWORD, password=PASSWORD)
        cookie = visitor.post("/enter", {"password": PASSWORD}).headers["Set-Cookie"]
        assert visitor.get("/", cookie=cookie).status == 200

        operations.set_access(
            page_id=page.pk, access=Access.PASSWORD, password="another one", at=NOON + 2 * MINUTE
        )

        assert visitor.get("/", cookie=cookie).status == 401
        assert visitor.post("/enter", {"password": PASSWORD}).status == 403
        assert visitor.post("/enter", {"password": "another one"}).status == 303

    def test_of_a_form_too_long_or_torn_is_none(self, close: Close, visitor: Visitor) -> None:
        close(Access.PASSWORD, password=PASSWORD)

        assert visitor.post("/enter", {"password": PASSWORD, "x": "y" * 5000}).status == 403
        assert visitor.post("/enter", {}).status == 403

    def test_is_no_way_into_other_pages(self, close: Close, visitor: Visitor) -> None:
        close(Access.NETWORKS, networks=["10.0.0.0/8"])

        assert visitor.post("/enter", {"password": ""}).status == 403

    def test_is_known_again_and_never_kept(self) -> None:
        kept = hash_password(PASSWORD)

        assert is_password(PASSWORD, kept)
        assert not is_password(PASSWORD + " ", kept)
        assert PASSWORD not in kept
        assert hash_password(PASSWORD) != kept


class TestTickets:
    def test_cannot_be_made_or_stretched(self) -> None:
        ticket = new_ticket("key", now=0.0)
        until, _dot, signature = ticket.partition(".")

        assert is_valid(ticket, "key", now=1.0)
        assert not is_valid(ticket, "another", now=1.0)
        assert not is_valid(f"{int(until) + 1}.{signature}", "key", now=1.0)
        for torn in (
            "",
            ".",
            "x.y",
            f"{until}.",
            f"-1.{signature}",
            f"{until}.ü",
            "²." + signature,
        ):
            assert not is_valid(torn, "key", now=1.0)

    def test_are_found_among_odd_cookies(self, close: Close, visitor: Visitor) -> None:
        page = close(Access.VIEWERS)
        ticket = new_ticket(page.ticket_key, now=0.0)

        for others in ('prefs={"a":1}', "x=ü", "foo", ";;", "a=b=c"):
            assert visitor.get("/", cookie=f"{others}; {TICKET}={ticket}; z=1").status == 200

    @pytest.mark.parametrize("cookie", [TICKET, f"{TICKET}=", f"{TICKET}=;;;=", f'{TICKET}="\\'])
    def test_in_torn_cookies_are_none(self, close: Close, visitor: Visitor, cookie: str) -> None:
        close(Access.VIEWERS)

        assert visitor.get("/", cookie=cookie).status == 401


class TestNetworks:
    def test_let_in_whoever_comes_from_them(self, close: Close, visitor: Visitor) -> None:
        close(Access.NETWORKS, networks=["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"])

        found = {}
        for address in (
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "2001:db8::1",
            "192.0.2.1",
            "192.0.2.2",
            "11.0.0.1",
            "",
            "unix:",
        ):
            visitor.address = address
            found[address] = visitor.get("/").status
        assert list(found.values()) == [200, 200, 200, 200, 401, 401, 401, 401]

    def test_are_not_believed_from_anybodys_header(self, close: Close, visitor: Visitor) -> None:
        close(Access.NETWORKS, networks=["10.0.0.0/8"])

        assert visitor.get("/", x_forwarded_for="10.1.2.3").status == 401

    def test_are_believed_from_a_trusted_proxy(self, close: Close, public_root: Path) -> None:
        close(Access.NETWORKS, networks=["10.0.0.0/8"])
        trusted = [ipaddress.ip_network("203.0.113.0/24")]
        behind = Visitor(PublicSite(_behind, root=public_root, proxies=trusted))

        assert behind.get("/", x_forwarded_for="10.1.2.3").status == 200
        assert behind.get("/", x_forwarded_for="198.51.100.9, 10.1.2.3").status == 200
        # What stands further left, anybody may have written.
        assert behind.get("/", x_forwarded_for="10.1.2.3, 198.51.100.9").status == 401

    def test_of_proxies_end_at_the_first_stranger(self) -> None:
        proxies = [ipaddress.ip_network("127.0.0.0/8")]
        environ = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_X_FORWARDED_FOR": "1.1.1.1, 2.2.2.2, 127.0.0.2",
        }

        assert visitor_address(environ, proxies) == "2.2.2.2"
        assert not is_within("2.2.2.2", proxies)

    @pytest.mark.parametrize("networks", [[], ["10.0.0.0/33"], ["office"]])
    def test_that_are_none_are_refused(self, public_root: Path, networks: list[str]) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)

        with pytest.raises(operations.NoNetworks):
            operations.set_access(
                page_id=page.pk, access=Access.NETWORKS, networks=networks, at=NOON
            )


class TestViewers:
    def _ticket(self, client: Client) -> str:
        answer = client.get("/viewer/")
        assert answer["Location"] == "/"
        return f"{TICKET}={answer.cookies[TICKET].value}"

    def test_sign_in_to_read(self, close: Close, visitor: Visitor, client: Client) -> None:
        viewer = User.objects.create_user("viewer")
        close(Access.VIEWERS, viewer_ids=[viewer.pk])
        visitor.clock[0] = time.time()
        assert 'href="/viewer/"' in visitor.get("/").text
        assert client.get("/viewer/")["Location"].startswith("/desk/login/")

        client.force_login(viewer)

        assert SECRET in visitor.get("/", cookie=self._ticket(client)).text

    def test_are_those_that_were_named_and_staff(self, close: Close, client: Client) -> None:
        close(Access.VIEWERS)
        client.force_login(User.objects.create_user("outsider"))
        assert client.get("/viewer/").status_code == 403

        client.force_login(ResponderFactory.create())
        assert client.get("/viewer/").status_code == 302


def test_a_page_closed_while_others_are_set_up_stays_closed(
    close: Close, public_root: Path, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the directory reads the rows when it is their turn."""
    page = operations.set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    real = publisher.publish._publish_everything

    def closed_meanwhile(row: Page, now: Callable[[], datetime]) -> int:
        if not Page.objects.get(pk=page.pk).is_private:
            monkeypatch.setattr(publisher.publish, "_publish_everything", real)
            operations.set_access(
                page_id=page.pk, access=Access.PASSWORD, password=PASSWORD, at=NOON + MINUTE
            )
        return real(row, now)

    monkeypatch.setattr(publisher.publish, "_publish_everything", closed_meanwhile)
    publisher.publish_all()

    assert visitor.get("/").status == 401
    # With the gate's own words, though the row was read before it was closed.
    assert "Enter its password" in visitor.get("/").text


def test_a_gate_that_could_not_be_written_is_put_up_by_the_next_beat(
    close: Close, public_root: Path, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = operations.set_up_page(name="Acme", url="https://status.acme.example", at=NOON)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(directory, "write", full)
        with pytest.raises(OSError, match="No space"):
            operations.set_access(
                page_id=page.pk, access=Access.PASSWORD, password=PASSWORD, at=NOON + MINUTE
            )
        assert "No space left" in Publication.objects.get(page=page).failure
    assert visitor.get("/").status == 200

    publisher.publish_due()

    assert visitor.get("/").status == 401


def test_the_gate_stands_without_the_database(close: Close, public_root: Path) -> None:
    """The server that knows nothing but the files lets in and keeps out."""
    close(Access.PASSWORD, password=PASSWORD)
    publisher.publish_all()
    visitor = Visitor(PublicSite(_behind, root=public_root))

    cookie = visitor.post("/enter", {"password": PASSWORD}).headers["Set-Cookie"]

    assert SECRET in visitor.get("/", cookie=cookie).text
    assert [entry.slug for entry in directory.read(public_root)] == ["main"]
