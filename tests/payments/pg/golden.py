"""The golden files F3 to F6 of payments.md 2, byte for byte, and the accounts that they belong to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from payments.adapters.base import Account, Inbound

KST = ZoneInfo("Asia/Seoul")
AT = datetime(2026, 11, 21, 12, 0, tzinfo=KST)
NICE = Account(
    merchant_id="OMSTEST00m",
    secrets=("omsfixturenicesecret000000000001",),
    options={"client_key": "S2_omsfixtureclient01"},
)
NICE_FORM = Account(merchant_id="OMSTEST00m", secrets=(), charset="cp949")
INICIS = Account(
    merchant_id="OMSTESTMID",
    secrets=("OMSFIXTUREINIKEY",),
    charset="cp949",
    options={"iv": "OMSFIXTUREINIV=="},
)
NOTICE_KEY = "oms-fixture-notice-key"

F3 = (
    '{"resultCode":"0000","resultMsg":"정상 처리되었습니다.","tid":"OMSTEST00m03012611211159570001","can'
    'celledTid":null,"orderId":"20261121-0000122-1","ediDate":"2026-11-21T11:59:57.000+0900","s'
    'ignature":"1ffe731e76e64e1e4a080419023285a03dd4e2eb2ad43b70dbc9bd3208968fb8","status":"pai'
    'd","paidAt":"2026-11-21T11:59:56.000+0900","failedAt":"0","cancelledAt":"0","payMethod":"v'
    'bank","amount":33000,"balanceAmt":33000,"goodsName":"면 티셔츠 외 1건","mallReserved":null,"useE'
    'scrow":false,"currency":"KRW","channel":"pc","approveNo":null,"buyerName":"홍길동","buyerTel"'
    ':"01012345678","buyerEmail":"hong@example.com","issuedCashReceipt":true,"receiptUrl":"http'
    's://example.com/r","mallUserId":null,"vbank":{"vbankCode":"004","vbankName":"국민은행","vbankN'
    'umber":"22206528300122","vbankExpDate":"2026-11-24T23:59:59.000+0900","vbankHolder":"나이스"}'
    ',"cancels":null,"cashReceipts":null}'
).encode()

F4 = (
    b"PG=NICE&PayMethod=VBANK&MID=OMSTEST00m&MallUserID=&Amt=33000&GoodsName=%B8%E9%20%C6%BC%BC%C5%C3%F7%2"
    b"0%BF%DC%201%B0%C7&MOID=20261121-0000126-1&TID=OMSTEST00m03012611211159570002&AuthDate=261121115957&A"
    b"uthCode=&FnCd=004&FnName=%B1%B9%B9%CE%C0%BA%C7%E0&StateCd=0&name=%C8%AB%B1%E6%B5%BF&BuyerEmail=hong%"
    b"40example.com&BuyerAuthNum=&ReceitType=&RcptType=1&RcptTID=OMSTEST00m04012611211159580003&RcptAuthCo"
    b"de=123456789&VbankName=%B1%B9%B9%CE%C0%BA%C7%E0&VbankNum=22206528300126&VbankInputName=%C8%AB%B1%E6%"
    b"B5%BF&CartCnt=2&ResultCode=4110&ResultMsg=%BD%C2%C0%CE&NICE=PG&CancelMOID=&MallReserved="
)

F5 = (
    b"no_tid=INIMX_RTR_OMSTESTMID20261121115957000001&no_oid=20261121-0000125-1&id_merchant=OMSTESTMID&cd_"
    b"bank=00000088&cd_deal=00000088&dt_trans=20261121&tm_trans=115957&no_msgseq=0000000125&cd_joinorg=200"
    b"00050&dt_transbase=20261121&no_transseq=000001&type_msg=0200&cl_trans=1100&cl_close=0&cl_kor=2&no_ms"
    b"gmanage=202611210000000125&no_vacct=56211102612345&amt_input=33000&amt_check=0&nm_inputbank=%BD%C5%C"
    b"7%D1%C0%BA%C7%E0&nm_input=%C8%AB%B1%E6%B5%BF&dt_inputstd=20261121&dt_calculstd=20261124&flg_close=0"
)

F6 = (
    b"P_STATUS=02&P_TID=INIMX_VBNKOMSTESTMID20261121110000000125&P_MID=OMSTESTMID&P_OID=20261121-0000125-1"
    b"&P_TYPE=VBANK&P_AMT=33000&P_AUTH_DT=20261121115957&P_FN_CD1=88&P_FN_CD2=&P_FN_NM=%BD%C5%C7%D1%C0%BA%"
    b"C7%E0&P_UNAME=%C8%AB%B1%E6%B5%BF&P_RMESG1=%C0%D4%B1%DD%C5%EB%BA%B8&P_RMESG2=&P_NOTI=OMS1a2b3c4d&P_AU"
    b"TH_NO=&P_IN_TID=INIMX_RTR_OMSTESTMID20261121115957000001"
)


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a form in CP949."""
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="cp949"))


def form_written(body: bytes, changes: Mapping[str, Any]) -> bytes:
    """The form with other values in such fields, whatever they are."""
    values = form_fields(body) | {name: str(value) for name, value in changes.items()}
    return urlencode(values, encoding="cp949", errors="replace").encode()


def inbound(
    body: bytes, *, media_type: str = "application/x-www-form-urlencoded", ip: str = "203.238.37.15"
) -> Inbound:
    """A request as the receiver hands it over."""
    return Inbound(body=body, headers={"content-type": media_type}, client_ip=ip, at=AT)


def nobody(order_ref: str) -> None:
    """No payment is known; these PGs give no secret with it."""
