from django.apps import AppConfig

from core import checks

__all__ = ["OmsConfig", "checks"]  # importing the checks registers them


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "주문관리"
