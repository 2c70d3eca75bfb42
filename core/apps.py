from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

# Modules of every app that fill a registry of core when they are imported.
REGISTERING = ("options", "events", "handlers", "actions", "uploads", "exports")


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "공통"

    def ready(self) -> None:
        autodiscover_modules(*REGISTERING)
