"""Infrastructure from tests/infra, domain objects from tests/fixtures: every module there is a plugin."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytest_plugins = [
    f"tests.{folder}.{path.stem}"
    for folder in ("infra", "fixtures")
    for path in sorted((HERE / folder).glob("*.py"))
    if path.stem != "__init__"
]
# They import each other: whichever comes first must not load another one unchanged.
pytest.register_assert_rewrite(*pytest_plugins)
