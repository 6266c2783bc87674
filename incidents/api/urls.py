"""Addresses under /api/desk/v1/."""

from rest_framework.routers import SimpleRouter

from incidents.api.maintenance import MaintenanceViewSet
from incidents.api.views import IncidentViewSet

router = SimpleRouter()
router.register("incidents", IncidentViewSet, basename="api-incident")
router.register("maintenances", MaintenanceViewSet, basename="api-maintenance")

urlpatterns = router.urls
