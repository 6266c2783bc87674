"""Makes config an app: it has checks, and commands that put the house together."""

from django.apps import AppConfig

from config import checks
from config.celery import app as celery_app

__all__ = ["ConfigConfig", "celery_app", "checks"]


class ConfigConfig(AppConfig):
    name = "config"
