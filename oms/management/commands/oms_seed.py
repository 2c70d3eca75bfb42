"""`manage.py oms_seed --orders N --seed S`: fill an empty shop with sample orders and their whole history."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from core.calendar import KST
from core.exceptions import DomainError
from oms.seed.plan import plan_for
from oms.seed.shop import seed_shop

MOST_ORDERS = 5_000_000


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text}: 2026-09-21T10:00 처럼 쓰세요.") from None
    return found if found.tzinfo else found.replace(tzinfo=KST)


class Command(BaseCommand):
    help = "Fill an empty shop with sample orders; the same seed and moment make the same rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, required=True)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--days", type=int, help="days of business before the moment (120, or 730 for large shops)")
        parser.add_argument("--at", type=_moment, help="the moment at which the shop stands, KST (now)")
        parser.add_argument("--append", action="store_true", help="add to the orders that are there")

    def handle(self, *args: Any, **options: Any) -> None:
        orders, days = options["orders"], options["days"]
        if not 1 <= orders <= MOST_ORDERS:
            raise CommandError(f"주문 수는 1부터 {MOST_ORDERS:,}까지 쓸 수 있습니다.")
        if days is not None and not 2 <= days <= 3650:
            raise CommandError("기간은 2일부터 3,650일까지 쓸 수 있습니다.")
        at = (options["at"] or timezone.now()).replace(microsecond=0)
        if at > timezone.now():
            raise CommandError("앞날의 주문은 만들 수 없습니다. --at을 지금보다 이르게 쓰세요.")
        plan = plan_for(orders=orders, seed=options["seed"], at=at, days=days)
        try:
            seed_shop(plan, say=self._say, append=options["append"])
        except DomainError as error:
            raise CommandError(str(error)) from None

    def _say(self, text: str) -> None:
        self.stdout.write(f"{timezone.localtime():%H:%M:%S} {text}")
        self.stdout.flush()
