"""Addresses that need Django: the pages' rooms at the desk, signing in, leaving."""

from django.urls import path

from statuspage.views import pages, preview, subscribers, subscriptions, targets, viewers

app_name = "statuspage"
urlpatterns = [
    path("unsubscribe/<str:token>", subscriptions.unsubscribe, name="unsubscribe"),
    path("subscriptions/new", subscriptions.ask, name="subscribe"),
    # As hosted status pages call it.
    path("subscriptions/new-email", subscriptions.ask),
    path("subscriptions/asked", subscriptions.show_asked, name="subscription-asked"),
    path("subscriptions/<str:token>", subscriptions.choose, name="subscription"),
    path("subscriptions/<str:token>/confirm", subscriptions.confirm, name="subscription-confirm"),
    path(
        "subscriptions/<str:token>/secret", subscriptions.renew_secret, name="subscription-secret"
    ),
    path("api/v2/subscribers.json", subscriptions.take_subscriber, name="subscriber-take"),
    path("viewer/", viewers.enter, name="viewer-enter"),
    path("desk/pages/", pages.list_pages, name="page-list"),
    path("desk/pages/<slug:slug>/", pages.edit_page, name="page-settings"),
    path("desk/pages/<slug:slug>/remove/", pages.remove_page, name="page-remove"),
    path(
        "desk/pages/<slug:slug>/subscribers/", subscribers.list_subscribers, name="subscriber-list"
    ),
    path("desk/preview/updates/<int:pk>/", preview.preview_update, name="preview-update"),
    path("desk/preview/corrections/<int:pk>/", preview.preview_correction, name="preview-correct"),
    path("desk/preview/drafts/<int:pk>/", preview.preview_draft, name="preview-draft"),
    path("desk/preview/maintenances/", preview.preview_plan, name="preview-plan"),
    path(
        "desk/preview/maintenances/<int:pk>/",
        preview.preview_maintenance_update,
        name="preview-maintenance",
    ),
    path(
        "desk/preview/maintenances/updates/<int:pk>/",
        preview.preview_maintenance_correction,
        name="preview-maintenance-correct",
    ),
    path(
        "desk/preview/maintenances/<int:pk>/edit/",
        preview.preview_maintenance_edit,
        name="preview-maintenance-edit",
    ),
    path(
        "desk/preview/maintenances/<int:pk>/move/",
        preview.preview_maintenance_move,
        name="preview-maintenance-move",
    ),
    path(
        "desk/preview/maintenances/<int:pk>/extend/",
        preview.preview_maintenance_extension,
        name="preview-maintenance-extend",
    ),
    path(
        "desk/preview/maintenances/<int:pk>/<slug:name>/",
        preview.preview_maintenance_deed,
        name="preview-maintenance-deed",
    ),
    path("desk/preview/incidents/", preview.preview_declaration, name="preview-declare"),
    path("desk/preview/incidents/<int:pk>/", preview.preview_resolution, name="preview-resolve"),
    path(
        "desk/preview/incidents/<int:pk>/reopen/",
        preview.preview_reopening,
        name="preview-reopen",
    ),
    path("desk/preview/assets/<slug:slug>/<slug:role>", preview.show_asset, name="preview-asset"),
    path("desk/pages/<slug:slug>/targets/", targets.list_targets, name="target-list"),
    path("desk/targets/<int:pk>/try/", targets.try_target, name="target-try"),
    path("desk/targets/<int:pk>/switch/", targets.switch_target, name="target-switch"),
    path("desk/targets/<int:pk>/remove/", targets.remove_target, name="target-remove"),
    path(
        "desk/pages/<slug:slug>/subscribers.csv",
        subscribers.export_subscribers,
        name="subscriber-export",
    ),
    path("desk/subscribers/person/", subscribers.show_person, name="person"),
    path(
        "desk/subscribers/<int:pk>/readmit/",
        subscribers.readmit_subscriber,
        name="subscriber-readmit",
    ),
    path(
        "desk/subscribers/<int:pk>/remove/", subscribers.remove_subscriber, name="subscriber-remove"
    ),
]
