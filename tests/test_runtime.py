"""`manage.py up` on one machine and role by role, as docker-compose.yml starts it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import yaml
from django.conf import settings
from django.db import connection

from core import embedded
from core import processes as system
from core.jobs import files
from oms import roles
from oms.celery import app as celery_app
from oms.supervisor import MARK
from tests.infra.processes import Processes, Running, free_port, status_of, worker_database_url

COMPOSE_FILE = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())
COMPOSE = COMPOSE_FILE["services"]
OUR_SERVICES = sorted(name for name, service in COMPOSE.items() if "build" in service)
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]

READY = 240
"""Seconds that a process may take on a busy machine; nothing waits longer than it needs."""

pytestmark = pytest.mark.processes


# --- one machine ---


@pytest.fixture
def shop_folder() -> Iterator[Path]:
    top = Path(tempfile.mkdtemp(prefix="oms-up-"))
    top.chmod(0o711)
    yield top / "var"
    shutil.rmtree(embedded.layout(top / "var").fallback, ignore_errors=True)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def shop(shop_folder: Path, tmp_path: Path) -> Iterator[Processes]:
    """Runs `up` with embedded servers of its own, as `make up` does."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OMS_ENV": "demo", "OMS_DATA_DIR": str(shop_folder)}
    group = Processes(tmp_path, env)
    yield group
    group.end()


@pytest.fixture(scope="module")
def migrated() -> Iterator[Path]:
    """Data of a shop that was up before."""
    top = Path(tempfile.mkdtemp(prefix="oms-before-"))
    top.chmod(0o711)
    env = {"PATH": os.environ["PATH"], "OMS_ENV": "demo", "OMS_DATA_DIR": str(top / "var"), "OMS_PROCESSES": "migrate"}
    subprocess.run([*MANAGE, "up"], env=env, check=True, capture_output=True, timeout=READY)
    yield top / "var"
    shutil.rmtree(embedded.layout(top / "var").fallback, ignore_errors=True)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def used_shop(shop: Processes, shop_folder: Path, migrated: Path) -> Processes:
    """The same with migrated tables: only a first start is about them."""
    subprocess.run(["cp", "-a", str(migrated), str(shop_folder)], check=True)
    return shop


def up(shop: Processes, *options: str, port: int | None = None) -> Running:
    port = port or free_port()
    return shop.run([*MANAGE, "up", "--port", str(port), *options], name="up", port=port)


def parts_of(shop: Running) -> dict[str, int]:
    """Process ids of what this `up` started, by role."""
    found = {}
    for pid in children_of(shop.process.pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        names = (
            "gunicorn", "worker", "oms_relay", "beat", "sandbox.courier", "sandbox.pg", "sandbox.solapi", "postgres",
            "valkey-server",
        )  # fmt: skip
        name = next((name for name in names if any(name in word for word in words)), words[0])
        found[name] = pid
    return found


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def in_shop(folder: Path, sql: str) -> list[tuple]:
    """Run one statement in the database of the shop under test."""
    session = psycopg2.connect(embedded.database_url(folder))
    try:
        with session, session.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        session.close()


def test_up_starts_everything_prints_the_address_and_stops_cleanly(shop, shop_folder):
    running = up(shop, "--demo").wait_ready(READY)
    assert system.wait_until(lambda: f"Ready: {running.url}/" in running.log(), timeout=READY)
    assert "owner, cs, logistics, finance, viewer, auditor; the password is demo" in running.log()
    parts = parts_of(running)
    expected = {
        "postgres",
        "valkey-server",
        "gunicorn",
        "worker",
        "oms_relay",
        "beat",
        "sandbox.courier",
        "sandbox.pg",
        "sandbox.solapi",
    }
    assert set(parts) == expected
    answer = json.load(urllib.request.urlopen(f"{running.url}/readyz"))
    assert answer == {"status": "ok", "database": "ok", "migrations": "ok", "broker": "ok"}
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(READY) == 0
    assert not [pid for pid in parts.values() if system.is_running(pid)]
    assert not (shop_folder / "pg" / "postmaster.pid").exists()
    assert system.with_environment(MARK, str(shop_folder)) == []


def test_a_second_up_is_refused_and_the_first_goes_on(used_shop):
    first = up(used_shop).wait_ready(READY)
    second = up(used_shop)
    assert second.process.wait(READY) == 1
    assert f"It is already running: process {first.process.pid}, {first.url}/" in second.log()
    assert "Traceback" not in second.log()
    assert status_of(f"{first.url}/readyz") == 200


def test_every_killed_process_is_restarted(used_shop, shop_folder):
    running = up(used_shop).wait_ready(READY)
    before = parts_of(running)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def all_back() -> bool:
        now = parts_of(running)
        return set(now) == set(before) and not set(now.values()) & set(before.values())

    assert system.wait_until(all_back, timeout=READY), running.log()
    running.wait_ready(READY)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(READY) == 0


def test_after_a_kill_of_everything_up_works_again(used_shop, shop_folder):
    first = up(used_shop).wait_ready(READY)
    in_shop(shop_folder, "CREATE TABLE kept AS SELECT generate_series(1, 500) AS number")
    parts = parts_of(first)
    for pid in (first.process.pid, *parts.values()):
        os.kill(pid, signal.SIGKILL)
    first.process.wait()
    again = up(used_shop, port=first.port).wait_ready(READY)
    assert in_shop(shop_folder, "SELECT count(*) FROM kept") == [(500,)]
    assert again.stop() == 0


def test_after_a_kill_of_the_supervisor_alone_nothing_is_left_behind(used_shop, shop_folder):
    first = up(used_shop).wait_ready(READY)
    parts = parts_of(first)
    first.process.kill()
    first.process.wait()
    # At once: the old processes may still be stopping.
    again = up(used_shop, port=first.port).wait_ready(READY)
    assert not [pid for pid in parts.values() if system.is_running(pid)]
    assert again.stop() == 0


def test_a_taken_port_is_named_before_anything_listens(used_shop):
    holder = used_shop.run(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port := free_port())], name="holder"
    )
    assert system.wait_until(lambda: status_of(f"http://127.0.0.1:{port}/") == 200, timeout=READY)
    refused = up(used_shop, port=port)
    assert refused.process.wait(READY) == 1
    assert f"Port {port} is used by another program" in refused.log()
    assert holder.is_alive


