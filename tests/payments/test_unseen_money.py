"""Money that staff had confirmed by hand and of which the PG shows only a part: a case as long as any of it is here."""

from orders.states import LineState
from payments.models import MoneyProblem
from payments.services.ledger import problems
from payments.states import ProblemKind, Resolution
from tests.fixtures.orders import broken, reloaded

K, S = ProblemKind, LineState


def seen_in_part(at_pg):
    """A payment of 40,000 won that staff confirmed by hand, of which the PG shows 25,000."""
    one = at_pg()
    one.confirm()
    one.tell(25_000)
    return one


def test_what_the_pg_never_showed_is_over_when_all_has_gone_back(at_pg):
    one = seen_in_part(at_pg)
    problem = one.open_problem()
    one.cancel()
    assert one.problems() == [(K.MISMATCH_WITH_PG, 15_000)], "nothing has gone back yet"
    one.pay_out()
    assert (one.stands(), one.problems()) == ((S.CANCELED, 0, 0), [])
    assert reloaded(problem).resolution == Resolution.FITS
    assert broken() == []


def test_the_pgs_part_alone_gone_back_leaves_the_case(at_pg):
    one = seen_in_part(at_pg)
    one.tell(25_000, refunds=(25_000,))
    assert (K.MISMATCH_WITH_PG, 15_000) in one.problems()


def test_an_old_case_of_money_that_has_gone_is_over_with_the_next_answer(at_pg):
    one = seen_in_part(at_pg)
    problem = one.open_problem()
    one.cancel()
    one.pay_out()
    MoneyProblem.objects.filter(pk=problem.pk).update(resolved_at=None, resolution="")
    one.tell(25_000)
    assert (one.problems(), reloaded(problem).resolution) == ([], Resolution.FITS)


def test_another_difference_from_the_pg_stays_when_all_has_gone_back(at_pg):
    one = at_pg(price=27_000)
    one.tell(27_000)
    one.cancel()
    problems.open_for(one.payment, K.MISMATCH_WITH_PG, amount=27_000, at=one.moment, detail=problems.LOST)
    one.pay_out()
    assert one.problems() == [(K.MISMATCH_WITH_PG, 27_000)]
