"""Every address that Django answers. Public addresses are answered before it: config/wsgi.py."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from accounts.views import SignIn, list_tokens, revoke_token
from config.health import health
from config.metrics import expose
from incidents.api.alerts import take_alerts
from incidents.api.trackers import take_word

handler400 = "config.uploads.bad_request"
handler500 = "config.health.failed"

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health, name="health"),
    path("metrics", expose, name="metrics"),
    path("api/desk/v1/", include("incidents.api.urls")),
    path("api/desk/v1/", include("backups.api.urls")),
    # With and without the last slash: a redirect would lose what was posted.
    path("api/alerts/", take_alerts, name="alerts-take"),
    path("api/alerts/<str:token>/", take_alerts, name="alerts-take"),
    path("api/alerts", take_alerts),
    path("api/alerts/<str:token>", take_alerts),
    path("api/trackers/<str:token>/", take_word, name="tracker-word"),
    path("api/trackers/<str:token>", take_word),
    path("desk/login/", SignIn.as_view(), name="desk-login"),
    path("desk/logout/", LogoutView.as_view(), name="desk-logout"),
    path("desk/tokens/", list_tokens, name="token-list"),
    path("desk/tokens/<int:pk>/revoke/", revoke_token, name="token-revoke"),
    path("desk/admin/", admin.site.urls),
    path("desk/", include("incidents.urls")),
    path("desk/", include("backups.urls")),
    path("v1/", include("statuspage.api.urls")),
    path("", include("statuspage.urls")),
]
