"""The schema of tracker.delivery and its resolvers (shipping.md 1.1)."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sandbox.courier.books import Books
from sandbox.courier.carriers import CARRIERS, number_error
from sandbox.courier.graphql import Field, GraphQLFailure, Operation, chosen
from sandbox.courier.hooks import register
from sandbox.courier.lives import happened, life
from sandbox.courier.timeline import ALWAYS_BROKEN, NEVER_FOUND, node

PAGE_CAP = 20
"""Larger pages are cut to this without a word."""

_PAGING = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
# type -> field -> (type of its value or None for a leaf, its arguments)
_SCHEMA: dict[str, dict[str, tuple[str | None, dict[str, str]]]] = {
    "Query": {
        "track": ("TrackInfo", {"carrierId": "ID!", "trackingNumber": "ID!"}),
        "carriers": ("CarrierConnection", _PAGING),
        "carrier": ("Carrier", {"id": "ID!"}),
    },
    "Mutation": {"registerTrackWebhook": (None, {"input": "RegisterTrackWebhookInput!"})},
    "TrackInfo": {
        "trackingNumber": (None, {}),
        "lastEvent": ("TrackEvent", {}),
        "events": ("TrackEventConnection", _PAGING),
        "sender": ("ContactInfo", {}),
        "recipient": ("ContactInfo", {}),
    },
    "TrackEventConnection": {"edges": ("TrackEventEdge", {}), "pageInfo": ("PageInfo", {})},
    "TrackEventEdge": {"cursor": (None, {}), "node": ("TrackEvent", {})},
    "TrackEvent": {
        "status": ("TrackEventStatus", {}),
        "time": (None, {}),
        "location": ("Location", {}),
        "contact": ("ContactInfo", {}),
        "description": (None, {}),
    },
    "TrackEventStatus": {"code": (None, {}), "name": (None, {})},
    "Location": {"countryCode": (None, {}), "postalCode": (None, {}), "name": (None, {})},
    "ContactInfo": {"name": (None, {}), "phoneNumber": (None, {})},
    "PageInfo": {key: (None, {}) for key in ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor")},
    "CarrierConnection": {"edges": ("CarrierEdge", {}), "pageInfo": ("PageInfo", {})},
    "CarrierEdge": {"cursor": (None, {}), "node": ("Carrier", {})},
    "Carrier": {"id": (None, {}), "name": (None, {}), "displayName": (None, {})},
}


class BrokenParser(Exception):
    """The courier's page cannot be read: the tracker answers HTTP 500."""


def _refused(message: str) -> GraphQLFailure:
    return GraphQLFailure(message, "GRAPHQL_VALIDATION_FAILED", is_request=True)


@lru_cache(maxsize=256)
def prepared(document: str, name: str | None, *, is_cloud: bool = True) -> Operation:
    """The operation to run, with only such fields, arguments and selections as the schema has.

    A server of one's own has no mutations and no names of carriers. Raises GraphQLFailure where the document is no
    operation of it.
    """
    operation = chosen(document, name)
    root = _ROOTS.get(operation.kind)
    if root is None or not is_cloud and root != "Query":
        raise _refused(f'The "{operation.kind}" operation is not supported.')
    _check(root, operation.selections, is_cloud=is_cloud)
    return operation


_ROOTS = {"query": "Query", "mutation": "Mutation"}


def _check(type_name: str, selections: Sequence[Field], *, is_cloud: bool) -> None:
    for field in selections:
        if field.name == "__typename":
            continue
        if field.name not in _SCHEMA[type_name] or not is_cloud and (type_name, field.name) == ("Carrier", "name"):
            raise _refused(f'Cannot query field "{field.name}" on type "{type_name}".')
        inner, arguments = _SCHEMA[type_name][field.name]
        given = {name for name, _ in field.arguments}
        for name in given - arguments.keys():
            raise _refused(f'Unknown argument "{name}" on field "{type_name}.{field.name}".')
        for name, kind in arguments.items():
            if kind.endswith("!") and name not in given:
                raise _refused(
                    f'Field "{field.name}" argument "{name}" of type "{kind}" is required, but it was not provided.'
                )
        if inner is None and field.selections is not None:
            raise _refused(f'Field "{field.name}" must not have a selection since it has no subfields.')
        if inner is not None:
            if field.selections is None:
                raise _refused(f'Field "{field.name}" of type "{inner}" must have a selection of subfields.')
            _check(inner, field.selections, is_cloud=is_cloud)


