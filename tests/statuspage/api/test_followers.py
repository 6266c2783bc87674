"""Subscribers by the management API."""

import pytest
from django.utils import timezone

from incidents.models import Component
from notifications.models import Channel
from statuspage import subscribing
from statuspage.models import Page, Subscriber
from statuspage.subscribing import Wish
from tests.factories import IncidentFactory
from tests.statuspage.api.conftest import Program

pytestmark = pytest.mark.django_db

ANN = {"email": "Ann@example.org", "skip_confirmation_notification": True}


@pytest.fixture
def ann(program: Program) -> str:
    found: str = program.post("/subscribers", {"subscriber": ANN})["id"]
    return found


class TestAMailbox:
    def test_is_asked_first_unless_staff_vouch(self, program: Program) -> None:
        asked = program.post("/subscribers.json", {"subscriber": {"email": "bob@example.org"}})
        vouched = program.post("/subscribers", {"subscriber": ANN})

        assert (asked["mode"], vouched["email"]) == ("email", "ann@example.org")
        confirmed = Subscriber.objects.filter(confirmed_at__isnull=False)
        assert [row.public_id for row in confirmed] == [vouched["id"]]
        assert [row["id"] for row in program.get("/subscribers")] == [vouched["id"]]
        unconfirmed = program.get("/subscribers?state=unconfirmed")
        assert [row["id"] for row in unconfirmed] == [asked["id"]]

    def test_chooses_components_and_leaves(
        self, program: Program, ann: str, tours: Component
    ) -> None:
        chosen = program.patch(f"/subscribers/{ann}", {"component_ids": [tours.public_id]})

        assert chosen["components"] == [tours.public_id]
        assert program.patch(f"/subscribers/{ann}", {})["components"] == []
        program.patch(f"/subscribers/{ann}", {"component_ids": []}, 422)
        program.patch(f"/subscribers/{ann}", {"component_ids": ["nobody"]}, 422)
        assert program.get(f"/subscribers/{ann}.json")["id"] == ann
        program.delete(f"/subscribers/{ann}")
        program.get(f"/subscribers/{ann}", 404)
        assert [row["id"] for row in program.get("/subscribers/unsubscribed")] == [ann]

    def test_is_asked_again(self, program: Program) -> None:
        bob = program.post("/subscribers", {"subscriber": {"email": "bob@example.org"}})["id"]

        program.post(f"/subscribers/{bob}/resend_confirmation", {})
        program.post("/subscribers/resend_confirmation", {"subscribers": [bob]})
        program.post("/subscribers/resend_confirmation", {"subscribers": "all"})
        program.post("/subscribers/resend_confirmation", {}, 422)
        program.post("/subscribers/nobody/resend_confirmation", {}, 404)

    @pytest.mark.parametrize(
        "subscriber",
        [
            {"email": ""},
            {"email": "nobody"},
            {"email": "a@b.org\r\nBcc: c@d.org"},
            {"phone_number": "5551234", "phone_country": "us"},
            {"endpoint": "http://10.0.0.1/"},
            {"endpoint": "https://169.254.169.254/latest"},
            {"email": "a@b.org", "component_ids": ["nobody"]},
            {"email": "a@b.org", "page_access_user": "x"},
        ],
    )
    def test_must_be_one(self, program: Program, subscriber: dict[str, object]) -> None:
        assert program.post("/subscribers", {"subscriber": subscriber}, 422)["message"]
        assert not Subscriber.objects.exists()


class TestMany:
    def test_are_counted_and_sorted(self, program: Program, page: Page, ann: str) -> None:
        chat = Wish(channel=Channel.CHAT, endpoint="https://hooks.slack.com/services/SECRET")
        subscribing.add_subscriber(page_id=page.pk, wish=chat, at=timezone.now())
        program.post("/subscribers", {"subscriber": {"email": "bob@example.org"}})

        assert program.get("/subscribers/count")["email"] == 1
        assert program.get("/subscribers/count?state=all")["email"] == 2
        assert program.get("/subscribers/count.json")["slack"] == 1
        found = program.get("/subscribers/histogram_by_state")
        assert found["email"] == {"active": 1, "unconfirmed": 1, "quarantined": 0, "total": 2}
        shown = program.get("/subscribers?type=slack")
        assert len(shown) == 1
        assert "SECRET" not in str(shown)
        assert program.get("/subscribers?q=ANN&sort_field=created_at")[0]["id"] == ann
        backwards = "state=all&type=email&sort_direction=desc&limit=1"
        assert program.get(f"/subscribers?{backwards}&page=1")[0]["id"] == ann
        for asked in ("type=fax", "state=gone", "sort_field=age", "page=-1", "q=%00"):
            program.get(f"/subscribers?{asked}", 422)

    def test_leave_and_come_back_at_once(self, program: Program, ann: str) -> None:
        subscribing.quarantine(
            token=Subscriber.objects.get().token, reason="550 no such user", at=timezone.now()
        )
        assert program.get(f"/subscribers/{ann}")["quarantined_at"]

        program.post("/subscribers/reactivate", {"subscribers": "all", "type": "email"})

        assert program.get(f"/subscribers/{ann}")["quarantined_at"] is None
        program.post("/subscribers/unsubscribe", {"subscribers": [ann], "state": "all"})
        assert program.get("/subscribers?state=all") == []
        program.post("/subscribers/unsubscribe", {"subscribers": ["x"] * 101}, 422)


class TestOfAnIncident:
    def test_hear_of_that_alone(self, program: Program) -> None:
        path = f"/incidents/{IncidentFactory.create().public_id}/subscribers"

        made = program.post(path, {"subscriber": ANN})

        assert [row["id"] for row in program.get(path)] == [made["id"]]
        assert program.get(f"{path}/{made['id']}") == made
        assert program.get("/subscribers") == []
        program.post(f"{path}/{made['id']}/resend_confirmation", {})
        assert program.delete(f"{path}/{made['id']}") == made
        program.get(f"{path}/{made['id']}", 404)
        program.get("/incidents/nobody/subscribers", 404)
