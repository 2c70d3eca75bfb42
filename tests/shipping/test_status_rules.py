"""Status rules: their order, the words of staff, presets of every source, and who may change them (shipping.md 3)."""

import time
from itertools import groupby

import pytest

from accounts.roles import Role
from core.exceptions import Conflict
from core.models import SettingChange
from shipping.adapters.base import RawEvent
from shipping.details.statuses import rule_rows
from shipping.models import StatusRule, UnknownStatus
from shipping.normalise import Rule, Rules
from shipping.services.tracking.rules import BOOK, rules_for
from shipping.services.tracking.statuses import Meaning, StatusRefused, add_rule, change_rule, map_unknown
from shipping.states import Reason, RuleKind
from shipping.states import TrackingStage as Stage
from tests.fixtures.orders import NOW
from tests.infra.preset_rules import PRESETS

CODE, TEXT, PATTERN = RuleKind.CODE, RuleKind.TEXT, RuleKind.PATTERN
RULES, UNKNOWN = "/settings/tracking/rules/", "/settings/tracking/unknown/"


def rule(kind, value, stage, **more):
    return Rule(kind=kind, value=value, stage=stage, **more)


def read(*own, code="", name="", text="", source="tracker_delivery", courier="CJGLS"):
    event = RawEvent(code=code, name=name, text=text)
    return Rules([*PRESETS, *own], source=source, courier=courier).stage_of(event)


@pytest.mark.parametrize(
    ("source", "courier", "code", "name", "stage"),
    [
        ("cj", "CJGLS", "01", "집화지시", Stage.REGISTERED),
        ("cj", "CJGLS", "11", "집화처리", Stage.PICKED_UP),
        ("cj", "CJGLS", "12", "미집화", Stage.PICKUP_FAILED),
        ("cj", "CJGLS", "44", "", Stage.IN_TRANSIT),
        ("cj", "CJGLS", "82", "배송출발", Stage.OUT_FOR_DELIVERY),
        ("cj", "CJGLS", "84", "미배송", Stage.ATTEMPT_FAILED),
        ("cj", "CJGLS", "91", "배송완료", Stage.DELIVERED),
        ("cj", "CJGLS", "77", "", Stage.UNKNOWN),
        ("cj", "CJGLS", "77", "반송", Stage.RETURNING),
        ("hanjin", "HANJIN", "05", "", Stage.REGISTERED),
        ("hanjin", "HANJIN", "63", "", Stage.IN_TRANSIT),
        ("hanjin", "HANJIN", "63", "배송출발", Stage.OUT_FOR_DELIVERY),  # what is not certain of a code gives way
        ("hanjin", "HANJIN", "08", "", Stage.PICKUP_FAILED),
        ("hanjin", "HANJIN", "14", "", Stage.IN_TRANSIT),
        ("hanjin", "HANJIN", "66", "", Stage.DELIVERED),
        ("hanjin", "HANJIN", "92", "", Stage.ATTEMPT_FAILED),
        ("hanjin", "HANJIN", "03", "", Stage.CANCELLED),
        ("tracker_delivery", "HANJIN", "66", "", Stage.UNKNOWN),  # another source's code
        ("hanjin", "CJGLS", "66", "", Stage.UNKNOWN),
        ("sweettracker", "KGB", "1", "배송준비중", Stage.REGISTERED),
        ("sweettracker", "KGB", "2", "집화완료", Stage.PICKED_UP),
        ("sweettracker", "KGB", "4", "지점도착", Stage.IN_TRANSIT),
        ("sweettracker", "KGB", "5", "배송출발", Stage.OUT_FOR_DELIVERY),
        ("sweettracker", "KGB", "6", "배송완료", Stage.DELIVERED),
        ("sweettracker", "KGB", "4", "고객 부재로 미배달", Stage.ATTEMPT_FAILED),
        ("sweettracker", "KGB", "0", "", Stage.UNKNOWN),
        ("epost", "EPOST", "", "접수", Stage.REGISTERED),
        ("epost", "REGISTPOST", "", "발송", Stage.IN_TRANSIT),
        ("epost", "EPOST", "", "도착", Stage.IN_TRANSIT),
        ("epost", "EPOST", "", "집하완료", Stage.PICKED_UP),
        ("epost", "EPOST", "", "배달준비", Stage.OUT_FOR_DELIVERY),
        ("epost", "EPOST", "", "배달완료", Stage.DELIVERED),
        ("epost", "EPOST", "", "미배달", Stage.ATTEMPT_FAILED),
        ("epost", "EPOST", "", "신청취소", Stage.CANCELLED),
        ("epost_open", "EPOST", "", "배달준비", Stage.OUT_FOR_DELIVERY),
    ],
)
def test_the_presets_of_every_source(source, courier, code, name, stage):
    assert read(code=code, name=name, source=source, courier=courier) == stage


