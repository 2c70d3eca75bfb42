"""`manage.py oms_sweep [--once] [--run]`: tidy up and wake workers up for what is due."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from kombu.exceptions import KombuError
from redis import RedisError

from core.jobs.dispatch import Dispatcher
from core.jobs.sweep import run_due, sweep


class Command(BaseCommand):
    help = "Remove old previews and files, and wake workers up for jobs that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round instead of one every 30 seconds")
        parser.add_argument("--run", action="store_true", help="work on due jobs here instead of telling a worker")

    def handle(self, *args: Any, **options: Any) -> None:
        dispatcher = Dispatcher()
        while True:
            at = timezone.now()
            swept = sweep(at=at)
            self.stdout.write(f"{swept.previews} previews, {swept.files} files, {swept.slots} slots removed")
            self.stdout.write(f"{run_due(at=at)} jobs run" if options["run"] else self._tell(dispatcher))
            if options["once"]:
                return
            time.sleep(30)

    def _tell(self, dispatcher: Dispatcher) -> str:
        try:
            return f"{dispatcher.tell(at=timezone.now())} messages sent"
        except (KombuError, RedisError, OSError) as error:
            # The broker may be away at any moment; the relay tells again. Its client may name the password.
            return f"no messages sent, the broker does not answer: {type(error).__name__}"
