"""The outbox, to look at."""

from django.contrib import admin
from django.http import HttpRequest

from notifications.models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin[Delivery]):
    list_display = ["message", "shown_recipient", "state", "attempts", "created_at", "sent_at"]
    list_filter = ["channel", "state"]
    # The address of a webhook is a secret. What a message says may be of a private incident, or
    # let its reader in somewhere: it is for whom it was sent to.
    exclude = ["recipient", "token", "idempotency_key", "signing_key", "endpoint"]
    readonly_fields = ["shown_recipient"]
    list_select_related = ["message"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False