@pytest.mark.parametrize(
    ("text", "stage", "reason"),
    [
        ("고객 부재", Stage.ATTEMPT_FAILED, Reason.ABSENT),
        ("고객정보 오류", Stage.ATTEMPT_FAILED, Reason.ADDRESS),
        ("수취 거부 (문 앞에서)", Stage.ATTEMPT_FAILED, Reason.REFUSED),
        ("지연 도착", Stage.ATTEMPT_FAILED, Reason.NONE),
        ("배송전 취소", Stage.ATTEMPT_FAILED, Reason.NONE),
        ("결재 불가", Stage.EXCEPTION, Reason.NONE),
        ("상품 사고(파손/분실)", Stage.EXCEPTION, Reason.NONE),
        ("상품 사고(파손/분실) (파손)", Stage.EXCEPTION, Reason.DAMAGED),
        ("상품 사고(파손/분실) (분실)", Stage.EXCEPTION, Reason.LOST),
        ("상품 사고(분실 또는 파손)", Stage.EXCEPTION, Reason.NONE),
    ],
)
def test_the_words_beside_a_failed_delivery_of_cj_count(text, stage, reason):
    event = RawEvent(code="84", name="미배송", text=text)
    rules = Rules(PRESETS, source="cj", courier="CJGLS")
    assert (rules.stage_of(event), rules.reason_of(event, stage)) == (stage, reason)
    own = rule(CODE, "84", Stage.ATTEMPT_FAILED, source="cj", courier="CJGLS")
    assert Rules([*PRESETS, own], source="cj", courier="CJGLS").stage_of(event) == Stage.ATTEMPT_FAILED


def test_the_order_of_the_rules():
    """3.2: the courier's code, the whole text, words in order, the source's generic code, 확인필요."""
    code = rule(CODE, "IN_TRANSIT", Stage.PICKED_UP, source="tracker_delivery", courier="CJGLS")
    text = rule(TEXT, "배송출발", Stage.AVAILABLE_FOR_PICKUP, courier="CJGLS")
    words = rule(PATTERN, "출발", Stage.REGISTERED)
    generic = rule(CODE, "IN_TRANSIT", Stage.REGISTERED, source="tracker_delivery")
    event = {"code": "IN_TRANSIT", "name": "배송출발"}
    assert read(code, text, words, generic, **event) == Stage.PICKED_UP
    assert read(text, words, generic, **event) == Stage.AVAILABLE_FOR_PICKUP
    assert read(words, generic, **event) == Stage.REGISTERED
    assert read(generic, **event) == Stage.OUT_FOR_DELIVERY
    assert read(generic, code="IN_TRANSIT", name="간선상차") == Stage.REGISTERED
    assert read(code="IN_TRANSIT", name="간선상차") == Stage.IN_TRANSIT
    assert read(code="NEW", name="간선상차") == Stage.UNKNOWN


def test_the_page_lists_the_rules_in_the_order_in_which_they_are_tried(db, make_staff):
    staff = make_staff(Role.LOGISTICS)
    mine = {"meaning": Meaning(stage=Stage.DELIVERED), "actor": staff, "at": NOW}
    add_rule(source="tracker_delivery", courier="", kind=CODE, value="X1", **mine)
    add_rule(source="", courier="", kind=PATTERN, value="맡김|맡겨", **mine)
    add_rule(source="cj", courier="CJGLS", kind=CODE, value="77", **mine)
    rows = rule_rows()
    kinds = [(row.kind, row.courier == "모든 택배사") for row in rows]
    steps = [kind for kind, _ in groupby(kinds, key=lambda each: each if each[0] == CODE.label else each[0])]
    assert steps == [(CODE.label, False), TEXT.label, PATTERN.label, (CODE.label, True)]
    words = [row.value.replace(", ", "|") for row in rows if row.kind == PATTERN.label]
    assert words == ["맡김|맡겨", *(one.value for one in PRESETS if one.kind == PATTERN)]
    firsts = {step: next(row.value for row, kind in zip(rows, kinds, strict=True) if kind == step) for step in kinds}
    assert (firsts[CODE.label, False], firsts[CODE.label, True]) == ("77", "X1")


