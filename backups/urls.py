"""Addresses of the desk's backups and restores. Mounted at /desk/."""

from django.urls import path

from backups import views

app_name = "backups"

urlpatterns = [
    path("databases/", views.list_databases, name="database-list"),
    path("databases/<int:pk>/", views.show_database, name="database-detail"),
    path("databases/<int:pk>/backups/", views.take_backup, name="backup-take"),
    path("databases/<int:pk>/catalogue/", views.read_catalogue, name="catalogue-read"),
    path("databases/<int:pk>/proof/", views.set_proof_terms, name="proof-set"),
    path("databases/<int:pk>/tenants/", views.list_tenants, name="tenant-list"),
    path("tenants/<int:pk>/code/", views.renew_code, name="tenant-code"),
    path("tenants/<int:pk>/remove/", views.remove_tenant, name="tenant-remove"),
    path("restores/", views.list_restores, name="restore-list"),
    path("restores/request/", views.request_restore, name="restore-request"),
    path("restores/<int:pk>/", views.show_restore, name="restore-detail"),
    path("restores/<int:pk>/live/", views.show_restore_live, name="restore-live"),
    path("restores/<int:pk>/resume/", views.resume_restore, name="restore-resume"),
    path("restores/<int:pk>/cancel/", views.cancel_restore, name="restore-cancel"),
]
