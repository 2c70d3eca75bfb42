"""The PGs that an account can be opened for, by the name it is stored under."""

from collections.abc import Mapping
from typing import Final

from payments.adapters.base import Pg
from payments.adapters.inicis import INICIS
from payments.adapters.nicepay import NICEPAY
from payments.adapters.nicepay_form import NICEPAY_FORM
from payments.adapters.payaction import PAYACTION
from payments.adapters.portone import PORTONE
from payments.adapters.toss import TOSS

_ALL: Final[tuple[Pg, ...]] = (TOSS, PORTONE, NICEPAY, NICEPAY_FORM, INICIS)

PGS: Final[Mapping[str, Pg]] = {pg.name: pg for pg in _ALL}
FEEDS: Final[Mapping[str, Pg]] = {PAYACTION.name: PAYACTION}
"""Services that only tell what came into our bank accounts."""