def test_what_is_said_of_one_courier_does_not_hold_for_another():
    only_cj = rule(TEXT, "위탁", Stage.DELIVERED, source="tracker_delivery", courier="CJGLS")
    for_all = rule(TEXT, "위탁", Stage.AVAILABLE_FOR_PICKUP)
    assert read(only_cj, for_all, name="위탁") == Stage.DELIVERED
    assert read(only_cj, for_all, name="위탁", courier="KGB") == Stage.AVAILABLE_FOR_PICKUP
    assert read(only_cj, for_all, name="위탁", source="sweettracker") == Stage.AVAILABLE_FOR_PICKUP
    assert read(only_cj, name="위탁", courier="KGB") == Stage.UNKNOWN


@pytest.mark.parametrize(
    ("value", "text", "is_found"),
    [
        ("경비실", "경비실 위탁", True),
        ("경비실 위탁", "경비실위탁 완료", True),
        ("경비실|무인 택배함", "무인택배함에 넣음", True),
        ("경비실", "경비실에 맡겼습니다. 배송 예정일 아님", True),
        ("경비실 위탁", "경비실 위탁 예정", False),  # announced, not done
        ("경비실 위탁", "경비실 위탁 취소", False),
        ("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", False),
        (".*", "무엇이든", False),
        ("이사", "박이사랑", False),
        ("반송", "반송동 도착", False),
    ],
)
def test_words_of_staff_are_taken_literally(value, text, is_found):
    own = rule(PATTERN, value, Stage.AVAILABLE_FOR_PICKUP)
    assert (read(own, name=text) == Stage.AVAILABLE_FOR_PICKUP) is is_found


def test_no_words_make_a_long_sentence_slow():
    own = rule(PATTERN, "|".join(["가 나 다 라", "(((((", "가가 가가", "\\s*\\s*\\s*"]), Stage.EXCEPTION)
    rules = Rules([*PRESETS, own], source="tracker_delivery", courier="CJGLS")
    began = time.perf_counter()
    assert rules.stage_of(RawEvent(name="가 " * 50_000 + "나")) == Stage.UNKNOWN
    assert time.perf_counter() - began < 2


def test_a_word_of_staff_beats_a_preset_even_at_a_delivery():
    own = rule(PATTERN, "경비실", Stage.AVAILABLE_FOR_PICKUP)
    assert read(own, code="DELIVERED", name="배송완료(경비실)") == Stage.AVAILABLE_FOR_PICKUP
    assert read(code="DELIVERED", name="배송완료(경비실)") == Stage.DELIVERED


def test_the_reason_of_a_rule_beats_the_words_beside_it():
    own = rule(TEXT, "전달 실패", Stage.ATTEMPT_FAILED, reason=Reason.ADDRESS)
    rules = Rules([*PRESETS, own], source="tracker_delivery", courier="CJGLS")
    event = RawEvent(name="전달 실패", text="고객 부재")
    assert rules.reason_of(event, rules.stage_of(event)) == Reason.ADDRESS
    event = RawEvent(name="미배달", text="고객 부재")
    assert rules.reason_of(event, rules.stage_of(event)) == Reason.ABSENT
    assert rules.reason_of(event, Stage.IN_TRANSIT) == Reason.NONE


# ---- staff ----


def add(actor, kind=TEXT, value="경비실 위탁", stage=Stage.DELIVERED, source="", courier="", reason=Reason.NONE):
    meaning = Meaning(stage=stage, reason=reason)
    return add_rule(source=source, courier=courier, kind=kind, value=value, meaning=meaning, actor=actor, at=NOW)


def stage_now(name, code="UNKNOWN"):
    return rules_for("tracker_delivery", "CJGLS").stage_of(RawEvent(code=code, name=name))


