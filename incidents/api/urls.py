"""Addresses under /api/desk/v1/."""

from rest_framework.routers import SimpleRouter

from incidents.api.entries import EntryViewSet
from incidents.api.maintenance import MaintenanceViewSet
from incidents.api.updates import UpdateViewSet
from incidents.api.views import IncidentViewSet

router = SimpleRouter()
router.register("incidents", IncidentViewSet, basename="api-incident")
router.register("entries", EntryViewSet, basename="api-entry")
router.register("updates", UpdateViewSet, basename="api-update")
router.register("maintenances", MaintenanceViewSet, basename="api-maintenance")

urlpatterns = router.urls
