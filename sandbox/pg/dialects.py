"""The PGs that the sandbox speaks for, by their prefix."""

from collections.abc import Mapping

from sandbox.pg.dialect import Dialect
from sandbox.pg.inicis import Inicis
from sandbox.pg.nicepay import Nicepay
from sandbox.pg.nicepay_form import NicepayForm
from sandbox.pg.portone import PortOne
from sandbox.pg.toss import Toss

_ALL = (Toss(), PortOne(), Nicepay(), NicepayForm(), Inicis())
DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