def test_a_rule_counts_at_once_and_is_kept_with_who(db, make_staff):
    person = make_staff()
    assert stage_now("경비실 위탁") == Stage.UNKNOWN
    made = add(person, value="  경비실   위탁 ")
    assert (made.value, made.created_by, made.is_preset) == ("경비실 위탁", person, False)
    assert stage_now("경비실 위탁") == Stage.DELIVERED
    change = SettingChange.objects.get()
    assert (change.key, change.old, change.new["stage"]) == (f"status_rule.{made.pk}", None, "배송완료")
    with pytest.raises(Conflict, match="같은 값의 규칙이 있습니다."):
        add(person, stage=Stage.RETURNED)
    assert StatusRule.objects.filter(is_preset=False).count() == SettingChange.objects.count() == 1


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"value": "  "}, "값을 입력하세요."),
        ({"kind": PATTERN, "value": "완"}, "낱말은 2글자 이상이어야 합니다."),
        ({"kind": PATTERN, "value": "경비실|문"}, "낱말은 2글자 이상이어야 합니다."),
        ({"kind": PATTERN, "value": "|"}, "낱말은 2글자 이상이어야 합니다."),
        ({"kind": PATTERN, "value": "|".join(f"낱말{n}" for n in range(11))}, "낱말은 10개, 모두 200자까지"),
        ({"kind": CODE, "value": "77"}, "코드는 조회처마다 뜻이 다릅니다."),
        ({"source": "nobody"}, "없는 조회처입니다."),
        ({"courier": "NOBODY"}, "없는 택배사입니다."),
        ({"stage": Stage.UNKNOWN}, "어느 단계인지 고르세요."),
        ({"reason": Reason.LOST}, "사유는 미배달과 배송사고에만 쓸 수 있습니다."),
    ],
)
def test_what_is_no_rule_is_refused(facts, said, db, make_staff):
    before = StatusRule.objects.count()
    with pytest.raises(StatusRefused, match=said):
        add(make_staff(), **facts)
    assert (StatusRule.objects.count(), SettingChange.objects.count()) == (before, 0)


def test_a_preset_can_be_switched_off_and_means_what_it_means(db, make_staff):
    person, preset = make_staff(), StatusRule.objects.get(value="배송 출발|배달 준비|배송 출고")
    meaning = Meaning(stage=Stage.OUT_FOR_DELIVERY)
    with pytest.raises(StatusRefused, match="기본 제공 규칙의 뜻은 바꿀 수 없습니다."):
        change_rule(rule_id=preset.pk, seen_version=0, meaning=Meaning(stage=Stage.RETURNED), is_active=True,
                    actor=person, at=NOW)  # fmt: skip
    assert stage_now("배송출발") == Stage.OUT_FOR_DELIVERY
    change_rule(rule_id=preset.pk, seen_version=0, meaning=meaning, is_active=False, actor=person, at=NOW)
    assert stage_now("배송출발") == Stage.UNKNOWN
    with pytest.raises(Conflict, match="먼저 바꿨습니다"):
        change_rule(rule_id=preset.pk, seen_version=0, meaning=meaning, is_active=True, actor=person, at=NOW)
    assert stage_now("배송출발") == Stage.UNKNOWN
    change_rule(rule_id=preset.pk, seen_version=1, meaning=meaning, is_active=True, actor=person, at=NOW)
    assert stage_now("배송출발") == Stage.OUT_FOR_DELIVERY
    assert SettingChange.objects.count() == 2


def test_a_value_told_again_after_its_rule_was_switched_off_is_mapped_again(unknown, make_staff):
    person = make_staff()
    rule = map_unknown(unknown_id=unknown.pk, meaning=Meaning(stage=Stage.DELIVERED), actor=person, at=NOW)
    change_rule(
        rule_id=rule.pk, seen_version=0, meaning=Meaning(stage=Stage.DELIVERED), is_active=False, actor=person, at=NOW
    )
    UnknownStatus.objects.update(rule=None)  # what telling it again does
    meaning = Meaning(stage=Stage.AVAILABLE_FOR_PICKUP)
    mapped = map_unknown(unknown_id=unknown.pk, meaning=meaning, actor=person, at=NOW)
    assert (mapped.pk, mapped.stage, mapped.is_active, mapped.version) == (rule.pk, meaning.stage, True, 2)
    assert UnknownStatus.objects.get().rule == rule
    assert stage_now("경비실 <위탁>") == Stage.AVAILABLE_FOR_PICKUP


def test_a_rule_of_another_process_counts_when_the_time_is_over(db, make_staff):
    BOOK.get()
    StatusRule.objects.create(kind=TEXT, value="경비실 위탁", stage=Stage.DELIVERED)  # somebody else's process
    assert stage_now("경비실 위탁") == Stage.UNKNOWN
    BOOK.forget()
    assert stage_now("경비실 위탁") == Stage.DELIVERED


# ---- pages ----


@pytest.fixture
def unknown(db):
    return UnknownStatus.objects.create(
        source="tracker_delivery", courier="CJGLS", code="UNKNOWN", text="경비실 <위탁>", count=3,
        first_seen_on=NOW.date(), last_seen_on=NOW.date(),
    )  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
