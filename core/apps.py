from django.apps import AppConfig

from core.registry import autodiscover


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "공통"

    def ready(self) -> None:
        autodiscover()
