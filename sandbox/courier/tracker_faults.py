"""Faults that only tracker.delivery has: errors of GraphQL, TrackInfo of the wrong shape, events that lie."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.courier.fault import Fault
from sandbox.courier.faults import fixed
from sandbox.courier.service import Answer, Kind


def _error(message: str, code: str) -> Kind:
    return fixed({"errors": [{"message": message, "path": ["track"], "extensions": {"code": code}}], "data": _NO_TRACK})


def _forbidden(message: str) -> Kind:
    return fixed({"errors": [{"message": message, "extensions": {"code": "FORBIDDEN"}}], "data": None})


def _changed(change: Callable[[dict[str, Any]], Any]) -> Kind:
    """A fault that changes the TrackInfo of a good answer; an answer without one stays as it is."""

    def spoil(fault: Fault, plain: Answer) -> Answer:
        document = json.loads(plain.body)
        info = (document.get("data") or {}).get("track")
        if isinstance(info, dict) and isinstance(info.get("events"), dict):
            change(info)
        return Answer(body=json.dumps(document).encode())

    return Kind(spoil)


def _edges(change: Callable[[list[Any]], Any]) -> Kind:
    def on_info(info: dict[str, Any]) -> None:
        info["events"]["edges"] = change(info["events"]["edges"])

    return _changed(on_info)


def _nodes(change: Callable[[dict[str, Any]], Any]) -> Kind:
    def on_edges(edges: list[Any]) -> list[Any]:
        for edge in edges:
            change(edge["node"])
        return edges

    return _edges(on_edges)


def _same_page_for_ever(info: dict[str, Any]) -> None:
    info["events"]["pageInfo"] = {"hasNextPage": True, "endCursor": "eyJpbmRleCI6MH0="}


_NO_TRACK = {"track": None}
_DIRTY = "\x00\x07<script>alert(1)</script>\ud83d\ude9a" + "가" * 5000 + "\ud800"

TRACKER_KINDS: Mapping[str, Kind] = {
    # Errors of GraphQL.
    "forbidden_rate": _forbidden("Rate limit exceeded"),
    "forbidden_auth": _forbidden("Invalid credentials"),
    "not_found": _error("운송장 미등록", "NOT_FOUND"),
    "carrier_not_found": _error("Carrier not found", "NOT_FOUND"),
    "bad_number": _error("운송장 번호는 10자리 혹은 12자리입니다.", "BAD_REQUEST"),
    "internal": _error("Internal error", "INTERNAL"),
    # JSON of the wrong shape.
    "shape_errors_text": fixed({"errors": "broken", "data": None}),
    "shape_errors_empty": fixed({"errors": [], "data": None}),
    "track_null": fixed({"data": {"track": None}}),
    "track_list": fixed({"data": {"track": []}}),
    "events_null": fixed({"data": {"track": {"trackingNumber": None, "events": None}}}),
    "events_list": fixed({"data": {"track": {"trackingNumber": None, "events": []}}}),
    "edges_null": _edges(lambda edges: None),
    "edges_text": _edges(lambda edges: "none"),
    "edges_odd": _edges(lambda edges: [None, 7, {"node": None}, {"node": "x"}, *edges]),
    "edges_only_odd": _edges(lambda edges: [None, 7, {"node": None}]),
    "page_info_null": _changed(lambda info: info["events"].update(pageInfo=None)),
    "endless_pages": _changed(_same_page_for_ever),
    "other_number": _changed(lambda info: info.update(trackingNumber="999999999999")),
    # Events that parse and still lie.
    "status_null": _nodes(lambda node: node.update(status=None)),
    "times_null": _nodes(lambda node: node.update(time=None)),
    "times_odd": _nodes(lambda node: node.update(time="------")),
    "times_far": _nodes(lambda node: node.update(time="0001-01-01T00:00:00+14:00")),
    "numbers_for_text": _nodes(lambda node: node.update(description=7, location=5, status={"code": 1, "name": 2})),
    "dirty_text": _nodes(lambda node: node.update(description=_DIRTY)),
    "extra_fields": _nodes(lambda node: node.update(surprise={"a": [1]})),
    "shuffled": _edges(lambda edges: edges[::-1]),
    "duplicated": _edges(lambda edges: [*edges, *edges]),
    "vanished": _edges(lambda edges: edges[:-1]),
}
