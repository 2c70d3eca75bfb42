import gc

from django.apps import AppConfig

from core.form_words import use_our_words
from core.registry import autodiscover


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "공통"

    def ready(self) -> None:
        use_our_words()
        autodiscover()
        _relieve_the_collector()


def _relieve_the_collector() -> None:
    """Rows read by the thousand are no cycles, yet each 700 of them make Python look for some among everything we have
    imported: a fifth of the time of a bulk act. What is loaded now stays for good and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
