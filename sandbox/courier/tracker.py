"""tracker.delivery: GraphQL under /graphql."""

import json
import threading
from collections.abc import Mapping
from typing import Any

from sandbox.courier.graphql import GraphQLFailure, Operation
from sandbox.courier.hooks import Sender
from sandbox.courier.schema import BrokenParser, execute, prepared
from sandbox.courier.service import Answer, Kind, Request, Service, Subject, json_answer
from sandbox.courier.tracker_faults import TRACKER_KINDS

_FORBIDDEN = {"message": "Invalid credentials", "extensions": {"code": "FORBIDDEN"}}
_INTERNAL = {"message": "Internal error", "extensions": {"code": "INTERNAL"}}


class Tracker(Service):
    """The cloud service; with no key set, a server of one's own."""

    name = "tracker"
    prefix = "graphql"
    options = {
        # "cloud", or "oss": a server of one's own, which cannot call anybody.
        "profile": "cloud",
        # Every call comes so many times more; calls of an expired registration come all the same; those of one round in
        # a random order; and each round of true ones brings so many about numbers that nobody has.
        "duplicates": 0,
        "is_late": False,
        "is_shuffled": False,
        "forged": 0,
    }

    def start(self, stopping: threading.Event) -> None:
        """The sender of webhooks."""
        threading.Thread(target=Sender(self).run, args=(stopping,), daemon=True).start()

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Errors of GraphQL, odd shapes, lies."""
        return TRACKER_KINDS

    def hear(self, request: Request) -> Subject | Answer:
        """The operation, its variables with defaults filled in, and the parcel if it is about one."""
        if request.method != "POST":
            return json_answer(404, {"error": "not found"})
        try:
            document = json.loads(request.body or b"{}")
        except (ValueError, RecursionError):
            return _refused(GraphQLFailure("Invalid JSON", "BAD_REQUEST"))
        key = self.books.settings.api_key
        if key is not None and request.headers.get("Authorization") != f"TRACKQL-API-KEY {key}":
            return json_answer(200, {"errors": [_FORBIDDEN], "data": None}, "FORBIDDEN")
        try:
            operation, variables = _request(document, is_cloud=self.option("profile") == "cloud")
        except GraphQLFailure as failure:
            return _refused(failure)
        # What the request is about: its first field, and the parcel if it is one.
        field = operation.selections[0]
        values = field.values(variables)
        values = values["input"] if isinstance(values.get("input"), dict) else values
        carrier, number = values.get("carrierId", values.get("id", "")), values.get("trackingNumber", "")
        return Subject(field.name, str(carrier), str(number), (operation, variables))

    def answer(self, request: Request, subject: Subject) -> Answer:
        """Run it."""
        try:
            operation, variables = subject.content
            result = execute(operation, variables, self.books)
        except BrokenParser:
            return json_answer(500, {"errors": [_INTERNAL]}, "INTERNAL")
        errors = result.get("errors")
        return json_answer(200, result, errors[0]["extensions"]["code"] if errors else "OK")


def _refused(failure: GraphQLFailure) -> Answer:
    return json_answer(400, {"errors": [failure.entry()]}, failure.code)


def _request(document: Any, *, is_cloud: bool) -> tuple[Operation, dict[str, Any]]:
    """The prepared operation and its variables with defaults filled in; raises GraphQLFailure."""
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        raise GraphQLFailure("GraphQL operations must contain a non-empty `query`.", "BAD_REQUEST", is_request=True)
    name, given = document.get("operationName"), document.get("variables")
    given = {} if given is None else given
    if not isinstance(given, dict) or not isinstance(name, str | None):
        raise GraphQLFailure("`variables` must be an object.", "BAD_REQUEST", is_request=True)
    try:
        operation = prepared(document["query"], name, is_cloud=is_cloud)
    except RecursionError:
        raise GraphQLFailure("Document too deep.", "GRAPHQL_PARSE_FAILED", is_request=True) from None
    variables = {**dict(operation.defaults), **given}
    for required in operation.required:
        if variables.get(required) is None:
            message = f'Variable "${required}" of required type was not provided.'
            raise GraphQLFailure(message, "BAD_USER_INPUT", is_request=True)
    return operation, variables
