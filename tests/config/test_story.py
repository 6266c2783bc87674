"""The story's own deeds: a private link to try, and no proof of clusters that are gone."""

import pytest
from django.utils import timezone

from backups import operations
from backups.models import Database
from config.story import stage
from config.story.cluster import TENANTS
from incidents import queries
from incidents.models import Tenant
from tests.backups.factories import StorageLocationFactory

pytestmark = pytest.mark.django_db


def played(name: str, *, bucket: str = "story") -> Database:
    storage = StorageLocationFactory.create(name=name, bucket=bucket)
    return operations.register_database(
        name=name, host="127.0.0.1", port=5432, storage_id=storage.pk, archive_name="tours",
        password_reference="env:NONE", public_name="Virtual tours", at=timezone.now(),
        tenants=[(tenant, f"{customer} ({name})") for tenant, customer in TENANTS.items()],
    )  # fmt: skip


def test_shows_the_private_link_of_one_customer() -> None:
    played("earlier")
    database = played("now")

    link = stage.private_link(database)

    code = Tenant.objects.get(name=f"{stage.CUSTOMER} (now)").lookup_code
    assert link.endswith(f"/my/{code}")


def test_the_backups_of_earlier_plays_are_no_proof() -> None:
    played("earlier")
    played("elsewhere", bucket="customers")

    stage.hide_last_plays_backups(bucket="story", at=timezone.now())

    assert len(queries.proofs()) == 1
    assert Database.objects.get(name="elsewhere").public_name == "Virtual tours"
