"""The services that the sandbox serves; add a line to mount one."""

from sandbox.courier.cj import Cj
from sandbox.courier.epost import Epost
from sandbox.courier.hanjin import Hanjin
from sandbox.courier.service import Service
from sandbox.courier.sweettracker import SweetTracker
from sandbox.courier.tracker import Tracker

SERVICES: tuple[type[Service], ...] = (
    Tracker,
    Cj,
    Epost,
    Hanjin,
    SweetTracker,
)
