"""Infrastructure from tests/infra, domain objects from tests/fixtures: every module there is a plugin."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

pytest_plugins = [
    f"tests.{folder}.{path.stem}"
    for folder in ("infra", "fixtures")
    for path in sorted((HERE / folder).glob("*.py"))
    if path.stem != "__init__"
]
# They import each other: whichever comes first must not load another one unchanged.
pytest.register_assert_rewrite(*pytest_plugins)

# On a busy machine an example takes as long as it takes: milliseconds are no finding.
settings.register_profile("oms", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oms")
