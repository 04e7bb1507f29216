"""Marked secrets, the search for them in everything that a run writes, and a portal that quotes them back."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

from tests.engine.conftest import Project, Result
from tools import processes

HOP_BY_HOP = ("content-length", "connection", "transfer-encoding")
SPELLINGS: dict[str, Callable[[str], str]] = {
    "of an address": lambda text: "".join(f"%{ord(each):02X}" for each in text),
    "of an address, twice": lambda text: "".join(f"%25{ord(each):02X}" for each in text),
    "of JSON": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "of a page": lambda text: "".join(f"&#{ord(each)};" for each in text),
}


def mark(what: str) -> str:
    return f"CANARY{what}{secrets.token_hex(12)}"


class Birds:
    """The marked secrets, and the search for them in all forms in which they may hide."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.arguments: set[str] = set()

    def new(self, what: str) -> str:
        self.known[what] = mark(what)
        return self.known[what]

    def forms(self) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for what, secret in list(self.known.items()):
            raw = secret.encode()
            found[raw[:60]] = what
            found[quote(secret, safe="").encode()[:60]] = f"{what}, quoted"
            found[raw.hex().encode()[:60]] = f"{what}, as hex"
            for spelling, spelt in SPELLINGS.items():
                found[spelt(secret[:12]).encode()] = f"{what}, {spelling}"
            for shift in range(3):  # base64 of something that holds it, at any place
                whole = base64.b64encode(b"x" * shift + raw)
                found[whole[4 if shift else 0 : 44]] = f"{what}, in base64"
        return found

    def seen_in(self, folder: Path, *, also: str = "") -> list[str]:
        forms = self.forms()
        seen = [
            f"{what} in an argument"
            for text in [*self.arguments, also]
            for form, what in forms.items()
            if form in text.encode()
        ]
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                seen += [f"{what} in {path.relative_to(folder)}" for form, what in forms.items() if form in content]
        return seen


def watched(project: Project, birds: Birds, *command: str) -> Result:
    """The command's end; the arguments of all its processes are noted meanwhile."""
    run = project.start(*command)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            for pid in project.processes():
                birds.arguments.add(processes.command_line(pid) or "")

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        return run.wait()
    finally:
        ended.set()
        looking.join()


@dataclass
class Exchange:
    """A request to a portal, and its answer, which a twist may change. token: what came with the request."""

    method: str
    path: str
    token: str
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    @property
    def quoted(self) -> str:
        return " ".join([self.token, *(spelt(self.token) for spelt in SPELLINGS.values())])

    @property
    def encoded(self) -> str:
        """As an address can hold it."""
        return SPELLINGS["of an address"](self.token)

    def rewrite(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Every object in the answer, from the outside in."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return
        todo = [said]
        while todo:
            each = todo.pop()
            if isinstance(each, dict):
                change(each)
                todo += each.values()
            elif isinstance(each, list):
                todo += each
        # What JSON escapes is to arrive escaped, and not as a backslash.
        self.body = json.dumps(said).replace("\\\\u", "\\u").encode()

    def refuse(self, status: int, *, location: str = "") -> None:
        """Another answer, which quotes the token wherever an answer can."""
        self.status, self.reason = status, f"No {self.token}"
        self.body = json.dumps({"error": {"code": self.token, "message": self.quoted}}).replace("\\\\u", "\\u").encode()
        self.headers = {
            "Content-Type": "application/json",
            "WWW-Authenticate": f"Bearer {self.quoted}",
            "X-Ms-Correlation-Request-Id": self.token[:90],
        }
        if location:
            self.headers["Location"] = location


class Mirror:
    """A portal between: hands on what it is asked and answered, twisted. twist: set while it runs."""

    def __init__(self, behind: str, authority: Path, certificate: tuple[Path, Path]) -> None:
        self.twist: Callable[[Exchange], None] = lambda _: None
        self.struck = 0
        mirror, pool = self, urllib3.PoolManager(ca_certs=str(authority), maxsize=16)
        self._pool = pool

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = pool.request(
                    self.command, behind + self.path, headers=dict(self.headers), body=sent or None, redirect=False
                )
                kept = {name: value for name, value in given.headers.items() if name.lower() not in HOP_BY_HOP}
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                exchange = Exchange(
                    self.command, self.path, token, given.status, given.reason or "", kept, bytes(given.data)
                )
                before = (exchange.status, exchange.body, dict(kept))
                mirror.twist(exchange)
                mirror.struck += before != (exchange.status, exchange.body, exchange.headers)
                self.send_response_only(exchange.status, exchange.reason)
                for name, value in (*exchange.headers.items(), ("Content-Length", str(len(exchange.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(exchange.body)

            do_POST = do_GET  # noqa: N815 - as its base class has it

            def log_message(self, *_: Any) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """Whoever asks may hang up."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Mirror:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._pool.clear()
