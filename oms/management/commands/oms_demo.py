"""`manage.py oms_demo`: make an empty shop a demo shop; run by `up --demo` on every start."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.services import DEMO_ENVIRONMENTS
from oms.seed.demo import open_to_buyers, prepare_demo
from oms.seed.demo_pgs import connect_pgs


class Command(BaseCommand):
    help = "Demo staff, accounts at the sandboxes and, in an empty shop, 400 orders in every step."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where the shop listens for sandbox PGs and buyers")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.OMS_ENV not in DEMO_ENVIRONMENTS:
            raise CommandError("데모 데이터는 데모 환경(OMS_ENV=demo)에서만 만들 수 있습니다.")
        lines: list[str] = []
        at = timezone.now().replace(microsecond=0)
        is_new = prepare_demo(at=at, say=lines.append)
        if is_new:
            self.stdout.write(lines[-1])
        open_to_buyers(port=options["port"], at=at, is_new=is_new)
        connect_pgs(port=options["port"], at=at, say=self.stderr.write)
        if options["verbosity"] > 1:
            self.stdout.write("\n".join(lines))
