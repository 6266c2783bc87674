"""What holds everywhere. Overlays give addresses, secrets and folders."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

# Lets generic Django classes be subscripted at run time, as their types are.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = BASE_DIR / "var"
# Where the finished public page lies. The web process serves it without asking anybody.
PUBLIC_ROOT = VAR_DIR / "public"
# Where files attached to entries of a timeline lie, and how large one may be.
EVIDENCE_ROOT = VAR_DIR / "evidence"
EVIDENCE_MOST_BYTES = 20 * 1024 * 1024
# Where the runbooks are written every hour, for the day on which the desk is not there.
RUNBOOK_ROOT = VAR_DIR / "runbooks"
# Networks of proxies before the web server: what they say of where a visitor comes from counts.
TRUSTED_PROXIES: list[IPv4Network | IPv6Network] = []
# Inner networks to which messages may be posted besides the world outside: a chat server of one's
# own, say. Within them, and nowhere else, plain HTTP will do.
OUTGOING_NETWORKS: list[IPv4Network | IPv6Network] = []
# Where staff reach the desk: what notices link to.
DESK_URL = "http://localhost:8000"
# What Prometheus sends to read /metrics; empty: there is no such address.
METRICS_TOKEN = ""
# The founding report and the example documents. Tests that need them skip by name without.
SHARED_DIR = BASE_DIR.parent / "shared"

INSTALLED_APPS = [
    "config",
    "accounts",
    "notifications",
    "incidents",
    "statuspage",
    "backups",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "desk-login"
LOGIN_REDIRECT_URL = "incidents:incident-list"
LOGOUT_REDIRECT_URL = "desk-login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Staff and programs work in English; pages, feeds and mails speak the language of their page.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("nl", "Nederlands"), ("de", "Deutsch"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "evidence": {"BACKEND": "incidents.evidence.EvidenceStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# All that a form holds besides files; no field of the desk takes more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# An upload beyond the limit is refused before it fills the disk.
FILE_UPLOAD_HANDLERS = [
    "config.uploads.LimitedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "config.outdated.refuse_form"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# The public page takes no cookie; the desk's stay at the desk.
SESSION_COOKIE_PATH = "/"

# The broker carries "advance job N" and nothing else; every task may be delivered twice.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
# Copies and readings are long and never urgent: a worker of their own keeps them from the others.
CELERY_TASK_ROUTES = {
    "backups.tasks.advance_copy": {"queue": "copies"},
    "backups.tasks.advance_manifest": {"queue": "copies"},
    "backups.tasks.read_content": {"queue": "copies"},
    "backups.tasks.advance_*": {"queue": "restores"},
}
CELERY_TASK_TIME_LIMIT = None
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message that is not acknowledged is delivered again after this many seconds. Longer than any
# restore may run; a lost worker is noticed by its lease, not by the broker.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 14 * 24 * 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "retry_on_timeout": False,
}
# An operation that has committed waits at most this long for a broker that is away.
CELERY_TASK_PUBLISH_RETRY = False

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # Basic first: a program without a name is answered 401, with what to send.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "EXCEPTION_HANDLER": "config.api.answer_refusal",
}

# How many requests of one token the management API answers in a minute.
API_REQUESTS_A_MINUTE = 600

# How long a running job may be silent before the page says so, and a lease may be taken over.
LEASE_SECONDS = 20
HEARTBEAT_SECONDS = 5
STALE_AFTER_SECONDS = 30

# The barman-cloud programs, in an environment of their own.
BARMAN_BIN_DIR = BASE_DIR / ".venv-barman" / "bin"
# pg_dump and its like, of the newest major version that is backed up; empty for the bundled ones.
PG_DUMP_BIN_DIR = ""
# The pgbackrest program, and the configuration file that names the hosts of clusters elsewhere.
PGBACKREST_PROGRAM = "pgbackrest"
PGBACKREST_CONFIG = ""
# What rows name as "settings:NAME": {"access_key": ..., "secret_key": ...} or {"password": ...}.
CREDENTIALS: dict[str, dict[str, str]] = {}
# How long a backup or a restore waits for a storage that does not answer at all.
STORAGE_OUTAGE_SECONDS = 6 * 3600
# How long one answer of the storage may be silent before it is asked again.
STORAGE_SILENCE_SECONDS = 15

EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = "status@localhost"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "urllib3": {"level": "ERROR"},
    },
}
