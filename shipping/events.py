"""Kinds of events of shipments and parcels."""

from core.events import kind

SHIPMENT_MERGED = kind("shipment.merged", "합포장")
SHIPMENT_UNMERGED = kind("shipment.unmerged", "합포장 풀기")
SHIPMENT_DISPATCHED = kind("shipment.dispatched", "배차 등록")
SHIPMENT_PICKUP_TOLD = kind("shipment.pickup_told", "준비 완료 알림")
SHIPMENT_PICKUP_REMINDED = kind("shipment.pickup_reminded", "수령 알림")
SHIPMENT_PACKED = kind("shipment.packed", "포장 검수")
SHIPMENT_REOPENED = kind("shipment.reopened", "포장 다시 열기")
PARCEL_ADDED = kind("parcel.added", "상자 추가")
PARCEL_NUMBERED = kind("parcel.numbered", "송장 등록")
PARCEL_PRINTED = kind("parcel.printed", "송장 출력")
PARCEL_VOIDED = kind("parcel.voided", "송장 삭제")
PARCEL_HANDED_OVER = kind("parcel.handed_over", "출고")
PARCEL_TAKEN_BACK = kind("parcel.taken_back", "출고 취소")
PARCEL_DELIVERED = kind("parcel.delivered", "택배 배송완료")
PARCEL_UNDELIVERED = kind("parcel.undelivered", "택배 배송완료 취소")
PARCEL_TURNED_BACK = kind("parcel.turned_back", "반송")
PARCEL_CAME_BACK = kind("parcel.came_back", "반송완료")
PARCEL_LOST = kind("parcel.lost", "분실 처리")
PARCEL_RESUMED = kind("parcel.resumed", "다시 배송")

EXCEPTION_ASSIGNED = kind("exception.assigned", "배송 예외 담당자 지정")
EXCEPTION_NOTED = kind("exception.noted", "배송 예외 메모")
EXCEPTION_INQUIRED = kind("exception.inquired", "택배사에 문의")
EXCEPTION_CLOSED = kind("exception.closed", "배송 예외 처리 완료")
EXCEPTION_REOPENED = kind("exception.reopened", "배송 예외 다시 열기")