def execute(operation: Operation, variables: Mapping[str, Any], books: Books) -> dict[str, Any]:
    """Run a prepared query: data, and errors where a root field failed (its data is null then)."""
    data: dict[str, Any] = {}
    errors = []
    for field in operation.selections:
        try:
            root = _ROOTS[operation.kind]
            value = _ROOT[field.name](books, field.values(variables)) if field.name in _ROOT else root
            data[field.alias] = _shaped(field, _SCHEMA[root].get(field.name, (None, {}))[0], value, variables)
        except GraphQLFailure as failure:
            data[field.alias] = None
            errors.append(failure.entry([field.alias]))
    return {"errors": errors, "data": data} if errors else {"data": data}


def _shaped(field: Field, type_name: str | None, value: Any, variables: Mapping[str, Any]) -> Any:
    """Only what was asked for, under the names it was asked by."""
    if callable(value):
        value = value(field.values(variables))
    if value is None or type_name is None or field.selections is None:
        return value
    if isinstance(value, list):
        return [_shaped(field, type_name, item, variables) for item in value]
    return {
        inner.alias: type_name
        if inner.name == "__typename"
        else _shaped(inner, _SCHEMA[type_name][inner.name][0], value.get(inner.name), variables)
        for inner in field.selections
    }


def _track(books: Books, arguments: Mapping[str, Any]) -> dict[str, Any]:
    carrier, number = _id(arguments, "carrierId"), _id(arguments, "trackingNumber")
    if carrier not in CARRIERS:
        raise GraphQLFailure("Carrier not found", "NOT_FOUND")
    wrong = number_error(carrier, number)
    if wrong:
        raise GraphQLFailure(wrong, "BAD_REQUEST")
    parcel = life(books, carrier, number)
    if parcel is None or parcel.scenario == NEVER_FOUND:
        raise GraphQLFailure("운송장 미등록", "NOT_FOUND")
    if parcel.scenario == ALWAYS_BROKEN:
        raise BrokenParser
    return track_info(number, [node(scan) for scan in happened(books, parcel)])


def track_info(number: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """A TrackInfo of these events; lastEvent is the last delivery if there is one, else the last in the list."""
    delivered = [event for event in events if event["status"]["code"] == "DELIVERED"]
    return {
        "trackingNumber": number,
        "lastEvent": (delivered or events or [None])[-1],
        "events": _pager(events),
        "sender": None,
        "recipient": None,
    }


def _carriers(books: Books, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return _pager([_carrier_node(carrier) for carrier in CARRIERS])(arguments)


def _carrier(books: Books, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    carrier = _id(arguments, "id")
    return _carrier_node(carrier) if carrier in CARRIERS else None


def _carrier_node(carrier: str) -> dict[str, Any]:
    return {"id": carrier, "name": CARRIERS[carrier], "displayName": CARRIERS[carrier]}


_ROOT: dict[str, Callable[[Books, Mapping[str, Any]], Any]] = {
    "track": _track,
    "carriers": _carriers,
    "carrier": _carrier,
    "registerTrackWebhook": register,
}


def _id(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise GraphQLFailure(f'Variable "${name}" of required type "ID!" was not provided.', "BAD_USER_INPUT")
    return str(value)


def _cursor(index: int) -> str:
    return base64.b64encode(json.dumps({"index": index}, separators=(",", ":")).encode()).decode()


def _index(cursor: Any) -> int:
    try:
        return int(json.loads(base64.b64decode(cursor))["index"])
    except (ValueError, TypeError, KeyError):
        raise GraphQLFailure("Invalid cursor", "BAD_REQUEST") from None


def _pager(nodes: list[dict[str, Any]]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A Relay connection over a list: exactly one of first and last, at most PAGE_CAP edges."""

    def page(arguments: Mapping[str, Any]) -> dict[str, Any]:
        first, last = arguments.get("first"), arguments.get("last")
        if (first is None) == (last is None):
            raise GraphQLFailure("Exactly one of first or last must be provided.", "BAD_REQUEST")
        size = first if first is not None else last
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise GraphQLFailure("first and last must be non-negative integers.", "BAD_REQUEST")
        size = min(size, PAGE_CAP)
        start = 0 if arguments.get("after") is None else _index(arguments["after"]) + 1
        stop = len(nodes) if arguments.get("before") is None else min(_index(arguments["before"]), len(nodes))
        begin, end = (start, min(start + size, stop)) if first is not None else (max(stop - size, start), stop)
        edges = [{"cursor": _cursor(index), "node": nodes[index]} for index in range(begin, max(begin, end))]
        return {
            "edges": edges,
            "pageInfo": {
                "hasNextPage": end < len(nodes),
                "hasPreviousPage": begin > 0,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    return page
