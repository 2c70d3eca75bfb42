"""The PGs that the contract suite runs for."""

from tests.payments.pg import inicis_case, nicepay_case, nicepay_form_case, portone_case, toss_case

_ALL = (toss_case, portone_case, nicepay_case, nicepay_form_case, inicis_case)
CASES = tuple(module.CASE for module in _ALL)
DEALS = tuple(module.DEAL for module in _ALL)
