# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The process that the demo's clients live in: ``python -m demo.driver SOCKET``.

It serves HTTP on a unix socket, in a folder that nobody else may enter, since tokens come through it:

- ``PUT /credentials`` ``{"primary": {"address", "port"}, "reader": {…}, "auth_token"}`` → ``{"changed", "clients"}``,
  once every client has been served with the token
- ``POST /end`` → what they saw (``clients.Report``), once they have ended

It ends with its standard input.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import socketserver
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from demo.clients import HABITS, Access, Clients, running


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP on a unix socket."""

    daemon_threads = True

    def __init__(self, path: str, clients: Clients) -> None:
        super().__init__(path, Handler)
        self.clients = clients


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def address_string(self) -> str:
        """A unix socket's peer has no address."""
        return "local"

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: standard error is for what went wrong."""

    def do_PUT(self) -> None:
        """Take new credentials."""
        if self.path != "/credentials":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is only PUT /credentials"})
            return
        try:
            access = access_of(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            changed = self.server.clients.take(access)
        except (KeyError, TypeError, ValueError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"no credentials: {type(error).__name__}"})
        except TimeoutError as error:
            print(f"clients: {error}", file=sys.stderr, flush=True)
            self._answer(HTTPStatus.GATEWAY_TIMEOUT, {"error": str(error)})
        else:
            self._answer(HTTPStatus.OK, {"changed": changed, "clients": len(HABITS)})

    def do_POST(self) -> None:
        """End the clients."""
        if self.path != "/end":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is only POST /end"})
            return
        self._answer(HTTPStatus.OK, dataclasses.asdict(self.server.clients.end()))

    def _answer(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def access_of(body: Mapping[str, Any]) -> Access:
    """What a request says. Raises KeyError, TypeError or ValueError where it says something else."""
    primary, reader = body["primary"], body["reader"]
    return Access(
        (str(primary["address"]), int(primary["port"])),
        (str(reader["address"]), int(reader["port"])),
        str(body["auth_token"]),
    )


def main() -> int:
    """Serve until standard input ends; returns the exit status."""
    parser = argparse.ArgumentParser(prog="demo.driver")
    parser.add_argument("socket")
    parser.add_argument("--leave-a-client-behind", action="store_true")
    parser.add_argument("--pause", type=float)
    parsed = parser.parse_args()
    with (
        running(leave_one_behind=parsed.leave_a_client_behind, pause=parsed.pause) as clients,
        Server(parsed.socket, clients) as server,
    ):
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
