"""The PGs that an account can be opened for, by the name it is stored under."""

from collections.abc import Mapping

from payments.adapters.base import Pg

_ADAPTERS: tuple[Pg, ...] = ()

PGS: Mapping[str, Pg] = {pg.name: pg for pg in _ADAPTERS}
