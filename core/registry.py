"""자동 등록: imports the modules in which apps register what they contribute, once all models are loaded."""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import module_has_submodule

MODULES = ("options", "events", "handlers", "actions", "uploads", "exports", "panels", "pages", "lists", "drains")
"""Settings, event kinds, subscribers, bulk acts, files in and out, boxes of the order, list pages, what is added to
lists of lower apps, what the relay drains."""


class Named(Protocol):
    """What a register holds."""

    @property
    def name(self) -> str:
        """Its name in the register."""


Contribution = TypeVar("Contribution", bound=Named)
Kind = TypeVar("Kind", bound=type[Any])


class ByName(dict[str, Contribution]):
    """등록부: what apps contribute, each by its `name`; twice the same name is a mistake."""

    @classmethod
    def of(cls, *some: Contribution) -> "ByName[Contribution]":
        """등록부 of contributions that are known beforehand."""
        found: ByName[Contribution] = cls()
        for one in some:
            found.add(one)
        return found

    def add(self, one: Contribution) -> Contribution:
        """등록. Raises ValueError when the name is taken."""
        name = one.name
        if name in self:
            raise ValueError(f"{type(one).__name__}: {name} is registered twice")
        self[name] = one
        return one

    def register(self, kind: Kind) -> Kind:
        """등록: class decorator; one object of the class is added."""
        self.add(kind())
        return kind


def own_apps() -> list[str]:
    """우리 앱: names of the installed apps that lie in the project folder, lowest layer first."""
    base = Path(settings.BASE_DIR)
    return [config.name for config in apps.get_app_configs() if Path(config.path).parent == base]


def autodiscover() -> None:
    """자동 등록: import every module of MODULES that an app has, app by app from the lowest layer up.

    Lower apps come first, so that a page is there when an upper app adds to it.
    """
    for name in own_apps():
        package = import_module(name)
        for module in MODULES:
            if module_has_submodule(package, module):
                import_module(f"{name}.{module}")
