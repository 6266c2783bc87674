"""Every address that Django answers. Public addresses are answered before it: config/wsgi.py."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path

from config.health import health

handler500 = "config.health.failed"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health, name="health"),
    path("api/desk/v1/", include("incidents.api.urls")),
    path("desk/login/", auth.LoginView.as_view(), name="desk-login"),
    path("desk/logout/", auth.LogoutView.as_view(), name="desk-logout"),
    path("desk/admin/", admin.site.urls),
    path("desk/", include("incidents.urls")),
    path("desk/", include("backups.urls")),
    path("", include("statuspage.urls")),
]
