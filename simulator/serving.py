"""Serving a simulation over HTTP on loopback: for the command line, or in a thread beside a test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.routing import BaseRoute

from simulator.app import create_app
from simulator.behaviour import Behaviour
from simulator.clock import SimulatorClock
from simulator.connections import Connections
from simulator.entra import Entra
from simulator.faults import FaultBook
from simulator.recorder import Recorder
from simulator.scenario import Scenario, ScenarioError
from simulator.simulation import Simulation
from simulator.tokens import Tokens
from simulator.world import Api, Offer, World

Tls = tuple[str | Path, str | Path]
"""The PEM files of a certificate with its chain, and of its private key."""


def loopback(host: str) -> str:
    """The host, if it is this machine's loopback; the simulator is for nobody else."""
    if host == "localhost":
        return host
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ScenarioError(f"--host {host}: the simulator has no sign-in, so it serves only this machine; use 127.0.0.1.")


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it answers are 40 ms late.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except (OSError, OverflowError) as e:
        sock.close()
        reason = e.strerror if isinstance(e, OSError) else "it is not between 0 and 65535"
        raise ScenarioError(f"Port {port} of {host} cannot be used: {reason}. Name another by --port; 0 is any.") from e
    return sock


def url_of(sock: socket.socket, tls: Tls | None = None) -> str:
    """With TLS the host is called localhost, as a certificate names it."""
    host, port = sock.getsockname()[:2]
    if tls is not None:
        return f"https://localhost:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, which says when it is ready, ends at once, and can refuse connections for a while."""

    def __init__(
        self,
        simulation: Simulation,
        sock: socket.socket,
        more_routes: Sequence[BaseRoute] = (),
        tls: Tls | None = None,
    ) -> None:
        if tls is not None:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*tls)
            except OSError as e:
                raise ScenarioError(f"The files {tls[0]} and {tls[1]} cannot be used for TLS: {e.strerror}.") from e
        connections = Connections()
        self._connections = connections
        weather = create_app(simulation, connections, more_routes)
        super().__init__(
            uvicorn.Config(
                weather,
                http=connections.protocol(),
                ws="none",
                lifespan="off",
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=0,
                ssl_certfile=None if tls is None else tls[0],
                ssl_keyfile=None if tls is None else str(tls[1]),
            )
        )
        weather.refuse_for = self.refuse_for
        self.ready = threading.Event()
        self._protocol = connections.protocol()
        self._sock = sock
        self._address = sock.getsockname()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and ^C end the server in good order; uvicorn would raise them once more afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.force_exit = True  # nobody waits for answers that are slow on purpose

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def refuse_for(self, seconds: float) -> None:
        """Stop listening for so long: new connections are refused, those of the control address too."""
        if seconds > 0:
            task = asyncio.get_running_loop().create_task(self._down(seconds))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _down(self, seconds: float) -> None:
        for server in self.servers:
            server.close()
        await asyncio.sleep(seconds)
        sock = listening_socket(self._address[0], self._address[1])
        protocol = functools.partial(
            self._protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(protocol, sock=sock, ssl=self.config.ssl)]

    async def serve_on_socket(self) -> None:
        await self.serve(sockets=[self._sock])
        # TLS ends with words from both sides, which nobody waits for any more.
        self._connections.abort()
        await asyncio.sleep(0)


class Simulator:
    """A simulator in a thread, on a free port, for tests. Starts when entered.

    >>> with Simulator() as simulator:
    ...     simulator.add_offer("contoso", "vm", preview=7, mode="by polls", polls=2)
    ...     print(simulator.url, simulator.world.accepted_golives("contoso", "vm"))

    `clock_at` given: time stands still there, in seconds since 1970, and moves by `clock.advance`. `tls` given: served
    over it, as https://localhost.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock_at: float | None = None,
        simulation: Simulation | None = None,
        more_routes: Sequence[BaseRoute] = (),
        tls: Tls | None = None,
    ) -> None:
        self.simulation = simulation or Simulation(scenario)
        if clock_at is not None:
            self.clock.freeze(clock_at)
        self._sock = listening_socket("127.0.0.1", 0)
        self.url = url_of(self._sock, tls)
        self.control = f"{self.url}/_control"
        self._server = Server(self.simulation, self._sock, more_routes, tls)
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    @property
    def world(self) -> World:
        return self.simulation.world

    @property
    def requests(self) -> Recorder:
        return self.simulation.recorder

    @property
    def faults(self) -> FaultBook:
        return self.simulation.faults

    @property
    def clock(self) -> SimulatorClock:
        return self.simulation.clock

    @property
    def tokens(self) -> Tokens:
        return self.simulation.tokens

    @property
    def entra(self) -> Entra:
        return self.simulation.entra

    def add_offer(
        self,
        publisher_id: str,
        offer_id: str,
        *,
        preview: int | None = 1,
        production: int | None = None,
        api: Api | Sequence[Api] = "cloudPartnerPortal",
        product_id: str | None = None,
        offer_type: str | None = None,
        **behaviour: Any,
    ) -> Offer:
        """An offer; the other keywords are keys of its behaviour."""
        apis: Sequence[Api] = (api,) if isinstance(api, str) else api
        with self.simulation.lock:
            return self.world.add_offer(
                publisher_id,
                offer_id,
                preview=preview,
                production=production,
                behaviour=Behaviour().changed(behaviour) if behaviour else None,
                offer_type_id=offer_type,
                apis=tuple(apis),
                product_id=product_id,
            )

    def start(self) -> Simulator:
        self._thread.start()
        if not self._server.ready.wait(10):
            raise RuntimeError("the simulator did not start within 10 seconds")
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._sock.close()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._server.serve_on_socket())


@contextlib.contextmanager
def running(scenario: Scenario | None = None, *, clock_at: float | None = None) -> Iterator[Simulator]:
    """A simulator for the length of a `with` block."""
    with Simulator(scenario, clock_at=clock_at) as simulator:
        yield simulator
