"""The processes of a running shop and the command of each."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

# The order in which they start; they stop in the opposite order of what they need.
ROLES = ("web", "worker", "relay", "beat")
PREPARATIONS = ("migrate",)
PGS = ("toss", "portone", "nicepay", "nicepay-form", "inicis")
"""Codes of the demo shop's accounts, and where the sandbox PGs speak each protocol."""


@dataclass(frozen=True)
class Sandbox:
    """A stand-in for an outside service, run beside the demo shop.

    `urls` tells our side where it listens: name of the environment variable to the path behind its address. `variables`
    are what else our side needs to speak to it; they replace others, so that no demo ever reaches a real service.
    `page` says what a person finds at its address; empty when there is nothing to see.
    """

    name: str
    module: str
    port_offset: int
    urls: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    page: str = ""


SANDBOXES = (
    Sandbox(
        "courier",
        "sandbox.courier",
        10,
        {
            "OMS_TRACKER_DELIVERY_BASE_URL": "",
            **{f"OMS_{courier.upper()}_API_BASE_URL": f"/{courier}" for courier in ("cj", "epost", "hanjin")},
        },
        page="let a parcel go wrong",
    ),
    Sandbox(
        "pg",
        "sandbox.pg",
        11,
        {
            "OMS_PG_SANDBOX_URL": "",
            **{f"OMS_{pg.upper().replace('-', '_')}_BASE_URL": f"/{pg}" for pg in PGS},
        },
        page="pay virtual accounts",
    ),
    Sandbox(
        "solapi",
        "sandbox.solapi",
        12,
        {"OMS_SOLAPI_BASE_URL": ""},
        {
            "OMS_MESSAGE_BACKEND": "core.gateways.solapi.send_text",
            # Those of the sandbox's own account.
            "OMS_SOLAPI_KEY": "NCSDEMO000000000",
            "OMS_SOLAPI_SECRET": "DEMOSECRET0000000000000000000000",
            "OMS_SOLAPI_FROM": "0212345678",
        },
        page="messages to buyers",
    ),
)


def chosen(text: str) -> tuple[str, ...]:
    """The roles named in OMS_PROCESSES, in starting order; all of them, after migrating, when it is empty."""
    names = {name.strip() for name in text.split(",") if name.strip()} or {*PREPARATIONS, *ROLES}
    unknown = names - {*PREPARATIONS, *ROLES}
    if unknown:
        known = ", ".join((*PREPARATIONS, *ROLES))
        raise ValueError(f"OMS_PROCESSES names {', '.join(sorted(unknown))}; known are {known}")
    return tuple(name for name in (*PREPARATIONS, *ROLES) if name in names)


def command(role: str, *, port: int) -> list[str]:
    """The command line of a role. `python -m` works where the scripts of a moved virtual environment do not."""
    python = [sys.executable, "-m"]
    match role:
        case "web":
            return [*python, "gunicorn", *_gunicorn_options(port), "oms.wsgi:application"]
        case "worker":
            # Celery warns about root because of pickle, which we do not accept.
            quiet = [sys.executable, "-W", "ignore:You're running the worker", "-m"]
            return [*quiet, "celery", "-A", "oms", "-q", "worker", "--loglevel", "WARNING", "--without-gossip"]
        case "beat":
            return [*python, "celery", "-A", "oms", "-q", "beat", "--loglevel", "WARNING", "--pidfile", ""]
        case "relay":
            return [sys.executable, str(settings.BASE_DIR / "manage.py"), "oms_relay"]
    raise ValueError(f"{role} is not a role")


def sandbox_command(sandbox: Sandbox, *, port: int) -> list[str]:
    state = settings.OMS_DATA_DIR / f"sandbox-{sandbox.name}.sqlite3"
    return [sys.executable, "-m", sandbox.module, "--port", str(port), "--state", str(state)]


def _gunicorn_options(port: int) -> list[str]:
    # A demo shop has open passwords: it listens on loopback only.
    host = "0.0.0.0" if settings.PRODUCTION else "127.0.0.1"
    return [
        f"--bind={host}:{port}",
        "--worker-class=gthread",
        f"--workers={os.environ.get('OMS_WEB_WORKERS', '2')}",
        f"--threads={os.environ.get('OMS_WEB_THREADS', '8')}",
        "--timeout=60",
        "--graceful-timeout=20",
        "--keep-alive=5",
        # As much as gunicorn can; what is longer is posted, and never reaches an address.
        "--limit-request-line=8190",
        "--max-requests=20000",
        "--max-requests-jitter=2000",
        "--log-level=warning",
        "--no-control-socket",
    ]
