"""The modules of tosspayments-python-server-sdk as they are published.

The package's own `__init__` asks `exceptions` for names that it lacks (every release, 1.0.3 to 1.0.6), so it cannot be
imported by its front door; its modules can, and are used here unchanged.
"""

import importlib
import importlib.util
import sys
import types

NAME = "tosspayments_server_sdk"


def module(name):
    """One module of the package, without running its `__init__`."""
    if NAME not in sys.modules:
        door = types.ModuleType(NAME)
        door.__path__ = list(importlib.util.find_spec(NAME).submodule_search_locations)
        sys.modules[NAME] = door
    return importlib.import_module(f"{NAME}.{name}")


Client = module("client").Client
PaymentStatus = module("models.enums").PaymentStatus
DepositCallbackEvent = module("models.webhook").DepositCallbackEvent
PaymentStatusChangedEvent = module("models.webhook").PaymentStatusChangedEvent
APIError = module("exceptions").APIError
AuthenticationError = module("exceptions").AuthenticationError
PaymentNotFoundError = module("exceptions").PaymentNotFoundError
