"""The page on which people sign in, for those who have done so already."""

import pytest
from django.test import Client

from accounts.models import User
from tests.factories import ResponderFactory

pytestmark = pytest.mark.django_db

LOGIN = "/desk/login/"


@pytest.fixture
def outsider(client: Client) -> Client:
    client.force_login(User.objects.create_user("olive"))
    return client


class TestOfStaff:
    @pytest.mark.parametrize(
        ("asked", "goes_to"),
        [
            (LOGIN, "/desk/"),
            (f"{LOGIN}?next=/desk/incidents/7/%3Ftz%3DUTC", "/desk/incidents/7/?tz=UTC"),
            (f"{LOGIN}?next=https://elsewhere.example/", "/desk/"),
        ],
    )
    def test_goes_on_to_where_they_were_going(
        self, client: Client, asked: str, goes_to: str
    ) -> None:
        client.force_login(ResponderFactory.create())

        assert client.get(asked)["Location"] == goes_to

    def test_ends_somewhere_even_if_it_is_asked_to_lead_to_itself(self, client: Client) -> None:
        client.force_login(ResponderFactory.create())

        answer = client.get(f"{LOGIN}?next={LOGIN}", follow=True)

        assert answer.status_code == 200
        assert answer.redirect_chain[-1][0] == "/desk/"

    def test_is_the_form_for_whoever_is_a_stranger_so_far(self, client: Client) -> None:
        page = client.get(LOGIN)

        assert page.status_code == 200
        assert "You are signed in as" not in page.content.decode()


class TestOfOthers:
    def test_says_who_they_are_and_lets_them_be_somebody_else(self, outsider: Client) -> None:
        robin: User = ResponderFactory.create(username="robin")
        robin.set_password("high water")
        robin.save()

        page = outsider.get(LOGIN)
        assert page.status_code == 200
        assert "You are signed in as <strong>olive</strong>" in page.content.decode()

        signed_in = outsider.post(LOGIN, {"username": "robin", "password": "high water"})
        assert signed_in["Location"] == "/desk/"

    def test_who_was_turned_away_finds_the_way_to_it(self, outsider: Client) -> None:
        turned_away = outsider.get("/desk/")

        assert turned_away.status_code == 403
        assert f'href="{LOGIN}"' in turned_away.content.decode()

    def test_of_a_private_page_leads_on_to_that(self, outsider: Client) -> None:
        page = outsider.get(f"{LOGIN}?next=/viewer/").content.decode()

        assert '<a href="/viewer/">Try it</a>' in page
