"""`manage.py oms_check [--json] [CODE …]`: proves the invariants from the database alone; exit 0 or 1."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.invariants import declared_invariants


class Command(BaseCommand):
    help = "Check every invariant, or those of the given codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("codes", nargs="*", help="codes such as INV-03; none means all")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted, declared = set(options["codes"]), declared_invariants()
        known = sorted({one.code for one in declared})
        if unknown := sorted(wanted - set(known)):
            raise CommandError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        checks = [one for one in declared if not wanted or one.code in wanted]
        results = [(one, list(one.check())) for one in checks]
        found = [violation for _, violations in results for violation in violations]
        if options["json"]:
            document = {
                "ok": not found,
                "checked": [{"code": one.code, "check": one.name, "promise": one.promise} for one in checks],
                "violations": [asdict(violation) for violation in found],
            }
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            for one, violations in results:
                self.stdout.write(f"{one.code} {'ok' if not violations else 'BROKEN'}  {one.promise}")
                for violation in violations:
                    self.stdout.write(f"    {violation.subject}: {violation.detail}")
        if found:
            sys.exit(1)
