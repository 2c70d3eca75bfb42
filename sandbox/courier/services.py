"""The services that the sandbox serves; add a line to mount one."""

from sandbox.courier.service import Service
from sandbox.courier.tracker import Tracker

SERVICES: tuple[type[Service], ...] = (Tracker,)
