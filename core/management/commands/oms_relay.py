"""`manage.py oms_relay [--once]`: the relay role; it also wakes workers up for due jobs and runs the drains."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core import drains
from core.jobs import dispatch
from core.relay import run_forever, run_once


class Command(BaseCommand):
    help = "Deliver committed events to their subscribers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="drain what is due and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            drained = drains.run_all()
            self.stdout.write(f"{run_once()} deliveries, {drained} other rows")
            return
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda n, _frame: stopping.append(n))
        ending = threading.Event()
        dispatcher = threading.Thread(target=dispatch.run_forever, kwargs={"stop": ending}, daemon=True)
        dispatcher.start()
        draining = drains.start(stop=ending)
        run_forever(stop=lambda: bool(stopping))
        ending.set()
        for thread in (dispatcher, *draining):
            thread.join(timeout=5)
