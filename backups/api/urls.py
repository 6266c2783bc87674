"""Addresses of backups under /api/desk/v1/."""

from rest_framework.routers import SimpleRouter

from backups.api.policies import PolicyViewSet

router = SimpleRouter()
router.register("policies", PolicyViewSet, basename="api-policy")

urlpatterns = router.urls
