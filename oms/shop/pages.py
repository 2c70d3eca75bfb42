"""What the settings pages show, with finished strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q

from accounts.models import User
from core.calendar import business_calendar, public_holidays
from core.models import Holiday, SettingChange
from core.models.calendar import HolidayKind
from core.setting_history import ChangeRow, change_rows
from core.settings_registry import Declared, declared_settings, words
from orders.models.channel import DeadlineRule

HOLIDAY_KEY = "holiday"
WEEKDAYS = "월화수목금토일"


@dataclass(frozen=True, slots=True)
class Link:
    """설정 한 묶음: where it is changed and what for."""

    label: str
    url: str
    text: str
    permission: str


GROUPS = (
    (
        "쇼핑몰",
        (
            Link("쇼핑몰", "/settings/shop/", "이름, 알림 대기 시간, 파일 보관", "settings.view"),
            Link("판매채널", "/settings/channels/", "채널, 주문 파일 양식, API 키", "settings.view"),
            Link(
                "주문 기한", "/settings/deadlines/", "입금기한, 발송기한, 자동 구매확정, 채널별 규칙", "settings.view"
            ),
            Link("알림", "/settings/messages/", "고객 안내 문구, 알림톡 템플릿, 문자 대체 발송", "settings.view"),
            Link("휴일", "/settings/holidays/", "쉬는 날과 일하는 날, 기한 계산의 기준", "settings.view"),
        ),
    ),
    (
        "송장과 포장",
        (
            Link("택배사", "/settings/couriers/", "쓰는 택배사, 보내는 분", "settings.view"),
            Link("택배사 목록", "/settings/couriers/list/", "이름과 별칭, 번호 규칙, 시스템별 코드", "settings.view"),
            Link("송장 번호", "/settings/waybills/", "택배 계약, 번호 대역, 택배사 API, 발급 대기", "settings.view"),
            Link("출력", "/settings/printers/", "송장 용지, 이름과 전화번호 가림, 분류코드", "settings.view"),
            Link("포장 검수대", "/settings/packing/", "자동 완료, 수량 입력, 자동 잠금, 스캐너", "settings.view"),
            Link("도서산간", "/settings/remote-areas/", "제주와 도서산간 지역, 추가 배송비", "settings.view"),
            Link("엑셀 양식", "/excel/templates/", "택배사와 물류팀에 보내는 파일의 열", "templates.edit"),
        ),
    ),
    (
        "배송조회",
        (
            Link("배송조회", "/settings/tracking/", "조회 계정과 한도, 조회 경로, 택배사별 지연", "settings.view"),
            Link("미분류 상태", "/settings/tracking/unknown/", "알 수 없는 배송 문구의 뜻, 상태 규칙", "settings.view"),
            Link("배송 예외", "/settings/exceptions/", "미집하·정체 기준, 자동 배송중, 고객용 주소", "settings.view"),
        ),
    ),
    (
        "입금·환불",
        (
            Link("입금·환불", "/settings/money/", "승인 금액, 배송비, 경보, 보관 기간", "settings.view"),
            Link("PG 계정", "/settings/pg/", "결제대행사 키, 웹훅 주소, 가상계좌 발급", "settings.view"),
            Link("입금계좌", "/settings/bank-accounts/", "무통장입금을 받는 계좌, 입금 알림 서비스", "settings.view"),
        ),
    ),
    (
        "사람과 기록",
        (
            Link("운영자", "/staff/", "계정, 역할, 로그아웃", "accounts.view"),
            Link("처리 이력", "/audit/", "누가 언제 무엇을 바꿨는지", "audit.view"),
            Link("접속 기록", "/access-log/", "개인정보 조회와 내려받기", "audit.view"),
        ),
    ),
    (
        "내 화면",
        (
            Link("내 정보", "/me/", "화면 색, 줄 간격, 비밀번호", ""),
            Link("단축키", "/settings/shortcuts/", "한 글자 단축키 사용", ""),
        ),
    ),
)


def links_for(user: User) -> list[tuple[str, list[Link]]]:
    """설정 목록: what the person may open, by subject."""
    found = [
        (subject, [link for link in links if not link.permission or user.has_perm(link.permission)])
        for subject, links in GROUPS
    ]
    return [(subject, links) for subject, links in found if links]


def changes_of(keys: Sequence[str]) -> list[ChangeRow]:
    """변경 이력 of some keys, newest first; one query."""
    declared = {one.key: one for one in declared_settings()}

    def tell(row: SettingChange) -> tuple[str, str, str]:
        mine = declared.get(row.key)
        return mine.label if mine else OTHER.get(row.key, row.key), told(row.old, mine), told(row.new, mine)

    return change_rows(Q(key__in=keys), tell)


OTHER = {"deadline_rule": "기한 규칙", HOLIDAY_KEY: "휴일"}


def told(value: Any, declared: Declared | None = None) -> str:
    """값의 낱말: of a setting, or of a rule or holiday, which is written down with all its facts."""
    return _described(value) if isinstance(value, Mapping) else words(value, declared)


def _described(value: Mapping[str, Any]) -> str:
    if "days" in value:
        return f"{value['channel']} {value['kind']} {value['days']}일, {value['from']}부터"
    return " ".join(str(part) for part in value.values())


@dataclass(frozen=True, slots=True)
class RuleRow:
    """기한 규칙 한 줄."""

    pk: int
    kind: str
    channel: str
    days: str
    valid_from: str
    is_valid: bool


def rule_rows(today: date) -> list[RuleRow]:
    """기한 규칙: by kind and channel, the newest first; those that count today are marked."""
    rules = DeadlineRule.objects.select_related("channel").order_by("kind", "channel__name", "-valid_from", "pk")
    found, seen = [], set()
    for rule in rules:
        is_valid = rule.valid_from <= today and (rule.kind, rule.channel_id) not in seen
        if is_valid:
            seen.add((rule.kind, rule.channel_id))
        unit = "영업일" if rule.kind == "SHIP" else "일"
        found.append(
            RuleRow(
                pk=rule.pk,
                kind=rule.get_kind_display(),
                channel=rule.channel.name if rule.channel else "모든 채널",
                days=f"{rule.days}{unit}",
                valid_from=str(rule.valid_from),
                is_valid=is_valid,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class DayRow:
    """휴일 한 줄: a day, its name, and whether the shop entered it."""

    day: str
    weekday: str
    name: str
    kind: str
    is_own: bool


def day_rows(year: int) -> list[DayRow]:
    """휴일 of a year: public holidays and the shop's own days, in order; own rows win."""
    own = {row.date: row for row in Holiday.objects.filter(date__year=year, courier_code="")}
    days = sorted({*own, *public_holidays(year)})
    calendar = business_calendar()
    return [
        DayRow(
            day=str(day),
            weekday=WEEKDAYS[day.weekday()],
            name=own[day].name if day in own else public_holidays(year)[day],
            kind=HolidayKind.WORK.label if calendar.is_business_day(day) else HolidayKind.REST.label,
            is_own=day in own,
        )
        for day in days
    ]
