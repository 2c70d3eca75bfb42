from django.apps import AppConfig


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "주문관리"
