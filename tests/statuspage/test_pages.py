"""Several pages from one installation: each with its host, its content and its followers."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from PIL import Image

from incidents import operations as record
from incidents.models import Incident
from incidents.values import ComponentStatus, Severity
from notifications import outbox
from statuspage import operations, publisher
from statuspage.deliveries import queue_deliveries
from statuspage.models import Page
from statuspage.pictures import BadPicture, as_icon, as_logo
from statuspage.serving import directory
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import MINUTE, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def _second(visitor: Visitor, **content: object) -> Page:
    operations.set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    return operations.add_page(slug="beta", name="Beta", url="https://status.beta.example", at=NOON)


def _component(name: str, group_id: int | None = None) -> int:
    return record.add_component(name=name, group_id=group_id, at=NOON).pk


def _incident(title: str, *components: int) -> Incident:
    return record.declare_incident(
        title=title,
        severity=Severity.SEV2,
        at=NOON,
        author=None,
        body=f"{title}: we are looking.",
        components=dict.fromkeys(components, ComponentStatus.PARTIAL_OUTAGE),
    )


def _choose(page: Page, *components: int) -> None:
    operations.choose_content(
        page_id=page.pk,
        shows_everything=False,
        component_ids=components,
        has_my_data=False,
        has_backup_proof=False,
        at=NOON + MINUTE,
    )


class TestHosts:
    def test_choose_the_page(self, public_root: Path, visitor: Visitor) -> None:
        _second(visitor)

        assert "Acme" in visitor.get("/", host="status.acme.example").text
        for host in ("status.beta.example", "STATUS.beta.example:443", "status.beta.example."):
            assert "Beta" in visitor.get("/", host=host).text

    def test_that_are_no_pages_get_the_first(self, public_root: Path, visitor: Visitor) -> None:
        _second(visitor)

        for host in ("127.0.0.1:8000", "", "status.beta.example:8443", "nobody.example"):
            assert "Acme" in visitor.get("/", host=host).text

    def test_that_nobody_knows_fill_no_memory(self, public_root: Path, visitor: Visitor) -> None:
        _second(visitor)

        for number in range(3000):
            visitor.site._page_of(f"host-{number}.example")

        assert len(visitor.site._by_host) <= 1100

    def test_move_with_the_page(self, public_root: Path, visitor: Visitor) -> None:
        page = _second(visitor)
        operations.set_up_page(
            page_id=page.pk, name="Beta", url="https://beta.example", at=NOON + MINUTE
        )

        assert "Beta" in visitor.get("/", host="beta.example").text
        assert "Acme" in visitor.get("/", host="status.beta.example").text

    @pytest.mark.parametrize(
        "url",
        [
            "https://status.acme.example/page",
            "ftp://status.acme.example",
            "https://",
            "https://a.example:nine",
            "https://a.example?x=1",
            "https://me@a.example",
        ],
    )
    def test_are_all_that_an_address_has(self, public_root: Path, url: str) -> None:
        with pytest.raises(operations.NotAHost):
            operations.set_up_page(name="Acme", url=url, at=NOON)

    def test_belong_to_one_page(self, public_root: Path, visitor: Visitor) -> None:
        _second(visitor)

        with pytest.raises(operations.HostTaken):
            operations.add_page(
                slug="c", name="C", url="http://status.beta.example", at=NOON + MINUTE
            )
        with pytest.raises(operations.SlugTaken):
            operations.add_page(slug="beta", name="C", url="https://c.example", at=NOON + MINUTE)
        with pytest.raises(operations.HostTaken):
            operations.add_page(
                slug="c", name="C", url="https://status.beta.example:443", at=NOON + MINUTE
            )


class TestContent:
    def test_is_what_touches_the_chosen_components(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        page = _second(visitor)
        tours, login = _component("Tours"), _component("Login")
        _choose(page, login)
        touching = _incident("Nobody can sign in", login, tours)
        other = _incident("Tours are slow", tours)
        general = _incident("Something is odd")
        host = "status.beta.example"

        front = visitor.get("/", host=host).text
        summary = visitor.get("/api/v2/summary.json", host=host)
        first = visitor.get("/", host="status.acme.example").text

        assert "Nobody can sign in" in front
        assert "Tours" not in front
        assert "Something is odd" not in front
        assert [part["name"] for part in summary.json["components"]] == ["Login"]
        [shown] = summary.json["incidents"]
        assert [part["name"] for part in shown["components"]] == ["Login"]
        [update] = shown["incident_updates"]
        assert [part["name"] for part in update["affected_components"]] == ["Login"]
        assert visitor.get(f"/incidents/{touching.public_id}", host=host).status == 200
        for hidden in (other, general):
            assert visitor.get(f"/incidents/{hidden.public_id}", host=host).status == 404
        assert all(title in first for title in ("Tours are slow", "Something is odd"))

    def test_a_chosen_group_stands_for_its_members(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        page = _second(visitor)
        group = record.add_component(name="Europe", is_group=True, at=NOON).pk
        _component("Tours", group)
        _component("Elsewhere")
        _choose(page, group)
        _component("Added later", group)

        names = [
            part["name"]
            for part in visitor.get("/api/v2/components.json", host="status.beta.example").json[
                "components"
            ]
        ]

        assert names == ["Europe", "Tours", "Added later"]

    def test_that_is_chosen_otherwise_goes(self, public_root: Path, visitor: Visitor) -> None:
        page = _second(visitor)
        tours, login = _component("Tours"), _component("Login")
        incident = _incident("Tours are slow", tours)
        record.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + MINUTE, author=None
        )
        address, host = f"/incidents/{incident.public_id}", "status.beta.example"
        assert visitor.get(address, host=host).status == 200

        _choose(page, login)

        assert visitor.get(address, host=host).status == 404
        assert visitor.get(f"/api/v2{address}.json", host=host).status == 404
        assert "Tours are slow" not in visitor.get("/history", host=host).text

    def test_of_other_pages_is_not_published_again(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        page = _second(visitor)
        tours, login = _component("Tours"), _component("Login")
        _choose(page, login)
        before = visitor.get("/", host="status.beta.example").headers["X-Highwater-Revision"]

        _incident("Tours are slow", tours)

        # The components' statuses concern every page; the incident only the first one's.
        state = directory.folder_of(public_root, "beta") / "current" / "state.json"
        assert json.loads(state.read_bytes())["known"] == {}
        assert int(before) > 0


class TestRemoving:
    def test_takes_all_that_was_published(self, public_root: Path, visitor: Visitor) -> None:
        page = _second(visitor)

        operations.remove_page(page_id=page.pk)

        assert "Acme" in visitor.get("/", host="status.beta.example").text
        assert [folder.name for folder in directory.folders(public_root)] == ["main"]

    def test_leaves_nothing_to_another_of_the_same_name(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        page = _second(visitor)
        assert "Beta" in visitor.get("/", host="status.beta.example").text
        operations.remove_page(page_id=page.pk)

        operations.add_page(
            slug="beta", name="Gamma", url="https://status.beta.example", at=NOON + MINUTE
        )

        assert "Gamma" in visitor.get("/", host="status.beta.example").text

    def test_leaves_the_last_one(self, public_root: Path) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)

        with pytest.raises(operations.LastPage):
            operations.remove_page(page_id=page.pk)


class TestFollowers:
    def test_hear_of_what_their_page_shows(self, public_root: Path, visitor: Visitor) -> None:
        page = _second(visitor)
        tours, login = _component("Tours"), _component("Login")
        _choose(page, login)
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        add_subscriber(wish=Wish(email="bob@example.com"), page_id=page.pk, at=NOON)
        add_subscriber(wish=Wish(email="both@example.com"), at=NOON)
        add_subscriber(wish=Wish(email="both@example.com"), page_id=page.pk, at=NOON)

        _incident("Nobody can sign in", login)
        _incident("Tours are slow", tours)
        queue_deliveries(at=NOON + MINUTE)
        while outbox.send_due(at=NOON + MINUTE):
            pass

        sent = sorted((message.to[0], message.subject) for message in mail.outbox)
        assert [(to, "sign in" in subject) for to, subject in sent] == [
            ("ada@example.com", True),
            ("ada@example.com", False),
            ("bob@example.com", True),
            ("both@example.com", True),
            ("both@example.com", False),
        ]
        assert {subject[:6] for to, subject in sent if to == "bob@example.com"} == {"[Beta]"}


class TestOneThatCannotBePublished:
    def test_does_not_stop_the_others(self, public_root: Path, visitor: Visitor) -> None:
        _second(visitor)
        assert "Acme" in visitor.get("/", host="status.acme.example").text
        first = directory.folder_of(public_root, "main")
        (first / "revisions").rename(first / "away")
        (first / "revisions").write_text("in the way")

        with pytest.raises(OSError, match="revisions"):
            publisher.publish_now()
        operations.set_up_page(
            page_id=Page.objects.get(slug="beta").pk,
            name="Beta renamed",
            url="https://status.beta.example",
            at=NOON + MINUTE,
        )

        assert "Beta renamed" in visitor.get("/", host="status.beta.example").text
        assert "Acme" in visitor.get("/", host="status.acme.example").text


def _picture(size: tuple[int, int], kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 90, 160)).save(out, format=kind)
    return out.getvalue()


class TestLook:
    def test_is_published_with_the_page(self, public_root: Path, visitor: Visitor) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)
        operations.dress_page(
            page_id=page.pk,
            accent="#0B6B53",
            logo=_picture((1200, 300), "JPEG"),
            icon=_picture((100, 50)),
            at=NOON,
        )

        front = visitor.get("/").text
        [logo] = [part for part in front.split('"') if part.startswith("/assets/logo.")]
        [style] = [
            part
            for part in front.split('"')
            if part.startswith("/assets/status.") and part.endswith(".css")
        ]
        [icon] = [part for part in front.split('"') if part.startswith("/assets/icon.")]

        answer = visitor.get(logo)
        assert answer.headers["Content-Type"] == "image/png"
        assert "immutable" in answer.headers["Cache-Control"]
        with Image.open(io.BytesIO(answer.body)) as picture:
            assert picture.size == (640, 160)
        with Image.open(io.BytesIO(visitor.get(icon).body)) as picture:
            assert picture.size == (64, 64)
        assert "--accent:#0b6b53" in visitor.get(style).text

    def test_can_be_taken_off(self, public_root: Path, visitor: Visitor) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)
        operations.dress_page(page_id=page.pk, accent="", logo=_picture((40, 40)), at=NOON)
        operations.dress_page(page_id=page.pk, accent="", logo=None, at=NOON)
        assert "/assets/logo." in visitor.get("/").text

        operations.dress_page(page_id=page.pk, accent="", logo=b"", at=NOON)

        assert "/assets/logo." not in visitor.get("/").text

    @pytest.mark.parametrize("colour", ["#ffdd00", "#9fc5e8", "#808080"])
    def test_refuses_what_cannot_be_read_and_names_what_can(
        self, public_root: Path, colour: str
    ) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)

        with pytest.raises(operations.UnreadableColour) as refusal:
            operations.dress_page(page_id=page.pk, accent=colour, at=NOON)

        nearest = str(refusal.value).rpartition(" ")[2].rstrip(".")
        operations.dress_page(page_id=page.pk, accent=nearest, at=NOON)
        assert Page.objects.get().accent == nearest

    @pytest.mark.parametrize("colour", ["red", "#fff", "0a5ca0", "#0a5ca", "#gggggg"])
    def test_refuses_what_is_no_colour(self, public_root: Path, colour: str) -> None:
        page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)

        with pytest.raises(operations.NoColour):
            operations.dress_page(page_id=page.pk, accent=colour, at=NOON)


class TestPictures:
    @pytest.mark.parametrize(
        "upload",
        [
            b"",
            b"no picture",
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            _picture((100, 100))[:60],
            _picture((7000, 10)),
            _picture((20, 20), "GIF"),
            b"\0" * (2 * 1024 * 1024 + 1),
        ],
        ids=["empty", "text", "svg", "cut", "huge", "gif", "long"],
    )
    def test_refuse_what_cannot_be_shown(self, upload: bytes) -> None:
        for make in (as_logo, as_icon):
            with pytest.raises(BadPicture):
                make(upload)

    def test_lose_what_was_hidden_in_them(self) -> None:
        exif = Image.Exif()
        exif[0x010E] = "taken at home"
        out = io.BytesIO()
        Image.new("RGB", (10, 10)).save(out, format="JPEG", exif=exif)

        assert b"taken at home" in out.getvalue()
        assert b"taken at home" not in as_logo(out.getvalue())


class TestDesk:
    @pytest.fixture
    def desk(self, client: Client) -> Client:
        client.force_login(ResponderFactory.create())
        return client

    def test_adds_a_page_and_says_what_it_shows(
        self, desk: Client, public_root: Path, visitor: Visitor
    ) -> None:
        login = _component("Login")
        added = desk.post(
            reverse("statuspage:page-list"),
            {"name": "Beta", "slug": "beta", "url": "https://beta.example"},
        )
        settings = reverse("statuspage:page-settings", args=["beta"])
        assert added["Location"] == settings

        chosen = desk.post(
            settings, {"part": "content", "shows": "chosen", "components": [str(login)]}
        )

        assert chosen.status_code == 302
        page = Page.objects.get(slug="beta")
        assert (page.shows_everything, page.has_my_data) == (False, False)
        assert "Login" in visitor.get("/", host="beta.example").text
        assert 'lang="en"' in visitor.get("/", host="beta.example").text

    def test_shows_a_refusal_at_its_field(self, desk: Client, public_root: Path) -> None:
        settings = reverse("statuspage:page-settings", args=["main"])

        colour = desk.post(settings, {"part": "look", "accent": "#ffdd00"})
        none_chosen = desk.post(settings, {"part": "content", "shows": "chosen"})
        password = desk.post(settings, {"part": "access", "access": "password", "password": "x"})

        assert [answer.status_code for answer in (colour, none_chosen, password)] == [422] * 3
        assert "The nearest colour that can be read is #" in colour.content.decode()
        assert "Choose at least one" in none_chosen.content.decode()
        assert "at least 8 characters" in password.content.decode()
        # What another form asks is not lost by it.
        assert 'value="Highwater"' in colour.content.decode()

    def test_asks_before_a_page_goes(self, desk: Client, public_root: Path) -> None:
        operations.add_page(slug="beta", name="Beta", url="https://beta.example", at=NOON)
        remove = reverse("statuspage:page-remove", args=["beta"])

        assert "Remove Beta?" in desk.get(remove).content.decode()
        assert Page.objects.count() == 2
        desk.post(remove)

        assert [page.slug for page in Page.objects.all()] == ["main"]

    def test_knows_no_other_page(self, desk: Client, public_root: Path) -> None:
        for name in ("page-settings", "page-remove", "subscriber-list"):
            assert desk.get(reverse(f"statuspage:{name}", args=["nope"])).status_code == 404


def test_a_state_of_the_row_makes_its_own_assets(public_root: Path, visitor: Visitor) -> None:
    page = operations.set_up_page(name="Acme", url="https://a.example", at=NOON)
    for colour in ("#0a5ca0", "#7a1fa2"):
        # At the same time twice: a clock that stands still must not mix them up.
        operations.dress_page(page_id=page.pk, accent=colour, at=NOON - timedelta(days=1))

    [style] = [part for part in visitor.get("/").text.split('"') if part.endswith(".css")]
    assert "#7a1fa2" in visitor.get(style).text
