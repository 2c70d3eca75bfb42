"""Settings of core that staff may change; those that events need stand in core/settings_registry.py."""

from core.settings_registry import Declared, declare

FILE_KEEP_DAYS = declare(
    Declared(
        key="file_keep_days",
        label="작업 파일 보관 기간(일)",
        group="shop",
        default=7,
        minimum=1,
        maximum=30,
        help="올린 파일과 내려받기 파일을 이 기간이 지나면 지웁니다.",
    )
)
