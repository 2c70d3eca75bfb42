"""A tracker that knows its answers by heart: what the client of the shop costs, not what a server costs.

`python -m bench.stub` reads {number: [{time, code, name, place}, …]} from stdin, prints its address and answers the
GraphQL question about a parcel over kept-alive connections until SIGTERM. It speaks as much of the protocol as
sandbox/courier/server.py where nothing goes wrong.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_END = b"\r\n\r\n"


def answers(stories: Mapping[str, list[dict[str, str]]]) -> dict[str, bytes]:
    """The whole HTTP answer about each number."""
    return {number: _answer(number, events) for number, events in stories.items()}


def _answer(number: str, events: list[dict[str, str]]) -> bytes:
    edges = [
        {
            "node": {
                "time": event["time"],
                "status": {"code": event["code"], "name": event["name"]},
                "location": {"name": event["place"]},
                "description": None,
            }
        }
        for event in events
    ]
    told: dict[str, Any] = {"edges": edges, "pageInfo": {"hasNextPage": False, "endCursor": None}}
    body = json.dumps({"data": {"track": {"trackingNumber": number, "events": told}}}, ensure_ascii=False).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Talk(asyncio.Protocol):
    """One connection; requests may come in pieces or several at once."""

    def __init__(self, known: Mapping[str, bytes]) -> None:
        self.known, self.unread = known, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.unread += data
        while (head := self.unread.find(_END)) >= 0:
            length = _LENGTH.search(self.unread, 0, head + 2)
            end = head + len(_END) + (int(length[1]) if length else 0)
            if len(self.unread) < end:
                return
            body, self.unread = self.unread[head + len(_END) : end], self.unread[end:]
            number = json.loads(body)["variables"]["number"]
            self.transport.write(self.known.get(number) or _answer(number, []))


async def serve(known: Mapping[str, bytes]) -> None:
    """Listen on a free port of loopback, say which, serve for ever."""
    server = await asyncio.get_running_loop().create_server(lambda: Talk(known), "127.0.0.1", 0, backlog=1024)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(answers(json.load(sys.stdin))))
