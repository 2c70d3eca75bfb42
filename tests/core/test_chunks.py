"""Pieces that two threads share."""

import threading

import pytest
from django.db import connection, transaction

from core import processes as system
from core.chunks import by_two

CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND client_port IS NOT NULL"


def connected():
    with connection.cursor() as cursor:
        cursor.execute(CONNECTED)
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_two_threads_work_at_the_same_time_and_do_each_piece_once():
    meeting, done = threading.Barrier(2, timeout=10), []

    def work(piece):
        if piece < 2:
            meeting.wait()
        connected()
        done.append((piece, threading.get_ident()))

    before = connected()
    by_two(range(20), work)
    assert sorted(piece for piece, _ in done) == list(range(20))
    assert len({thread for _, thread in done}) == 2
    assert system.wait_until(lambda: connected() == before, timeout=10), "its connection is closed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bad", [0, 1, 19])
def test_a_failure_is_raised_after_the_other_thread_has_done_the_rest(bad):
    meeting, done = threading.Barrier(2, timeout=10), []

    def work(piece):
        if piece < 2:
            meeting.wait()
        if piece == bad:
            raise ValueError(piece)
        done.append(piece)

    with pytest.raises(ValueError, match=str(bad)):
        by_two(range(20), work)
    assert sorted(done) == [piece for piece in range(20) if piece != bad]


@pytest.mark.django_db(transaction=True)
def test_one_piece_and_pieces_of_an_open_transaction_stay_in_their_thread():
    threads = []
    by_two([1], lambda _: threads.append(threading.get_ident()))
    with transaction.atomic():
        by_two([1, 2, 3], lambda _: threads.append(threading.get_ident()))
    assert threads == [threading.get_ident()] * 4
