"""Below HTTP: each connection's transport, wrapped so that a fault can pace, cut or reset it.

Wrapping uvicorn's transport, rather than a proxy in front, lets one request of a kept-alive connection meet
a fault that its neighbours do not, without parsing HTTP twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_BANDWIDTH_BEAT = 0.02  # seconds between two pieces of a throttled answer
Address = tuple[str, int]


@dataclass
class Pacing:
    """How the bytes of one answer leave; None: unhindered. Bytes, and seconds."""

    rate: int | None = None
    slice_size: int | None = None
    slice_variation: int = 0
    slice_delay: float = 0.0
    limit: int | None = None
    close_delay: float = 0.0
    random: random.Random = field(default_factory=random.Random)

    def pieces(self, data: bytes) -> Iterator[tuple[bytes, float]]:
        """The data cut up, each piece with the pause that follows it."""
        while data:
            size, pause = len(data), 0.0
            if self.slice_size is not None:
                spread = self.random.randint(-self.slice_variation, self.slice_variation)
                size, pause = max(1, self.slice_size + spread), self.slice_delay
            if self.rate is not None:
                size = max(1, min(size, int(self.rate * _BANDWIDTH_BEAT)))
                pause += min(size, len(data)) / self.rate
            yield data[:size], pause
            data = data[size:]


class PacedTransport(asyncio.Transport):
    """A transport that passes everything on, and writes through a paced queue once a pacing is set."""

    def __init__(self, raw: asyncio.Transport) -> None:
        super().__init__()
        self._raw = raw
        self._pacing: Pacing | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: close
        self._drain: asyncio.Task[None] | None = None
        self._sent = 0
        self._closing = False

    def pace(self, pacing: Pacing | None) -> None:
        """For the answer that comes next."""
        self._pacing, self._sent = pacing, 0

    def reset(self) -> None:
        """RST: unread and unsent bytes are gone."""
        sock = self._raw.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    # -- asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._drain is None and self._pacing is None:
            self._raw.write(data)
        elif not self._closing:
            self._enqueue(bytes(data))

    def close(self) -> None:
        if self._closing:
            return
        if self._drain is None and self._pacing is None:
            self._raw.close()
        else:
            self._enqueue(None)
            self._closing = True

    def abort(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._closing or self._raw.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._raw.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._raw.get_protocol()

    # -- The queue

    def _enqueue(self, item: bytes | None) -> None:
        self._queue.put_nowait(item)
        if self._drain is None:
            self._drain = asyncio.get_running_loop().create_task(self._drained())

    async def _drained(self) -> None:
        pacing = self._pacing or Pacing()
        try:
            while not self._queue.empty():
                item = self._queue.get_nowait()
                if item is None:
                    await asyncio.sleep(pacing.close_delay)
                    self._raw.close()
                    return
                for piece, pause in pacing.pieces(item):
                    if not self._pass_on(piece, pacing):
                        return
                    await asyncio.sleep(pause)
        finally:
            self._drain = None

    def _pass_on(self, piece: bytes, pacing: Pacing) -> bool:
        if pacing.limit is not None:
            piece = piece[: pacing.limit - self._sent]
        self._sent += len(piece)
        if piece and not self._raw.is_closing():
            self._raw.write(piece)
        if self._raw.is_closing() or (pacing.limit is not None and self._sent >= pacing.limit):
            self._closing = True
            self._raw.close()
            return False
        return True


class Connections:
    """The open connections, by the client's address, as ASGI's `scope["client"]` names it."""

    def __init__(self) -> None:
        self._open: dict[Address, PacedTransport] = {}

    def of(self, client: object) -> PacedTransport | None:
        return self._open.get(_address(client))

    def opened(self, client: object, transport: PacedTransport) -> None:
        self._open[_address(client)] = transport

    def closed(self, client: object) -> None:
        self._open.pop(_address(client), None)

    def abort(self) -> None:
        for transport in list(self._open.values()):
            transport.abort()

    def protocol(self) -> type[H11Protocol]:
        """The protocol class for uvicorn's `http` setting."""
        connections = self

        class PacedProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                paced = PacedTransport(transport)
                super().connection_made(paced)
                connections.opened(self.client, paced)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.closed(self.client)
                super().connection_lost(exc)

        return PacedProtocol


def _address(client: object) -> Address:
    host, port = client if isinstance(client, (tuple, list)) else ("", 0)
    return str(host), int(port)
