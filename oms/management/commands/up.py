"""`manage.py up`: everything a shop needs on one machine, or one role of it in a container."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command, get_commands
from django.db import DatabaseError, connection
from django.utils import timezone

from core import processes
from core.broker import Valkey
from core.checks import startup_faults
from core.embedded import EmbeddedError, Postgres, layout
from oms import roles
from oms.health import missing_migrations
from oms.supervisor import (
    AlreadyRunning,
    Child,
    RunLock,
    StopRequested,
    Supervisor,
    end_leftovers,
    spawn_role,
    stop_on_signals,
)
from oms.watchdog import worker_is_deaf

logger = logging.getLogger(__name__)

WATCHDOG_SECONDS = 30.0
MIGRATION_LOCK = 4105  # any number that nothing else in the database uses
STOP_ORDER = ("web", "worker", "relay", "beat", *(box.name for box in roles.SANDBOXES), "broker", "database")
# Seconds to finish what is running: requests, tasks.
GRACE = {"web": 25.0, "worker": 30.0}
DEMO_ACCOUNTS = "owner, cs, logistics, finance, viewer, auditor"


class Command(BaseCommand):
    help = "Start the shop on this machine and keep it running until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="fill an empty shop with demo data")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--remove-data", action="store_true", help="delete the embedded servers' data and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        self.port: int = options["port"]
        try:
            self.roles = roles.chosen(settings.OMS_PROCESSES)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if options["demo"] and settings.OMS_ENV != "demo":
            raise CommandError("--demo needs OMS_ENV=demo: it makes accounts with an open password.")
        self.lock = RunLock(settings.OMS_DATA_DIR)
        self.supervisor = Supervisor(STOP_ORDER)
        self.sandbox_pages: dict[str, str] = {}
        if "MAKELEVEL" in os.environ:
            # Started by make: a kill -9 of make must not leave the shop running behind the terminal.
            processes.die_with_parent(signal.SIGTERM)
        with stop_on_signals() as self.stopping:
            try:
                self._hold_data_folder()
                if options["remove_data"]:
                    self._remove_data()
                else:
                    self._run(demo=options["demo"])
            except StopRequested:
                self.stderr.write("Stopping ...")
            except (AlreadyRunning, EmbeddedError) as error:
                raise CommandError(str(error)) from None
            finally:
                self._stop()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/" if "web" in self.roles else ""

    def _run(self, *, demo: bool) -> None:
        self._start_servers()
        self._refuse_faults()
        self._prepare()
        self._start_sandboxes()
        if demo:
            self._fill_demo()
        connection.close()
        for role in self.roles:
            if role in roles.ROLES:
                self._start_role(role)
        if self.supervisor.children and set(self.roles) & set(roles.ROLES):
            self._keep_running()

    def _hold_data_folder(self) -> None:
        self.lock.take()
        self.lock.tell("starting", self.address)
        end_leftovers(settings.OMS_DATA_DIR)

    def _stop(self) -> None:
        if self.lock.file is not None and self.supervisor.children:
            self.lock.tell("stopping", self.address)
        connection.close()
        self.supervisor.stop()

    def _start_servers(self) -> None:
        if settings.DATABASE_IS_EMBEDDED:
            database = Postgres(settings.OMS_DATA_DIR, durable=True)
            self.supervisor.add(Child("database", database.start, lambda process: database.stop()))
        if settings.BROKER_IS_EMBEDDED:
            broker = Valkey(settings.OMS_DATA_DIR)
            self.supervisor.add(Child("broker", broker.start, lambda process: broker.stop()))

    def _refuse_faults(self) -> None:
        """Wait a minute for a database that starts beside us, then refuse what must not run."""
        end = time.monotonic() + 60
        while True:
            try:
                faults = startup_faults()
                break
            except DatabaseError as error:
                if time.monotonic() > end:
                    raise CommandError(f"The database does not answer: {str(error).strip()}") from None
            time.sleep(1)
        if faults:
            raise CommandError("\n".join(faults))

    def _prepare(self) -> None:
        if "migrate" in self.roles:
            self._migrate()
        else:
            self._await_migrations()
        if "web" in self.roles:
            call_command("collectstatic", interactive=False, verbosity=0)

    def _migrate(self) -> None:
        """One migration at a time, however many machines start together."""
        with connection.cursor() as cursor:
            while True:
                # Asked again and again: waiting inside the database would run into lock_timeout.
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATION_LOCK])
                if cursor.fetchone()[0]:
                    break
                time.sleep(0.5)
        call_command("migrate", interactive=False, verbosity=0)
        connection.close()

    def _await_migrations(self) -> None:
        told = False
        while missing_migrations():
            if not told:
                self.stderr.write("Waiting until another process has migrated the database ...")
                told = True
            time.sleep(1)

    def _start_sandboxes(self) -> None:
        if settings.OMS_ENV != "demo" or "web" not in self.roles:
            return
        for sandbox in roles.SANDBOXES:
            port = _free_port(self.port + sandbox.port_offset)
            for name, path in sandbox.urls.items():
                os.environ.setdefault(name, f"http://127.0.0.1:{port}{path}")
            os.environ.update(sandbox.variables)
            self._start(sandbox.name, roles.sandbox_command(sandbox, port=port), dict(os.environ))
            if not processes.wait_until(partial(_is_healthy, port), timeout=20):
                raise CommandError(f"The sandbox {sandbox.name} does not answer on port {port}.")
            if sandbox.page:
                self.sandbox_pages[sandbox.page] = f"http://127.0.0.1:{port}/"

    def _fill_demo(self) -> None:
        if "oms_demo" in get_commands():
            call_command("oms_demo", port=self.port)

    def _start_role(self, role: str) -> None:
        if role == "web":
            self._refuse_taken_port()
        self._start(role, roles.command(role, port=self.port), os.environ | {"OMS_PROCESSES": role})

    def _start(self, name: str, args: list[str], env: dict[str, str]) -> None:
        env.pop("MAKELEVEL", None)
        self.supervisor.add(
            Child(
                name,
                lambda: spawn_role(args, env=env, data_dir=settings.OMS_DATA_DIR),
                lambda process: processes.stop(process, grace=GRACE.get(name, 10.0)),
            )
        )

    def _refuse_taken_port(self) -> None:
        if not processes.wait_until(lambda: _is_free(self.port), timeout=5, interval=0.2):
            raise CommandError(f"Port {self.port} is used by another program. Choose another: make up PORT=8001")

    def _keep_running(self) -> None:
        self.lock.tell("running", self.address)
        announced = "web" not in self.roles
        started = time.monotonic()
        slow = False
        look_again = started + WATCHDOG_SECONDS
        while True:
            self.stopping.check()
            self.supervisor.watch()
            if time.monotonic() >= look_again:
                look_again = time.monotonic() + WATCHDOG_SECONDS
                self._restart_deaf_worker()
            if not announced and _status(f"{self.address}readyz") == 200:
                self._announce()
                announced = True
            elif not announced and not slow and time.monotonic() - started > 60:
                self.stderr.write(f"Not ready after a minute; see the log lines above and {self.address}readyz")
                slow = True
            time.sleep(0.2)

    def _restart_deaf_worker(self) -> None:
        if not {"worker", "beat"} <= set(self.roles) or not (age := self.supervisor.age("worker")):
            return
        now = timezone.now()
        with contextlib.suppress(DatabaseError):
            if worker_is_deaf(at=now, worker_since=now - timedelta(seconds=age)):
                logger.error("the worker consumes nothing; restarting it")
                self.supervisor.restart("worker")
        connection.close()

    def _announce(self) -> None:
        self.stdout.write(f"\nReady: {self.address}")
        if settings.OMS_ENV == "demo":
            self.stdout.write(f"Log in as {DEMO_ACCOUNTS}; the password is demo. This machine only.")
            for page, address in self.sandbox_pages.items():
                self.stdout.write(f"Sandbox: {address} ({page})")
        self.stdout.write("Ctrl-C stops it.\n")
        self.stdout.flush()

    def _remove_data(self) -> None:
        where = layout(settings.OMS_DATA_DIR)
        # Whatever a killed run left would go on writing into deleted files.
        for folder in (where.home / "pg", settings.OMS_DATA_DIR / "valkey"):
            processes.end_all(processes.working_in(folder), first=signal.SIGINT, grace=30)
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(where.fallback, ignore_errors=True)
        for state in settings.OMS_DATA_DIR.glob("sandbox-*"):
            state.unlink()
        self.stdout.write(f"Removed the data of {settings.OMS_DATA_DIR}.")


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(preferred: int) -> int:
    """`preferred` when nobody listens there, else any free one."""
    if _is_free(preferred):
        return preferred
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(port: int) -> bool:
    return _status(f"http://127.0.0.1:{port}/healthz") == 200


def _status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None
