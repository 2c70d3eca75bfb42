"""Start: python -m sandbox.pg --port 4100 --state var/pg.sqlite3 [--speed 60].

With port 0 it takes a free port; the first line on stdout names the address. See sandbox/pg/control.py for the control
API; the page 입금하기 is at /.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sandbox.pg.server import HOST, PgServer

DEFAULT_SPEED = 60.0
"""Documented minutes become seconds."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox.pg", description="Twins of the PGs on loopback")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument("--state", type=Path, required=True, help="SQLite file that keeps the books")
    parser.add_argument("--speed", type=float, default=DEFAULT_SPEED, help="how much faster waits run than documented")
    options = parser.parse_args(arguments)
    if options.speed <= 0:
        parser.error("--speed must be above 0")
    server = PgServer(options.port, options.state, speed=options.speed)

    def stop(*_: Any) -> None:
        server.stopping.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://{HOST}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    server.sender.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
