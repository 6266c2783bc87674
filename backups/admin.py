"""Looking only: whatever has an operation is changed at the desk or by a command."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from backups.models import (
    Backup,
    BackupJob,
    Database,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    Standby,
    StorageLocation,
    Tenant,
)


class ReadOnlyAdmin(admin.ModelAdmin[Model]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


for model in (
    Backup,
    BackupJob,
    Database,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    Standby,
    StorageLocation,
    Tenant,
):
    admin.site.register(model, ReadOnlyAdmin)
