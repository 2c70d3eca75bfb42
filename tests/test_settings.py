"""Settings that must not drift (reliability.md 1.3 and 3.3)."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

PRINT = (
    "import json, oms.settings as s; print(json.dumps({n: getattr(s, n) for n in dir(s) if n.isupper()}, default=str))"
)


@pytest.fixture(scope="module")
def production() -> dict:
    env = {
        "PATH": os.environ["PATH"],
        "OMS_ENV": "production",
        "OMS_SECRET_KEY": "k" * 60,
        "OMS_ALLOWED_HOSTS": "shop.example, admin.shop.example",
        "DATABASE_URL": "postgres://oms:secret@db.example:6432/oms",
        "REDIS_URL": "redis://broker.example:6379/0",
        "OMS_FAILPOINTS": "x=kill",
        "OMS_PROCESSES": "web",
    }
    done = subprocess.run(
        [sys.executable, "-c", PRINT], env=env, cwd=settings.BASE_DIR, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_production_is_closed(production):
    expected = {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["shop.example", "admin.shop.example"],
        "SESSION_COOKIE_AGE": 1800,
        "SESSION_SAVE_EVERY_REQUEST": False,
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_PROXY_SSL_HEADER": None,
        "TRUSTED_PROXIES": [],
        "X_FRAME_OPTIONS": "DENY",
        "USE_TZ": True,
        "TIME_ZONE": "Asia/Seoul",
        "OMS_FAILPOINTS": "",
    }
    assert {name: production[name] for name in expected} == expected
    assert production["SECURE_HSTS_SECONDS"] >= 31_536_000


def test_the_database_has_time_limits_and_no_request_wide_transaction(production):
    database = production["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"]) == ("db.example", 6432)
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database.get("ATOMIC_REQUESTS", False) is False
    limits = database["OPTIONS"]["options"]
    assert "lock_timeout=3s" in limits
    assert "idle_in_transaction_session_timeout=30s" in limits
    assert "statement_timeout=15s" in limits


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("OMS_TRUST_PROXY", "1", "OMS_TRUSTED_PROXIES"), ("OMS_TRUSTED_PROXIES", "10.0.0.1/8", "has host bits set")],
)
def test_a_wrong_word_about_proxies_stops_the_start(name, value, words):
    env = {"PATH": os.environ["PATH"], "OMS_ENV": "test", name: value}
    done = subprocess.run([sys.executable, "-c", PRINT], env=env, cwd=settings.BASE_DIR, capture_output=True, text=True)
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.django_db
def test_only_the_web_role_has_a_statement_timeout():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("3s", "0")


def test_celery_loses_no_task_and_reads_only_json(production):
    expected = {
        "CELERY_ACCEPT_CONTENT": ["json"],
        "CELERY_TASK_SERIALIZER": "json",
        "CELERY_TASK_IGNORE_RESULT": True,
        "CELERY_TASK_ACKS_LATE": True,
        "CELERY_TASK_REJECT_ON_WORKER_LOST": True,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
        "CELERY_TASK_SOFT_TIME_LIMIT": 240,
        "CELERY_TASK_TIME_LIMIT": 300,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
    }
    assert {name: production[name] for name in expected} == expected
    transport = production["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert transport["visibility_timeout"] == 900
    assert 0 < transport["socket_connect_timeout"] <= transport["socket_timeout"] <= 5


def test_tests_do_not_run_tasks_eagerly():
    assert getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False) is False
