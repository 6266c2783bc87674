"""Production: every address and secret comes from the environment, or the start stops."""

from urllib.parse import unquote, urlsplit

from config.env import folder, networks, text, whole, words
from config.settings.base import *  # noqa: F403 - an overlay is the base with other values
from config.settings.base import BASE_DIR

_database = urlsplit(text("DATABASE_URL"))

SECRET_KEY = text("SECRET_KEY")
ALLOWED_HOSTS = words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path.lstrip("/"),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _database.hostname or "",
        "PORT": str(_database.port or 5432),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    },
}
CELERY_BROKER_URL = text("REDIS_URL")
VAR_DIR = folder("VAR_DIR")
PUBLIC_ROOT = folder("PUBLIC_ROOT")
STATIC_ROOT = folder("STATIC_ROOT")
EVIDENCE_ROOT = folder("EVIDENCE_ROOT", VAR_DIR / "evidence")
RUNBOOK_ROOT = folder("RUNBOOK_ROOT", VAR_DIR / "runbooks")
EVIDENCE_MOST_BYTES = whole("EVIDENCE_MOST_MIB", 20) * 1024 * 1024
TRUSTED_PROXIES = networks("TRUSTED_PROXIES", "")
OUTGOING_NETWORKS = networks("OUTGOING_NETWORKS", "")
DESK_URL = text("DESK_URL", f"https://{ALLOWED_HOSTS[0].lstrip('.')}").rstrip("/")
METRICS_TOKEN = text("METRICS_TOKEN", "")
API_REQUESTS_A_MINUTE = whole("API_REQUESTS_A_MINUTE", 600)
PG_DUMP_BIN_DIR = text("PG_DUMP_BIN_DIR", "")
PGBACKREST_PROGRAM = text("PGBACKREST_PROGRAM", "pgbackrest")
PGBACKREST_CONFIG = text("PGBACKREST_CONFIG", "")
BARMAN_BIN_DIR = folder("BARMAN_BIN_DIR", BASE_DIR / ".venv-barman" / "bin")

EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = whole("EMAIL_PORT", 25)
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL")

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
