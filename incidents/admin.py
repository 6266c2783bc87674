"""Settings-like tables. Whatever has an operation is changed at the desk, not here."""

from django.contrib import admin

from incidents.models import Cadence, UpdateTemplate


@admin.register(Cadence)
class CadenceAdmin(admin.ModelAdmin[Cadence]):
    list_display = ["severity", "phase", "minutes"]


@admin.register(UpdateTemplate)
class UpdateTemplateAdmin(admin.ModelAdmin[UpdateTemplate]):
    list_display = ["code", "body"]
