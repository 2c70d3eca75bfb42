"""`manage.py oms_relay [--once]`: the relay role. It also wakes workers up for jobs that are due."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core.jobs import dispatch
from core.relay import run_forever, run_once


class Command(BaseCommand):
    help = "Deliver committed events to their subscribers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="drain what is due and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"{run_once()} deliveries")
            return
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda n, _frame: stopping.append(n))
        ending = threading.Event()
        dispatcher = threading.Thread(target=dispatch.run_forever, kwargs={"stop": ending}, daemon=True)
        dispatcher.start()
        run_forever(stop=lambda: bool(stopping))
        ending.set()
        dispatcher.join(timeout=5)
