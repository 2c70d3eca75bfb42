"""The PGs that an account can be opened for, by the name it is stored under."""

from typing import Final

from core.registry import ByName
from payments.adapters.base import Pg
from payments.adapters.inicis import INICIS
from payments.adapters.nicepay import NICEPAY
from payments.adapters.nicepay_form import NICEPAY_FORM
from payments.adapters.payaction import PAYACTION
from payments.adapters.portone import PORTONE
from payments.adapters.toss import TOSS

PGS: Final[ByName[Pg]] = ByName.of(TOSS, PORTONE, NICEPAY, NICEPAY_FORM, INICIS)
FEEDS: Final[ByName[Pg]] = ByName.of(PAYACTION)
"""Services that only tell what came into our bank accounts."""
PROVIDERS: Final[ByName[Pg]] = ByName.of(*PGS.values(), *FEEDS.values())
