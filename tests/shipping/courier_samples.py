"""The samples of shipping.md 8.6, 8.8 and 8.10, word for word, and what breaks every courier's answer."""

BROKEN_LINES = (
    "close",
    "refused",
    "html_200",
    "empty",
    "truncated",
    "bad_gzip",
    "bad_utf8",
    "huge",
    "deep",
    "redirect",
)
"""Faults of the courier sandbox that no adapter can read, whatever its format."""
BROKEN_SHAPES = ("shape_list", "shape_number", "shape_null", "shape_empty")
"""Readable JSON that is no answer."""

SAMPLE_TRACE = (
    "<trace><tracestatus>배달완료</tracestatus><sendnm>테스트상점</sendnm><recevnm>홍*동</recevnm><itemlist>"
    "<item><eventymd>2026.11.20</eventymd><eventhms>18:20</eventhms><eventregiponm>테스트우체국</eventregiponm>"
    "<eventnm>접수</eventnm></item><item><eventymd>2026.11.21</eventymd><eventhms>14:02</eventhms>"
    "<eventregiponm>서울중앙</eventregiponm><eventnm>배달완료</eventnm></item></itemlist></trace>"
)
SAMPLE_OPEN = (
    "<response><header><requestRegiNo>6800000000001</requestRegiNo><responseTime>2026-11-21 15:00:00</responseTime>"
    "<successYN>Y</successYN><errorMessage></errorMessage></header><trackInfo><regiNo>6800000000001</regiNo>"
    "<senderName>테스트</senderName><receiveName>홍*동</receiveName><receiveDate>2026-11-21</receiveDate>"
    "<trackState>배달완료</trackState><detaileTrackList><sortNo>0</sortNo><date>2026-11-20</date><time>18:20</time>"
    "<statue>접수 </statue><location>테스트우체국</location></detaileTrackList><detaileTrackList><sortNo>1</sortNo>"
    "<date>2026-11-21</date><time>14:02</time><statue>배달완료</statue><location>서울중앙</location>"
    "</detaileTrackList></trackInfo></response>"
)
SWEET_DRIVER = {
    "time": 1763690580000,
    "timeString": "2025-11-21 11:03:00",
    "where": "서울중구",
    "kind": "배송출발",
    "level": 5,
    "code": None,
    "manName": "김기사",
    "manPic": "",
    "telno": "15881255",
    "telno2": "",
    "remark": None,
}
SWEET_FIRST = {
    "time": 1763630100000,
    "timeString": "2025-11-20 18:15:00",
    "where": "경기테스트",
    "kind": "집화처리",
    "level": 2,
    "code": None,
    "manName": "",
    "manPic": "",
    "telno": "",
    "telno2": "",
    "remark": None,
}
SAMPLE_SWEET = {
    "result": "Y",
    "senderName": "테스트상점",
    "receiverName": "홍*동",
    "recipient": "",
    "receiverAddr": "서울 중구",
    "itemName": "면 티셔츠",
    "itemImage": "",
    "invoiceNo": "680000000011",
    "estimate": "15:00~17:00",
    "level": 5,
    "complete": False,
    "completeYN": "N",
    "adUrl": "",
    "zipCode": None,
    "orderNumber": None,
    "productInfo": None,
    "firstDetail": None,
    "lastDetail": SWEET_DRIVER,
    "lastStateDetail": SWEET_DRIVER,
    "trackingDetails": [SWEET_FIRST, SWEET_DRIVER],
}
SAMPLE_HANJIN = {
    "resultCode": "OK",
    "wblNo": "400000000013",
    "wrkList": [
        {"statusCode": "11", "statusName": "집하", "wrkYmd": "20261120", "wrkTime": "1830", "wrkOrgName": "테스트"},
        {"statusCode": "66", "statusName": "배송완료", "wrkYmd": "20261121", "wrkTime": "1612", "wrkOrgName": "서울"},
    ],
}
