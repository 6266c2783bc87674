"""The story's own deeds: a private link to try, and proof of backups that never goes away."""

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
        password_reference="env:NONE", at=timezone.now(),
        tenants=list(TENANTS.items()),
    )  # fmt: skip


def test_shows_the_private_link_of_one_customer() -> None:
    played("earlier")
    stage.forget_last_plays_customers(bucket="story")
    database = played("now")

    link = stage.private_link(database)

    code = Tenant.objects.get(name=stage.CUSTOMER).lookup_code
    assert link.endswith(f"/my/{code}")


def test_the_proof_of_the_last_play_stands_until_the_new_one_replaces_it() -> None:
    earlier = played("earlier")
    stage.show_backups(earlier, at=timezone.now())
    stage.forget_last_plays_customers(bucket="story")
    now = played("now")
    elsewhere = operations.register_database(
        name="elsewhere", host="127.0.0.1", port=5432, archive_name="tours",
        storage_id=StorageLocationFactory.create(name="elsewhere", bucket="customers").pk,
        password_reference="env:NONE", public_name="Orders", at=timezone.now(),
    )  # fmt: skip

    assert {proof.key for proof in queries.proofs()} == {earlier.key, elsewhere.key}

    stage.show_backups(now, at=timezone.now())

    assert {proof.key for proof in queries.proofs()} == {now.key, elsewhere.key}
