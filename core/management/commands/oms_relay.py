"""`manage.py oms_relay [--once]`: the relay role; it also wakes workers up for due jobs and runs the drains."""

import os
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core import relay
from core.drains import DRAINS, run_all
from core.jobs import dispatch

NICENESS = 10
"""People at their pages and PGs with their notices go first; what waits here is committed and can wait."""


class Command(BaseCommand):
    help = "Deliver committed events to their subscribers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="drain what is due and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            drained = run_all()
            self.stdout.write(f"{relay.run_once()} deliveries, {drained} other rows")
            return
        os.nice(NICENESS)
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda n, _frame: stopping.append(n))
        ending = threading.Event()
        loops = [dispatch.loop(), *(one.loop() for one in DRAINS.values())]
        threads = [one.start(stop=ending) for one in loops]
        relay.LOOP.run(stop=lambda: bool(stopping))
        ending.set()
        for thread in threads:
            thread.join(timeout=5)
