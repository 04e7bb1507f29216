"""Servers that say whatever bytes a test gives them, and proxies; on loopback, and ended with the test."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

Say = Callable[[socket.socket], None]


def bytes_of(*pieces: bytes, pause: float = 0.0, again: int = 1) -> Say:
    """Says the first piece, then the others `again` times, with a pause in seconds after each."""

    def say(to: socket.socket) -> None:
        to.sendall(pieces[0])
        for _ in range(again):
            for piece in pieces[1:]:
                time.sleep(pause)
                to.sendall(piece)

    return say


class Server:
    """Answers every connection's first request with `say`, and closes. asked: what it was sent, in order."""

    def __init__(self, say: Say, *, tls: tuple[Path, Path] | None = None) -> None:
        self.asked: list[bytes] = []
        self._say = say
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            secured = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            with secured:
                self.asked.append(_request_from(secured))
                self._say(secured)


def _request_from(connection: socket.socket) -> bytes:
    """All of it, its body too: a connection that is closed with bytes unread is reset, and what was said is lost."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = connection.recv(65536)
        if not more:
            return heard
        heard += more
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0 and (more := connection.recv(65536)):
        heard, missing = heard + more, missing - len(more)
    return heard


def tunnel(port: int) -> Say:
    """A proxy that lets everybody through to one port, whatever they ask for."""

    def say(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as target:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

            def back() -> None:
                with contextlib.suppress(OSError):
                    while piece := target.recv(65536):
                        client.sendall(piece)

            answers = threading.Thread(target=back, daemon=True)
            answers.start()
            with contextlib.suppress(OSError):
                while piece := client.recv(65536):
                    target.sendall(piece)

    return say
