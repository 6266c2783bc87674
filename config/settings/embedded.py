"""The embedded default: real servers under var/, started by the project, on loopback."""

from config.embedded import addresses
from config.env import folder, networks, text, whole
from config.settings.base import *  # noqa: F403 - an overlay is the base with other values
from config.settings.base import BASE_DIR, CELERY_BROKER_TRANSPORT_OPTIONS  # noqa: F401

VAR_DIR = folder("VAR_DIR", BASE_DIR / "var")
EMBEDDED = addresses.load(VAR_DIR)

SECRET_KEY = EMBEDDED.secret_key
# Browsers take every name under .localhost for this machine: hosts for further pages.
ALLOWED_HOSTS = [".localhost", "127.0.0.1", "[::1]"]
DATABASES = {"default": EMBEDDED.database()}
CELERY_BROKER_URL = EMBEDDED.redis_url
PUBLIC_ROOT = VAR_DIR / "public"
STATIC_ROOT = VAR_DIR / "static"
EVIDENCE_ROOT = VAR_DIR / "evidence"
RUNBOOK_ROOT = VAR_DIR / "runbooks"
# The supervisor tells its programs the port of the web.
DESK_URL = f"http://localhost:{whole('PORT', 8000)}"
# What an operator decides holds here as in production; without it nothing is open.
OUTGOING_NETWORKS = networks("OUTGOING_NETWORKS", "")
METRICS_TOKEN = text("METRICS_TOKEN", "")
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR_DIR / "mail"
