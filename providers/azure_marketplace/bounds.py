"""What a server may take of this process: an end in time and in bytes to every answer, for the APIs and for signing in.

requests waits for each piece of an answer, however many there are, reads a redirect's body even where it is not to
follow it, and cannot say whether a request that failed had begun to leave. Nothing of any API is known here.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import io
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from providers.azure_marketplace.obstacles import Obstacle, obstacle
from providers.azure_marketplace.text import plain

__all__ = ["LARGEST_ANSWER", "BoundedSession"]

LARGEST_ANSWER = 12 * 1024 * 1024
"""Bytes as they come in, head and all: http.client takes a hundred headers of 64 KiB each."""
PATIENCE = 2.0
"""The end of an answer, as a multiple of the time within which its next piece must come."""


class BoundedSession(requests.Session):
    """A session whose answers end: after `PATIENCE` read timeouts, and after `LARGEST_ANSWER` bytes.

    It follows no redirect, keeps no cookie, and verifies TLS always: by `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`,
    `SSL_CERT_FILE` or `SSL_CERT_DIR`, in this order, where one is set. Proxies are those of the environment, but for
    what this machine answers itself (loopback, a virtual machine's own endpoint), often in clear, and for nobody else.
    """

    def __init__(self, *, connections: int = 4) -> None:
        super().__init__()
        self._of_thread = threading.local()
        self._adapter = _Adapter(self._leaves, pool_connections=8, pool_maxsize=connections)
        self.mount("https://", self._adapter)
        self.mount("http://", self._adapter)
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        # Compressed answers are not asked for: a few kilobytes could become gigabytes.
        self.headers["Accept-Encoding"] = "identity"
        self.verify = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True

    @property
    def asked(self) -> str:
        """The host that this thread asked last."""
        return getattr(self._of_thread, "asked", "")

    @property
    def obstacle(self) -> Obstacle | None:
        """What kept this thread's last request from leaving; None where it left."""
        return getattr(self._of_thread, "obstacle", None)

    @property
    def sent(self) -> bool:
        """Whether this thread's last request had begun to leave: connected, and trusted, before its first byte."""
        return getattr(self._of_thread, "sent", False)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        self._of_thread.sent, self._of_thread.obstacle = False, None
        self._of_thread.asked = _host_of(url)
        if options.get("verify") is True:
            options["verify"] = None  # as if not said, which lets the variables speak
        host = _on_this_machine(url)
        if host:
            options["proxies"] = {"no_proxy": host}
        try:
            return super().request(method, url, *args, **options)
        except Exception as error:
            if not self.sent:
                address = url if isinstance(url, str) else url.decode("latin-1")
                self._of_thread.obstacle = obstacle(error, address, proxy=None if host else _proxy_for(address))
            raise

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: else requests takes in the whole body of a redirect, and breaks on a `Location` that is none."""

    def _leaves(self) -> None:
        self._of_thread.sent = True


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, leaves: Callable[[], None], **options: Any) -> None:
        self._leaves = leaves
        super().__init__(max_retries=0, **options)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, context = super().build_connection_pool_key_attributes(request, verify, cert)
        if _is_several(verify):
            context["ca_cert_dir"] = context.pop("ca_certs", verify)
        return host, context

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """As OpenSSL does, SSL_CERT_DIR may name several folders: requests takes them for one file."""
        super().cert_verify(conn, url, True if _is_several(verify) else verify, cert)  # type: ignore[no-untyped-call]
        if _is_several(verify) and str(url).lower().startswith("https"):
            conn.ca_certs, conn.ca_cert_dir = None, verify

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._bind(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            self._bind(manager)
        return manager

    def _bind(self, manager: urllib3.PoolManager) -> None:
        """The manager's own kinds of pools (those of a SOCKS proxy are others), with connections of this kind."""
        manager.pool_classes_by_scheme = {
            scheme: self._bound(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def _bound(self, pool: Any) -> Any:
        connection = type("_Connection", (_Connection, pool.ConnectionCls), {"leaves": staticmethod(self._leaves)})
        return type("_Pool", (pool,), {"ConnectionCls": connection})


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Measured(sock, self.fp.detach()))


class _Connection:
    """Mixed into urllib3's kinds of connections."""

    leaves: Callable[[], None]
    response_class = _Response
    sock: object

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        self.leaves()
        super().request(*args, **options)  # type: ignore[misc]

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]


class _Measured(io.RawIOBase):
    """What comes in for one answer, until its time or its size is used up."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        super().__init__()
        self._sock, self._raw = sock, raw
        self._pause = sock.gettimeout()
        self._ends_at = time.monotonic() + PATIENCE * (self._pause or 0.0)
        self._left = LARGEST_ANSWER

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise OSError("the answer is too large")
        if self._pause is None:
            return self._raw.readinto(buffer)
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer does not end")
        self._sock.settimeout(min(left, self._pause))
        count = self._raw.readinto(buffer)
        self._sock.settimeout(self._pause)
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _is_several(verify: object) -> bool:
    if not isinstance(verify, str) or os.pathsep not in verify or os.path.exists(verify):
        return False
    return any(os.path.isdir(each) for each in verify.split(os.pathsep))


def _host_of(url: str | bytes) -> str:
    try:
        return plain(urlsplit(url if isinstance(url, str) else url.decode()).hostname or "", longest=100)
    except ValueError:
        return ""


def _proxy_for(address: str) -> str | None:
    try:
        return requests.utils.select_proxy(address, requests.utils.get_environ_proxies(address))
    except ValueError:
        return None


def _on_this_machine(url: str | bytes) -> str:
    """The address's host, if it is loopback or link-local by its spelling; else empty."""
    try:
        spelling = url if isinstance(url, str) else url.decode()
        host = urlsplit(spelling).hostname or ""
        if "\\" in spelling:
            return ""  # read as another host's by others
        if host == "localhost":
            return host
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return host if address.is_loopback or address.is_link_local else ""