# --- one role per container ---


def compose_environment(service: str, folder: Path, port: int) -> dict[str, str]:
    lines = (settings.BASE_DIR / ".env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    filled = {
        "OMS_SECRET_KEY": "only-for-this-test-" + "k" * 50,
        "OMS_ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": worker_database_url(),
        "REDIS_URL": settings.REDIS_URL,
    }
    assert set(filled) <= set(example)
    here = {"PORT": str(port), "OMS_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "oms.settings"}
    return example | COMPOSE[service]["environment"] | filled | here


def start_service(processes: Processes, service: str, folder: Path) -> Running:
    words = shlex.split(COMPOSE[service]["command"])
    assert words[0] == "python"
    port = free_port()
    env = compose_environment(service, folder, port)
    return processes.run([sys.executable, *words[1:]], name=service, port=port, env=env)


def test_compose_has_one_service_per_role():
    chosen = {service["environment"]["OMS_PROCESSES"] for service in COMPOSE.values() if "build" in service}
    assert chosen == {"migrate", *roles.ROLES}
    assert COMPOSE["database"]["image"] == "postgres:18"
    assert COMPOSE["broker"]["image"].startswith("valkey/valkey:")


def test_compose_web_and_worker_share_the_files_of_jobs_and_nothing_else():
    """An upload that web stored is read by worker, an Excel file that worker wrote is handed out by web."""
    dockerfile = (settings.BASE_DIR / "Dockerfile").read_text()
    assert "OMS_DATA_DIR=/data " in dockerfile
    shared = f"files:/data/{files.folder().name}"
    assert [name for name in OUR_SERVICES if COMPOSE[name].get("volumes")] == ["web", "worker"]
    assert COMPOSE["web"]["volumes"] == COMPOSE["worker"]["volumes"] == [shared]
    assert "files" in COMPOSE_FILE["volumes"]
    # A new volume takes its owner from the folder of the image: it must exist there and belong to the role's user.
    assert "install -d -o oms -g oms -m 0700 /data /data/files" in dockerfile


def test_compose_web_serves_production(processes, tmp_path):
    web = start_service(processes, "web", tmp_path / "data").wait_ready(READY)
    https = urllib.request.Request(f"{web.url}/healthz", headers={"Host": "shop.example", "X-Forwarded-Proto": "https"})
    assert urllib.request.urlopen(https).status == 200
    check = [word.replace("127.0.0.1:8000", f"127.0.0.1:{web.port}") for word in COMPOSE["web"]["healthcheck"]["test"]]
    assert check[:2] == ["CMD", "python"]
    assert processes.run([sys.executable, *check[2:]], name="healthcheck").process.wait(READY) == 0
    assert web.stop() == 0


def test_compose_worker_answers_over_the_broker(processes, tmp_path):
    worker = start_service(processes, "worker", tmp_path / "data")
    assert system.wait_until(lambda: bool(celery_app.control.ping(timeout=1)), timeout=READY), worker.log()
    assert worker.stop() == 0
    assert " died" not in worker.log()


@pytest.mark.parametrize("service", ["relay", "beat"])
def test_compose_relay_and_beat_stay_alive(service, processes, tmp_path):
    running = start_service(processes, service, tmp_path / "data")
    assert system.wait_until(lambda: children_of(running.process.pid) != [], timeout=READY), running.log()
    (child,) = children_of(running.process.pid)
    system.wait_until(lambda: not system.is_running(child), timeout=5)
    assert children_of(running.process.pid) == [child], running.log()
    assert running.stop() == 0


def test_compose_migrate_ends_by_itself(processes, tmp_path):
    migrate = start_service(processes, "migrate", tmp_path / "data")
    assert migrate.process.wait(READY) == 0, migrate.log()


def test_a_role_waits_for_the_migration(processes, tmp_path):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions' RETURNING name, applied")
        rows = cursor.fetchall()
    relay = start_service(processes, "relay", tmp_path / "data")
    assert system.wait_until(lambda: "Waiting until another process has migrated" in relay.log(), timeout=READY)
    assert children_of(relay.process.pid) == []
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES ('sessions', %s, %s)", rows)
    assert system.wait_until(lambda: children_of(relay.process.pid) != [], timeout=READY), relay.log()
    assert relay.stop() == 0


def test_the_image_starts_up_and_copies_what_exists():
    text = (settings.BASE_DIR / "Dockerfile").read_text()
    assert json.loads(re.search(r"^CMD (.*)$", text, re.M)[1]) == ["python", "manage.py", "up"]
    for source in re.findall(r"^COPY (\S+) ", text, re.M):
        assert (settings.BASE_DIR / source).exists()
    ignored = (settings.BASE_DIR / ".dockerignore").read_text().split()
    assert {".env", "var", ".git"} <= set(ignored)


# --- refusals ---


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("OMS_ALLOWED_HOSTS", "OMS_ALLOWED_HOSTS must name the hosts"),
        ("DATABASE_URL", "DATABASE_URL is not set"),
        ("REDIS_URL", "REDIS_URL is not set"),
        ("OMS_SECRET_KEY", "OMS_SECRET_KEY must be set"),
    ],
)
def test_production_refuses_to_start_without(missing, sentence, processes, shop_folder):
    env = compose_environment("web", shop_folder, free_port()) | {missing: ""}
    refused = processes.run([*MANAGE, "check"], name="check", env=env)
    assert refused.process.wait(READY) == 1
    assert sentence in refused.log()
    started = processes.run([*MANAGE, "up"], name="up", env=env)
    assert started.process.wait(READY) == 1
    assert sentence in started.log()


