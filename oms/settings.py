"""One settings file; everything that differs between environments is an environment variable (docs/operations.md)."""

import os
from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF

from core import embedded
from core.networks import networks
from oms.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

OMS_ENV = os.environ.get("OMS_ENV", "demo")
if OMS_ENV not in {"demo", "test", "production"}:
    raise RuntimeError(f"OMS_ENV is {OMS_ENV!r}; it must be demo, test or production")
PRODUCTION = OMS_ENV == "production"
OMS_DATA_DIR = Path(os.environ.get("OMS_DATA_DIR", BASE_DIR / "var")).resolve()
OMS_FAILPOINTS = os.environ.get("OMS_FAILPOINTS", "") if OMS_ENV == "test" else ""

OPEN_SECRET_KEY = "demo-and-test-only-" + "0" * 48
SECRET_KEY = os.environ.get("OMS_SECRET_KEY") or ("" if PRODUCTION else OPEN_SECRET_KEY)
if not SECRET_KEY:
    raise RuntimeError("OMS_SECRET_KEY must be set when OMS_ENV=production")
DEBUG = False
_hosts = os.environ.get("OMS_ALLOWED_HOSTS") or ("" if PRODUCTION else "localhost,127.0.0.1,[::1],testserver")
ALLOWED_HOSTS = [host.strip() for host in _hosts.split(",") if host.strip()]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_filters",
    "django_htmx",
    "pgtrigger",
    "axes",
    "csp",
    "core",
    "accounts",
    "products",
    "orders",
    "payments",
    "shipping",
    "channels",
    "oms",
]

MIDDLEWARE = [
    "oms.health.HealthMiddleware",
    "accounts.middleware.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "payments.middleware.WebhookMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.StaffSessionMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "oms.errors.ExpectedErrors",
]

ROOT_URLCONF = "oms.urls"
WSGI_APPLICATION = "oms.wsgi.application"
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
                "csp.context_processors.nonce",
                "oms.context.shell",
            ],
        },
    }
]

# Which roles this process is or supervises; empty means all of them (oms/roles.py).
OMS_PROCESSES = os.environ.get("OMS_PROCESSES", "")
DATABASE_IS_EMBEDDED = not os.environ.get("DATABASE_URL")
DATABASE_URL = os.environ.get("DATABASE_URL") or embedded.database_url(OMS_DATA_DIR)
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=600, conn_health_checks=True)}
_database_options = DATABASES["default"].setdefault("OPTIONS", {})
# A socket folder arrives as a parameter of the URL; `dbshell` and friends look for it in HOST.
DATABASES["default"]["HOST"] = _database_options.pop("host", DATABASES["default"]["HOST"])
_database_options["connect_timeout"] = 5
# jit: our queries are short, compiling one takes longer than running it. pgtrigger.ignore: every trigger asks for this
# variable and catches the error of its absence, which made a bulk insert of 50,000 rows take 29 s instead of 0.3 s.
_database_options["options"] = (
    "-c jit=off -c pgtrigger.ignore={} -c lock_timeout=3s -c idle_in_transaction_session_timeout=30s"
)
if OMS_PROCESSES == "web":
    _database_options["options"] += " -c statement_timeout=15s"
DATABASES["default"]["TEST"] = {"NAME": os.environ.get("OMS_TEST_DB", "test_oms"), "TEMPLATE": "template0"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
BROKER_IS_EMBEDDED = not os.environ.get("REDIS_URL")
REDIS_URL = os.environ.get("REDIS_URL") or embedded.broker_url(OMS_DATA_DIR)

# Celery: reliability.md 1.3. The database row decides what must be done; a message only wakes a worker up.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "retry_on_timeout": True,
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = int(os.environ.get("OMS_WORKER_THREADS", "4"))
# Beside the threads of the worker, for lanes and feeds of couriers (core/aside.py).
OMS_COURIER_THREADS = int(os.environ.get("OMS_COURIER_THREADS", "8"))
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "Asia/Seoul"

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config("WARNING" if OMS_ENV == "test" else "INFO")

OMS_EVENT_MODEL = "orders.OrderEvent"
OMS_DELIVERY_MODEL = "orders.Delivery"

# Who carries messages to buyers; the standard one only keeps them (docs/operations.md).
OMS_MESSAGE_BACKEND = os.environ.get("OMS_MESSAGE_BACKEND", "core.messaging.log_backend")

# Lets a person through to core's own pages or answers why not: log-in first, then the right.
OMS_GATE = "accounts.access.refusal"

CSRF_FAILURE_VIEW = "oms.errors.csrf_failure"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.backends.StaffBackend"]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours: reliability.md R-03 asks for 15 minutes
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_RESET_ON_SUCCESS = True
# A lock ends 15 minutes after it began; otherwise anybody could keep a colleague out for ever.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "accounts.lockout.keep_response"
# The account is locked whatever address the attempts come from; W006 asks for the weaker lock by address.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]

SESSION_COOKIE_AGE = 1800
# StaffSessionMiddleware saves it once a minute: a commit on every request would cost more than the page.
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
# A PG must get no redirect, which loses its notice: payments/middleware.py answers FAIL there.
# So does a tracking source that calls us: shipping/views/hooks.py refuses plain HTTP itself.
SECURE_REDIRECT_EXEMPT = [r"^payments/(?:webhooks|bank-feed)(?:/|$)", r"^hooks/tracking/"]
SECURE_HSTS_SECONDS = 31536000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
if os.environ.get("OMS_TRUST_PROXY"):
    raise RuntimeError("OMS_TRUST_PROXY is no more; name the proxies in front in OMS_TRUSTED_PROXIES")
# Whose X-Forwarded-For and X-Forwarded-Proto count (accounts/clients.py); anybody else's are no headers at all.
TRUSTED_PROXIES = networks(os.environ.get("OMS_TRUSTED_PROXIES", ""))
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

LANGUAGE_CODE = "ko"
TIME_ZONE = "Asia/Seoul"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = OMS_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if OMS_ENV != "test"
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = OMS_ENV == "test"
