"""As much GraphQL as a tracking client asks for: variables, fragments, aliases; strict about the schema."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r'[\s,\ufeff]+|#[^\n]*|(?P<token>"(?:\\.|[^"\\\n])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[_A-Za-z]\w*|\.\.\.|[!$():=@\[\]{}])'
)
_NAME = re.compile(r"[_A-Za-z]\w*")


class GraphQLFailure(Exception):
    """An entry of the errors array; `is_request` when the document itself is wrong (HTTP 400, nothing is run)."""

    def __init__(self, message: str, code: str, *, is_request: bool = False) -> None:
        super().__init__(message)
        self.message, self.code, self.is_request = message, code, is_request

    def entry(self, path: list[str | int] | None = None) -> dict[str, Any]:
        """The entry as JSON."""
        where = {"path": path} if path else {}
        return {"message": self.message, **where, "extensions": {"code": self.code}}


@dataclass(frozen=True)
class Variable:
    """A place in the document that the request's variables fill."""

    name: str


@dataclass(frozen=True)
class Field:
    """One selected field; `selections` is None for a leaf."""

    name: str
    alias: str
    arguments: tuple[tuple[str, Any], ...]
    selections: "tuple[Field | Spread, ...] | None"

    def values(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with variables filled in."""
        return {name: _filled(value, variables) for name, value in self.arguments}


@dataclass(frozen=True)
class Spread:
    """A named fragment, or an inline one with its selections."""

    name: str
    selections: tuple["Field | Spread", ...] | None


@dataclass(frozen=True)
class Operation:
    """One query of a document, fragments already in place; `defaults` are those of its variables."""

    kind: str
    name: str
    selections: tuple[Field, ...]
    defaults: tuple[tuple[str, Any], ...]
    required: tuple[str, ...]


def _syntax(what: str) -> GraphQLFailure:
    return GraphQLFailure(f"Syntax Error: {what}", "GRAPHQL_PARSE_FAILED", is_request=True)


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _syntax(f"Unexpected character: {json.dumps(text[position])}.")
        if match["token"]:
            tokens.append(match["token"])
        position = match.end()
    return [*tokens, ""]


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens, self.position = _tokens(text), 0

    @property
    def next(self) -> str:
        return self.tokens[self.position]

    def take(self, expected: str = "") -> str:
        token = self.next
        if token == "" or (expected and token != expected):
            raise _syntax(f'Expected "{expected or "Name"}", found {token or "<EOF>"}.')
        self.position += 1
        return token

    def skip(self, token: str) -> bool:
        if self.next == token:
            self.position += 1
            return True
        return False

    def name(self) -> str:
        token = self.take()
        if not _NAME.fullmatch(token):
            raise _syntax(f"Expected Name, found {token}.")
        return token

    def document(self) -> tuple[list[Operation], dict[str, tuple[Field | Spread, ...]]]:
        operations, fragments = [], {}
        while self.next:
            if self.skip("fragment"):
                name = self.name()
                self.take("on")
                self.name()
                fragments[name] = self.selections()
            else:
                operations.append(self.operation())
        return operations, fragments

    def operation(self) -> Operation:
        kind, name, defaults, required = "query", "", [], []
        if self.next != "{":
            kind = self.name()
            name = self.name() if self.next not in {"(", "{"} else ""
            if self.skip("("):
                while not self.skip(")"):
                    variable, default, is_required = self.variable()
                    defaults.append((variable, default))
                    required += [variable] * is_required
        return Operation(kind, name, self.selections(), tuple(defaults), tuple(required))

    def variable(self) -> tuple[str, Any, bool]:
        self.take("$")
        name = self.name()
        self.take(":")
        depth = 0
        while self.skip("["):
            depth += 1
        self.name()
        is_required = self.skip("!")
        for _ in range(depth):
            self.take("]")
            is_required = self.skip("!")
        default = self.value() if self.skip("=") else None
        return name, default, is_required and default is None

    def selections(self) -> tuple[Any, ...]:
        self.take("{")
        found: list[Field | Spread] = []
        while not self.skip("}"):
            if self.skip("..."):
                found.append(self.spread())
            else:
                found.append(self.field())
        if not found:
            raise _syntax('Expected Name, found "}".')
        return tuple(found)

    def spread(self) -> Spread:
        if self.next == "{":
            return Spread("", self.selections())
        if self.skip("on"):
            self.name()
            return Spread("", self.selections())
        return Spread(self.name(), None)

    def field(self) -> Field:
        alias = name = self.name()
        if self.skip(":"):
            name = self.name()
        arguments = []
        if self.skip("("):
            while not self.skip(")"):
                argument = self.name()
                self.take(":")
                arguments.append((argument, self.value()))
        return Field(name, alias, tuple(arguments), self.selections() if self.next == "{" else None)

    def value(self) -> Any:
        token = self.take()
        if token == "$":
            return Variable(self.name())
        if token == "[":
            items = []
            while not self.skip("]"):
                items.append(self.value())
            return tuple(items)
        if token in {"true", "false", "null"} or token[0] in '"-0123456789':
            try:
                return json.loads(token)
            except ValueError:
                raise _syntax(f"Bad value {token}.") from None
        if _NAME.fullmatch(token):
            return token
        raise _syntax(f"Unexpected {token}.")


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, tuple):
        return [_filled(item, variables) for item in value]
    return value


def _inlined(selections: Any, fragments: Mapping[str, Any], depth: int = 0) -> tuple[Field, ...] | None:
    """Selections with every fragment in its place; depth ends a fragment that spreads itself."""
    if selections is None:
        return None
    if depth > 30:
        raise GraphQLFailure("Cannot spread fragment within itself.", "GRAPHQL_VALIDATION_FAILED", is_request=True)
    found: list[Field] = []
    for item in selections:
        if isinstance(item, Field):
            inner = _inlined(item.selections, fragments, depth + 1)
            found.append(Field(item.name, item.alias, item.arguments, inner))
        else:
            inner = item.selections if item.selections is not None else fragments.get(item.name)
            if inner is None:
                raise GraphQLFailure(f'Unknown fragment "{item.name}".', "GRAPHQL_VALIDATION_FAILED", is_request=True)
            found += _inlined(inner, fragments, depth + 1) or ()
    return tuple(found)


@lru_cache(maxsize=256)
def parsed(text: str) -> tuple[Operation, ...]:
    """The operations of a document; raises GraphQLFailure where it is none."""
    operations, fragments = _Parser(text).document()
    if not operations:
        raise _syntax("Unexpected <EOF>.")
    return tuple(
        Operation(one.kind, one.name, _inlined(one.selections, fragments) or (), one.defaults, one.required)
        for one in operations
    )


def chosen(text: str, name: str | None) -> Operation:
    """The operation to run: the named one, or the only one."""
    operations = [one for one in parsed(text) if name is None or one.name == name]
    if len(operations) != 1:
        message = f'Unknown operation named "{name}".' if name else "Must provide operation name."
        raise GraphQLFailure(message, "OPERATION_RESOLUTION_FAILURE", is_request=True)
    return operations[0]
