"""docs/cases.md names tests that exist, for every case and every sample."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
TABLE = (ROOT / "docs" / "cases.md").read_text()


def test_every_named_test_exists():
    named = re.findall(r"`((?:tests|bench)/[\w/]+\.py)(?:::(\w+))?`", TABLE)
    assert len(named) > 60
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or (name and f"\ndef {name}(" not in (ROOT / path).read_text())
    ]
    assert missing == []


def test_every_case_and_sample_has_its_row():
    assert re.findall(r"^\| (A\d+) \|", TABLE, re.M) == [f"A{n}" for n in range(1, 21)]
    samples = {int(number) for number in re.findall(r"\b8\.(\d+)\b", TABLE.partition("## Sample payloads")[2])}
    assert samples == set(range(1, 11))