def test_who_looks_and_who_maps(role, sign_in, unknown):
    client = sign_in(role)
    may_look, may_edit = role in {Role.OWNER, Role.AUDITOR}, role == Role.OWNER
    one = f"{UNKNOWN}{unknown.pk}/"
    for url in (UNKNOWN, RULES):
        assert client.get(url).status_code == (200 if may_look else 403)
    assert client.get(one).status_code == (200 if may_edit else 403)
    preset = StatusRule.objects.filter(is_preset=True).first()
    assert client.post(f"{RULES}{preset.pk}/", {"version": 0, "active": "0"}).status_code == (302 if may_edit else 403)
    posted = {"kind": "TEXT", "value": "다른 말", "stage": "DELIVERED"}
    assert client.post(RULES, posted).status_code == (302 if may_edit else 403)
    assert client.post(one, {"stage": "DELIVERED"}).status_code == (302 if may_edit else 403)
    assert StatusRule.objects.filter(is_preset=False).count() == (2 if may_edit else 0)
    assert StatusRule.objects.filter(is_active=False).exists() is may_edit
    if may_edit:
        assert "먼저 바꿨습니다" in client.post(f"{RULES}{preset.pk}/", {"version": 0, "active": "1"}).content.decode()


def test_a_rule_of_staff_is_changed_and_the_second_of_two_is_told(sign_in, make_staff):
    owner, other = sign_in(Role.OWNER), make_staff(Role.OWNER)
    rules = [add(other, value=f"경비실 {n}") for n in range(12)]
    for rule in rules[1:]:  # their keys begin like the first one's
        change_rule(rule_id=rule.pk, seen_version=0, meaning=Meaning(stage=Stage.RETURNED), is_active=True,
                    actor=other, at=NOW)  # fmt: skip
    rule, preset = rules[0], StatusRule.objects.get(value="배송 출발|배달 준비|배송 출고")
    url = f"{RULES}{rule.pk}/change/"
    listed = owner.get(RULES).content.decode()
    assert url in listed
    assert f"{RULES}{preset.pk}/change/" not in listed
    page = owner.get(url)
    assert page.context["form"].initial == {"stage": "DELIVERED", "reason": "", "version": 0}
    for wrong, said in (({}, "어느 단계인지 고르세요."), ({"stage": "DELIVERED", "reason": "LOST"}, "사유는 미배달과")):
        answer = owner.post(url, {"version": 0} | wrong)
        assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert owner.post(url, {"version": 0, "stage": "EXCEPTION", "reason": "DAMAGED"}).status_code == 302
    rule.refresh_from_db()
    assert (rule.stage, rule.reason, rule.version, rule.looked_up_to) == ("EXCEPTION", "DAMAGED", 1, 0)
    late = owner.post(url, {"version": 0, "stage": "DELIVERED"})
    assert late.status_code == 409
    [change] = SettingChange.objects.filter(key=f"status_rule.{rule.pk}").exclude(old=None)
    assert f"{change.actor.display_name} 님이 먼저 바꿨습니다" in late.content.decode()
    refused = owner.post(f"{RULES}{preset.pk}/change/", {"version": 0, "stage": "RETURNED"})
    assert (refused.status_code, "기본 제공 규칙의 뜻은" in refused.content.decode()) == (422, True)
    assert owner.get(f"{RULES}999999/change/").status_code == 404
    logistics = sign_in(Role.LOGISTICS)
    assert (logistics.get(url).status_code, logistics.post(url, {"stage": "DELIVERED"}).status_code) == (403, 403)
    rule.refresh_from_db()
    assert (rule.stage, rule.version) == ("EXCEPTION", 1)


def test_a_value_leaves_the_page_when_it_is_mapped(sign_in, unknown):
    owner = sign_in(Role.OWNER)
    page = owner.get(UNKNOWN).content.decode()
    assert "경비실 &lt;위탁&gt;" in page
    assert "CJ대한통운" in page
    one = f"{UNKNOWN}{unknown.pk}/"
    for wrong, said in (({}, "어느 단계인지 고르세요."), ({"stage": "DELIVERED", "reason": "LOST"}, "사유는 미배달과")):
        answer = owner.post(one, wrong)
        assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert not StatusRule.objects.filter(is_preset=False).exists()
    assert owner.post(one, {"stage": "ATTEMPT_FAILED", "reason": "ABSENT"}).status_code == 302
    made = StatusRule.objects.get(is_preset=False)
    assert (made.kind, made.value, made.source, made.courier) == (TEXT, "경비실 <위탁>", "tracker_delivery", "CJGLS")
    assert "경비실" not in owner.get(UNKNOWN).content.decode()
    again = owner.post(one, {"stage": "DELIVERED"})
    assert again.status_code == 409
    assert "다른 직원이 먼저 지정했습니다." in again.content.decode()
    assert owner.get(f"{UNKNOWN}999999/").status_code == 404
