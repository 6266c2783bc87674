"""Tests: real servers of their own, in a folder that goes with the test run."""

from ipaddress import ip_network

from config.embedded import addresses
from config.embedded.testing import start_for_tests
from config.settings.base import *  # noqa: F403 - an overlay is the base with other values
from config.settings.base import STORAGES

# pytest-django reads the settings before any conftest is loaded.
VAR_DIR = start_for_tests()
EMBEDDED = addresses.load(VAR_DIR)

SECRET_KEY = EMBEDDED.secret_key
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
DATABASES = {"default": EMBEDDED.database()}
CELERY_BROKER_URL = EMBEDDED.redis_url
# The chats that tests post to are servers of this machine.
OUTGOING_NETWORKS = [ip_network("127.0.0.0/8")]
METRICS_TOKEN = "for-tests"  # noqa: S105 - of tests alone
DESK_URL = "https://desk.example.org"
PUBLIC_ROOT = VAR_DIR / "public"
STATIC_ROOT = VAR_DIR / "static"
EVIDENCE_ROOT = VAR_DIR / "evidence"
RUNBOOK_ROOT = VAR_DIR / "runbooks"
# WhiteNoise warns of a folder that is not there, and a warning fails a test.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# The test client finds files where they are written; the manifest is made by the supervisor.
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
