"""The PGs that the contract suite runs for."""

from tests.payments.pg import portone_case, toss_case

CASES = (toss_case.CASE, portone_case.CASE)
DEALS = (toss_case.DEAL, portone_case.DEAL)
