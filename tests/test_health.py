"""The two probes: what they tell a load balancer while something is missing."""

import time

import pytest
from django.db import connection

from tests.infra.processes import free_port, status_of


@pytest.mark.django_db
def test_readyz_is_200_and_degraded_without_a_broker_within_half_a_second(client, no_broker):
    taken = []
    for _ in range(5):
        started = time.monotonic()
        answer = client.get("/readyz")
        taken.append(time.monotonic() - started)
    # Somebody else may have held the processor up, but not every time.
    assert min(taken) < 0.5
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok", "broker": "degraded"}


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["{broker}?unheard_of=1", "{broker}?socket_timeout=soon", "redis://[half", "ftp://x"])
def test_readyz_is_200_and_degraded_with_an_address_that_the_client_cannot_use(url, client, valkey, settings):
    settings.REDIS_URL = url.format(broker=valkey.url)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["broker"] == "degraded"


@pytest.mark.django_db
def test_readyz_is_200_and_ok_with_a_broker(client, valkey):
    assert client.get("/readyz").json()["broker"] == "ok"


@pytest.mark.django_db
def test_readyz_is_503_while_a_migration_is_missing(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "missing"
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_the_probes_answer_whatever_host_they_are_asked_by(client):
    assert client.get("/healthz", headers={"Host": "10.0.0.7"}).status_code == 200
    assert client.get("/readyz", headers={"Host": "10.0.0.7"}).status_code == 200


@pytest.mark.processes
def test_readyz_is_503_and_healthz_200_while_the_database_is_away(processes):
    nowhere = f"postgres://oms@127.0.0.1:{free_port()}/oms"
    web = processes.start("web", env={"DATABASE_URL": nowhere})
    for _ in range(150):
        if status_of(f"{web.url}/healthz") == 200:
            break
        time.sleep(0.1)
    assert status_of(f"{web.url}/healthz") == 200, web.log()
    assert status_of(f"{web.url}/readyz") == 503
