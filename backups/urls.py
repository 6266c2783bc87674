"""Addresses of the desk's backups and restores. Mounted at /desk/."""

from django.urls import path

from backups.views import checks, course, databases, options, restores, targets, tenants, turns

app_name = "backups"

urlpatterns = [
    path("databases/", databases.list_databases, name="database-list"),
    path("databases/<int:pk>/", databases.show_database, name="database-detail"),
    path("databases/<int:pk>/backups/", databases.take_backup, name="backup-take"),
    path("databases/<int:pk>/catalogue/", databases.read_catalogue, name="catalogue-read"),
    path("databases/<int:pk>/proof/", databases.set_proof_terms, name="proof-set"),
    path("databases/<int:pk>/options/", options.show_options, name="option-list"),
    path("databases/<int:pk>/options/look/", options.look_again, name="option-look"),
    path("databases/<int:pk>/options/objectives/", options.set_objectives, name="objectives-set"),
    path("databases/<int:pk>/options/start/", options.start_option, name="option-start"),
    path("databases/<int:pk>/checks/", checks.list_checks, name="check-list"),
    path("databases/<int:pk>/checks/depth/", checks.set_depth, name="check-depth"),
    path("checks/<int:pk>/", checks.edit_check, name="check-edit"),
    path("checks/<int:pk>/remove/", checks.remove_check, name="check-remove"),
    path("targets/", targets.list_targets, name="target-list"),
    path("targets/look/", targets.look_at_targets, name="target-look"),
    path("targets/live/", targets.show_targets_live, name="target-live"),
    path("databases/<int:pk>/tenants/", tenants.list_tenants, name="tenant-list"),
    path("tenants/<int:pk>/code/", tenants.renew_code, name="tenant-code"),
    path("tenants/<int:pk>/remove/", tenants.remove_tenant, name="tenant-remove"),
    path("restores/<int:pk>/tenants/", turns.list_tenants, name="turn-list"),
    path("restores/<int:pk>/tenants/live/", turns.list_tenants_live, name="turn-live"),
    path("restores/<int:pk>/lanes/", turns.set_lanes, name="lanes-set"),
    path("turns/<int:pk>/move/", turns.move_tenant, name="turn-move"),
    path("turns/<int:pk>/retry/", turns.retry_tenant, name="turn-retry"),
    path("turns/<int:pk>/decide/", turns.decide_conflict, name="turn-decide"),
    path("restores/", restores.list_restores, name="restore-list"),
    path("restores/request/", restores.request_restore, name="restore-request"),
    path("restores/<int:pk>/", restores.show_restore, name="restore-detail"),
    path("restores/<int:pk>/live/", restores.show_restore_live, name="restore-live"),
    path("restores/<int:pk>/resume/", course.resume_restore, name="restore-resume"),
    path("restores/<int:pk>/pause/", course.pause_restore, name="restore-pause"),
    path("restores/<int:pk>/plan/", course.pivot_restore, name="restore-pivot"),
    path("restores/<int:pk>/accept/", course.accept_findings, name="restore-accept"),
    path("restores/<int:pk>/cancel/", course.cancel_restore, name="restore-cancel"),
]
