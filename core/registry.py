"""자동 등록: imports the modules in which apps register what they contribute, once all models are loaded."""

from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import module_has_submodule

MODULES = ("options", "events", "handlers", "actions", "uploads", "exports", "panels", "pages", "lists", "drains")
"""Settings, event kinds, subscribers, bulk acts, files in and out, boxes of the order, list pages, what is added to
lists of lower apps, what the relay drains."""


Contribution = TypeVar("Contribution")
Kind = TypeVar("Kind", bound=type[Any])


class ByName(dict[str, Contribution]):
    """등록부: one object of each class that apps register, by its `name`."""

    def register(self, kind: Kind) -> Kind:
        """등록: class decorator; twice the same name is a mistake."""
        if kind.name in self:
            raise ValueError(f"{kind.__name__}: {kind.name} is registered twice")
        self[kind.name] = kind()
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
