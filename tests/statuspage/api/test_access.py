"""Who is let in by the management API, how often, and how it says no."""

import base64
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import tokens
from accounts.models import ApiToken, User
from statuspage.models import Page
from tests.factories import ResponderFactory
from tests.statuspage.api.conftest import Program, contract

pytestmark = pytest.mark.django_db


class TestAKey:
    @pytest.mark.parametrize("scheme", ["OAuth", "Bearer", "oauth"])
    def test_opens_by_header(self, program: Program, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {program.key}"}

        answer = program.ask("GET", "/v1/pages", headers=headers)

        assert [row["id"] for row in answer.json()] == [program.page]
        assert ApiToken.objects.get().last_used_at is not None

    def test_opens_by_query(self, program: Program) -> None:
        answer = program.ask("GET", f"/v1/pages.json?api_key={program.key}", headers={})

        assert answer.status_code == 200

    def test_is_kept_as_a_hash_alone(self, program: Program) -> None:
        row = ApiToken.objects.values().get()

        assert program.key not in str(row)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "OAuth wrong"},
            {"Authorization": "OAuth"},
            {"Authorization": f"OAuth {'x' * 500}"},
            {"Authorization": "Basic " + base64.b64encode(b"responder:x").decode()},
        ],
    )
    def test_is_needed(self, program: Program, headers: dict[str, str]) -> None:
        answer = program.ask("GET", "/incidents", headers=headers)

        assert answer.status_code == 401
        assert answer.json()["message"].startswith("Could not authenticate")
        assert "OAuth" in answer["WWW-Authenticate"]

    def test_opens_nothing_once_revoked(self, program: Program) -> None:
        tokens.revoke_token(token_id=ApiToken.objects.get().pk, at=timezone.now())

        program.get("/incidents", 401)

    def test_opens_nothing_once_expired(self, program: Program) -> None:
        ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        program.get("/incidents", 401)

    @pytest.mark.parametrize("what", ["is_staff", "is_active"])
    def test_opens_nothing_once_its_user_is_no_staff(self, program: Program, what: str) -> None:
        User.objects.update(**{what: False})

        program.get("/incidents", 401)


class TestPace:
    def test_answers_429_with_when_to_come_again(
        self, program: Program, settings: Settings
    ) -> None:
        settings.API_REQUESTS_A_MINUTE = 3
        for _time in range(3):
            program.get("/components")

        answer = program.ask("GET", "/components")

        assert answer.status_code == 429
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert set(answer.json()) == {"message"}

    def test_lets_go_on_as_time_passes(self, program: Program) -> None:
        token, at = ApiToken.objects.get(), timezone.now() + timedelta(hours=1)
        waits = [tokens.note_use(token, a_minute=2, at=at) for _time in range(3)]

        assert waits == [0, 0, 30]
        assert tokens.note_use(token, a_minute=2, at=at + timedelta(seconds=30)) == 0


class TestFaults:
    def test_are_sentences(self, program: Program) -> None:
        assert program.ask("GET", "/v1/pages/nobody").status_code == 404
        for path in ("/v1/nothing", "/v1/pages/x/y/z", "/v1/pages/%00", "/v1/"):
            answer = program.client.get(path, headers={"Authorization": f"OAuth {program.key}"})
            assert answer.status_code == 404
            assert set(answer.json()) == {"message"}

    def test_name_what_is_not_answered(self, program: Program) -> None:
        headers = {"Authorization": f"OAuth {program.key}"}
        answer = program.client.delete(f"/v1/pages/{program.page}/incidents", headers=headers)

        assert answer.status_code == 405
        assert set(answer.json()) == {"message"}

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ("{", "application/json"),
            ("[" * 100_000, "application/json"),
            ("[]", "application/json"),
            ("incident=x&incident[name]=y", "application/x-www-form-urlencoded"),
            ('{"incident": {"name": "x"}}', "application/x-www-form-urlencoded"),
            ("&".join(f"a{n}=1" for n in range(2000)), "application/x-www-form-urlencoded"),
            ("incident[a][b][c][d][e][f][g]=1", "application/x-www-form-urlencoded"),
        ],
    )
    def test_of_what_cannot_be_read_are_400(self, program: Program, body: str, kind: str) -> None:
        answer = program.ask("POST", "/incidents", body, content_type=kind)

        assert answer.status_code == 400

    def test_of_what_is_too_large_are_413(self, program: Program, settings: Settings) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        answer = program.ask("POST", "/incidents", {"incident": {"name": "x" * 200}})

        assert answer.status_code == 413


