"""Backups by the ``barman-cloud-*`` programs, which are run and never imported."""

from backups.engines.barman_cloud.engine import BarmanCloud

__all__ = ["ENGINE", "BarmanCloud"]

ENGINE = BarmanCloud
