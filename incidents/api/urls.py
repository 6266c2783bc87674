"""Addresses under /api/desk/v1/."""

from rest_framework.routers import SimpleRouter

from incidents.api.actions import ActionViewSet
from incidents.api.causes import CauseViewSet
from incidents.api.entries import EntryViewSet
from incidents.api.lint import LintViewSet
from incidents.api.maintenance import MaintenanceViewSet
from incidents.api.updates import UpdateViewSet
from incidents.api.views import IncidentViewSet

router = SimpleRouter()
router.register("incidents", IncidentViewSet, basename="api-incident")
router.register(r"incidents/(?P<incident_pk>\d+)/lint", LintViewSet, basename="api-lint")
router.register("entries", EntryViewSet, basename="api-entry")
router.register("updates", UpdateViewSet, basename="api-update")
router.register("actions", ActionViewSet, basename="api-action")
router.register("causes", CauseViewSet, basename="api-cause")
router.register("maintenances", MaintenanceViewSet, basename="api-maintenance")

urlpatterns = router.urls