class TestWhatIsNotHere:
    @pytest.mark.parametrize(
        "kind", ["metrics", "metrics_providers", "page_access_users", "page_access_groups"]
    )
    def test_is_an_empty_list_that_takes_nothing(self, program: Program, kind: str) -> None:
        assert program.get(f"/{kind}") == []
        headers = {"Authorization": f"OAuth {program.key}"}
        path = f"/v1/pages/{program.page}/{kind}"
        assert program.client.post(path, headers=headers).status_code == 422
        assert program.client.get(f"{path}/abc.json", headers=headers).status_code == 404

    def test_says_why(self, program: Program) -> None:
        assert "badge" in program.get("/status_embed_config", 404)["message"]
        answer = program.ask("GET", "/v1/organizations/abc/users")
        assert answer.status_code == 404

    def test_is_answered_by_every_operation_of_the_contract(self, program: Program) -> None:
        if contract() is None:
            pytest.skip("the contract is not on this machine")
        headers = {"Authorization": f"OAuth {program.key}"}
        for path, methods in contract()["paths"].items():
            address = path.replace("{page_id}", program.page)
            while "{" in address:
                before, _brace, rest = address.partition("{")
                address = f"{before}abc{rest.partition('}')[2]}"
            for method in methods.keys() & {"get", "post", "put", "patch", "delete"}:
                answer = program.client.generic(
                    method.upper(), f"/v1{address}", "{}", "application/json", headers=headers
                )
                said = f"{method} {path}: {answer.status_code} {answer.content[:80]!r}"
                assert answer.status_code in (200, 201, 204, 400, 404, 422), said


class TestTheDesk:
    def test_shows_a_key_once(self, client: Client) -> None:
        client.force_login(ResponderFactory.create())

        made = client.post("/desk/tokens/", {"name": "deploy bot", "lasts": "30"})

        row = ApiToken.objects.get()
        key = next(
            word
            for word in made.content.decode().replace("<", ">").split(">")
            if tokens.digest_of(word) == row.digest
        )
        assert row.expires_at is not None
        again = client.get("/desk/tokens/").content.decode()
        assert "deploy bot" in again
        assert key not in again

    def test_revokes_ones_own_alone(self, client: Client) -> None:
        other = User.objects.create_user("other", is_staff=True)
        theirs, _key = tokens.make_token(user_id=other.pk, name="theirs", at=timezone.now())
        me = ResponderFactory.create()
        mine, _key = tokens.make_token(user_id=me.pk, name="mine", at=timezone.now())
        client.force_login(me)

        assert client.post(f"/desk/tokens/{theirs.pk}/revoke/").status_code == 404
        assert client.post(f"/desk/tokens/{mine.pk}/revoke/").status_code == 302

        assert list(ApiToken.objects.filter(revoked_at=None)) == [theirs]
        assert "theirs" not in client.get("/desk/tokens/").content.decode()

    def test_wants_a_name(self, client: Client) -> None:
        client.force_login(ResponderFactory.create())

        assert client.post("/desk/tokens/", {"name": ""}).status_code == 422
        assert not ApiToken.objects.exists()

    def test_is_for_staff(self, client: Client) -> None:
        client.force_login(User.objects.create_user("olive"))

        assert client.get("/desk/tokens/").status_code == 403


class TestThePage:
    def test_is_named_anew(self, program: Program, page: Page) -> None:
        found = program.patch("", {"page": {"name": "Tours", "time_zone": "Europe/Berlin"}})

        assert (found["name"], found["time_zone"]) == ("Tours", "Europe/Berlin")
        page.refresh_from_db()
        assert page.name == "Tours"
        program.put("", {"page": {"time_zone": "Mars/Base"}}, 422)

    def test_takes_itself_back_and_refuses_what_is_set_at_the_desk(self, program: Program) -> None:
        is_so = program.get(".json")

        assert program.put("", {"page": is_so})["name"] == is_so["name"]
        assert "domain" in program.patch("", {"page": {"domain": "x.org"}}, 422)["message"]
