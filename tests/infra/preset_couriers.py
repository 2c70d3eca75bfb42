"""처음 택배사: what the tables of a new shop hold, for tests of number rules that need no database.

Codes of Cafe24 and SweetTracker contradict each other between public lists (shipping.md 0.10); only those that two
sources agree on stand here. A missing code means: ask the mall at set-up, never guess. Shops have them as rows of a
migration, and tests/shipping/test_courier_tables.py proves that both say the same.
"""

from collections.abc import Mapping

from shipping.couriers import CheckLevel, CheckRule, Courier, CourierTable


def _codes(naver: str = "", sweet: str = "", tracker: str = "", cafe24: str = "") -> Mapping[str, str]:
    """Codes by system without the unknown ones."""
    pairs = {"naver": naver, "sweettracker": sweet, "tracker_delivery": tracker, "cafe24": cafe24}
    return {system: code for system, code in pairs.items() if code}


_TABLE = (
    Courier(
        slug="CJGLS", name="CJ대한통운", aliases=("CJ", "대한통운", "CJ택배", "씨제이", "CJ로지스틱스", "KOREX"),
        codes=_codes("CJGLS", "04", "kr.cjlogistics", "0006"),
        digits=(12, 10), check=CheckRule.CJ_BODY, level=CheckLevel.BLOCK,
    ),
    Courier(
        slug="HANJIN", name="한진택배", aliases=("한진",), codes=_codes("HANJIN", "05", "kr.hanjin"),
        digits=(12,), rare_digits=(14,), check=CheckRule.ALL_BUT_LAST, level=CheckLevel.BLOCK,
    ),
    Courier(
        slug="HYUNDAI", name="롯데택배", aliases=("롯데", "LOTTE", "롯데글로벌로지스", "롯데글로벌", "현대"),
        codes=_codes("HYUNDAI", "08", "kr.lotte"),
        digits=(12,), check=CheckRule.ALL_BUT_LAST, level=CheckLevel.BLOCK,
        link="https://www.lotteglogis.com/home/reservation/tracking/linkView?InvNo={n}",
    ),
    Courier(
        slug="EPOST", name="우체국택배", aliases=("우체국", "우체국소포", "등기소포", "소포", "우체국등기소포"),
        codes=_codes("EPOST", "01", "kr.epost"), digits=(13,), level=CheckLevel.BLOCK,
        link="https://service.epost.go.kr/trace.RetrieveDomRigiTraceList.comm?sid1={n}",
    ),
    Courier(
        slug="REGISTPOST", name="우편등기", aliases=("등기", "등기우편", "우체국등기", "우체국등기우편"),
        codes=_codes("REGISTPOST", "", "kr.epost"), digits=(13,), level=CheckLevel.BLOCK,
        link="https://service.epost.go.kr/trace.RetrieveDomRigiTraceList.comm?sid1={n}",
    ),
    Courier(
        slug="KGB", name="로젠택배", aliases=("로젠", "LOGEN"), codes=_codes("KGB", "06", "kr.logen"),
        digits=(11,), check=CheckRule.ALL_BUT_LAST, level=CheckLevel.WARN,
        link="https://www.ilogen.com/web/personal/trace/{n}",
    ),
    Courier(
        slug="COUPANGLS", name="쿠팡로지스틱스", aliases=("쿠팡", "CLS", "쿠팡CLS", "쿠팡로지스틱스서비스"),
        codes=_codes("", "", "kr.coupangls"), link="https://www.coupangls.com/web/modal/invoice/{n}",
    ),
    Courier(
        slug="KDEXP", name="경동택배", aliases=("경동", "KD"), codes=_codes("KDEXP", "23", "kr.kdexp", "0039"),
        # The page takes the number unquoted: with a hyphen it would show another parcel (shipping.md 1.5).
        shortest=10, link="https://kdexp.com/service/delivery/etc/delivery.do?barcode={n}",
    ),
    Courier(
        slug="DAESIN", name="대신택배", aliases=("대신", "DS", "대신화물"),
        codes=_codes("DAESIN", "22", "kr.daesin"), digits=(13,),
    ),
    Courier(slug="ILYANG", name="일양로지스", aliases=("일양", "IY"), codes=_codes("ILYANG", "11", "kr.ilyanglogis")),
    Courier(slug="CHUNIL", name="천일택배", aliases=("천일", "CI"), codes=_codes("CHUNIL", "17", "kr.chunilps")),
    Courier(slug="HDEXP", name="합동택배", aliases=("합동", "HD"), codes=_codes("HDEXP", "32")),
    Courier(slug="KUNYOUNG", name="건영택배", aliases=("건영",), codes=_codes("KUNYOUNG", "18", "kr.kunyoung")),
    Courier(
        slug="CUPARCEL", name="CU편의점택배", aliases=("CU", "CU편의점", "CUPOST", "CU포스트", "편의점"),
        codes=_codes("CUPARCEL", "", "kr.cupost"), digits=(12,), check=CheckRule.CJ_BODY,
    ),
    Courier(
        slug="CVSNET", name="GS편의점택배",
        aliases=("GS", "GS25", "GS편의점", "GSPOSTBOX", "GS포스트박스", "CVS", "편의점"),
        codes=_codes("CVSNET", "24", "kr.cvsnet"), digits=(12,),
    ),
    Courier(slug="HOMEPICK", name="홈픽", codes=_codes("HOMEPICK", "54", "kr.homepick")),
    Courier(slug="NONGHYUP", name="농협택배", aliases=("농협",), codes=_codes("NONGHYUP", "53")),
    Courier(slug="SLX", name="SLX택배", codes=_codes("SLX", "44", "kr.slx")),
    Courier(slug="HONAM", name="우리택배", aliases=("호남택배",), codes=_codes("HONAM", "45", "kr.honamlogis")),
    Courier(slug="YONGMA", name="용마로지스", aliases=("용마",), codes=_codes("YONGMA", "74", "kr.yongmalogis")),
    Courier(slug="GOODSTOLUCK", name="굿투럭", codes=_codes("", "40", "kr.goodstoluck")),
    Courier(slug="TODAYPICKUP", name="오늘의픽업", codes=_codes("", "", "kr.todaypickup")),
    Courier(
        slug="EMS", name="우체국EMS", aliases=("국제우편", "국제등기", "EMS국제우편"),
        codes=_codes("EMS", "", "kr.epost.ems"),
        digits=(13,), check=CheckRule.S10, level=CheckLevel.BLOCK, has_letters=True,
    ),
    Courier(slug="PANTOS", name="LX판토스", aliases=("판토스",), codes=_codes("PANTOS", "", "kr.epantos")),
    Courier(
        slug="DHL", name="DHL", codes=_codes("DHL", "", "de.dhl"), level=CheckLevel.OFF, has_letters=True,
    ),
    Courier(
        slug="FEDEX", name="FedEx", aliases=("페덱스",), codes=_codes("FEDEX", "", "us.fedex"),
        level=CheckLevel.OFF, has_letters=True,
    ),
    Courier(slug="UPS", name="UPS", codes=_codes("UPS", "", "us.ups"), level=CheckLevel.OFF, has_letters=True),
    Courier(slug="USPS", name="USPS", codes=_codes("USPS", "", "us.usps"), level=CheckLevel.OFF, has_letters=True),
    Courier(slug="TNT", name="TNT", codes=_codes("TNT", "", "nl.tnt"), level=CheckLevel.OFF, has_letters=True),
    Courier(
        slug="CH1", name="기타 택배", aliases=("기타",), codes=_codes("CH1"),
        shortest=4, level=CheckLevel.OFF, has_letters=True,
    ),
)  # fmt: skip

PRESETS = CourierTable(_TABLE)
