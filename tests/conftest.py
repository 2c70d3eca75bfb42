"""Infrastructure from tests/infra, domain objects from tests/fixtures: every module there is a plugin."""

from pathlib import Path

HERE = Path(__file__).parent

pytest_plugins = [
    f"tests.{folder}.{path.stem}"
    for folder in ("infra", "fixtures")
    for path in sorted((HERE / folder).glob("*.py"))
    if path.stem != "__init__"
]