def test_production_refuses_the_open_key_and_demo_data(processes, shop_folder):
    env = compose_environment("web", shop_folder, free_port())
    weak = processes.run([*MANAGE, "up"], name="up", env=env | {"OMS_SECRET_KEY": settings.OPEN_SECRET_KEY})
    assert weak.process.wait(READY) == 1
    assert "OMS_SECRET_KEY is the demo key" in weak.log()
    demo = processes.run([*MANAGE, "up", "--demo"], name="up", env=env)
    assert demo.process.wait(READY) == 1
    assert "--demo needs OMS_ENV=demo" in demo.log()


def test_a_database_that_knows_no_hangul_is_refused_and_left_empty(processes, shop_folder):
    name = f"{connection.settings_dict['NAME']}_c"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    url = worker_database_url().replace(connection.settings_dict["NAME"], name)
    refused = processes.run(
        [*MANAGE, "up"],
        name="up",
        env={"DATABASE_URL": url, "OMS_DATA_DIR": str(shop_folder), "OMS_PROCESSES": "migrate"},
    )
    assert refused.process.wait(READY) == 1
    assert "The database does not know Hangul" in refused.log()
    assert (
        processes.run([*MANAGE, "migrate", "--check"], name="check", env={"DATABASE_URL": url}).process.wait(READY) == 1
    )
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}"')


def test_an_unknown_role_is_named(processes, shop_folder):
    refused = processes.run([*MANAGE, "up"], name="up", env={"OMS_PROCESSES": "web,mailer"})
    assert refused.process.wait(READY) == 1
    assert "OMS_PROCESSES names mailer; known are migrate, web, worker, relay, beat" in refused.log()


# --- backup ---


def test_a_backup_restores_into_an_empty_database_only(processes, tmp_path):
    name = f"{connection.settings_dict['NAME']}_restored"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
        (expected,) = cursor.fetchone()
    dump = tmp_path / "oms.dump"
    backup = processes.run([*MANAGE, "oms_backup", str(dump)], name="backup")
    assert backup.process.wait(READY) == 0, backup.log()
    assert dump.stat().st_mode & 0o777 == 0o600
    target = {"DATABASE_URL": worker_database_url().replace(connection.settings_dict["NAME"], name)}
    restore = processes.run([*MANAGE, "oms_restore", str(dump)], name="restore", env=target)
    assert restore.process.wait(READY) == 0, restore.log()
    current = processes.run([*MANAGE, "migrate", "--check"], name="check", env=target)
    assert current.process.wait(READY) == 0, current.log()
    twice = processes.run([*MANAGE, "oms_restore", str(dump)], name="restore", env=target)
    assert twice.process.wait(READY) == 1
    assert "The database is not empty; nothing was changed." in twice.log()
    assert expected > 0
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}"')
