"""`python -m simulator`: start one from the command line, say where it is, end on SIGTERM or ^C."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from simulator.scenario import Scenario, ScenarioError, TokenSpec, load, parse_offer
from simulator.serving import Server, listening_socket, loopback, url_of
from simulator.simulation import Simulation


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, without the usage before it."""
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    p = _Parser(prog="simulator", description="Microsoft's publishing APIs on loopback.")
    p.add_argument("--host", default="127.0.0.1", help="loopback only (default: %(default)s)")
    p.add_argument("--port", type=int, default=8088, help="0 picks a free one (default: %(default)s)")
    p.add_argument("--scenario", type=Path, metavar="FILE.yaml", help="publishers, offers, tokens, faults")
    p.add_argument(
        "--offer",
        action="append",
        default=[],
        metavar="PUBLISHER/OFFER[:KEY=VALUE,...]",
        help="an offer; keys: api, preview, production, offer_type, product_id, or any of its behaviour, such as mode",
    )
    p.add_argument("--token", action="append", default=[], help="accept this bearer token, and only those given")
    p.add_argument("--tls", type=Path, nargs=2, metavar=("CERT.pem", "KEY.pem"), help="serve https://localhost")
    p.add_argument("--state", type=Path, metavar="FILE", help="keep offers and operations here over restarts")
    p.add_argument("--port-file", type=Path, metavar="FILE", help="write the port here when ready")
    p.add_argument("--ready-line", action="store_true", help="print nothing but the one line on being ready")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        scenario = load(given.scenario) if given.scenario else Scenario()
        named = [parse_offer(text) for text in given.offer]
        replaced = {spec.offer for spec in named}
        scenario.offers = [spec for spec in scenario.offers if spec.offer not in replaced] + named
        for spec in named:
            scenario.behaviour_of(spec)
        if given.token:
            scenario.tokens = [*(scenario.tokens or []), *(TokenSpec(value=token) for token in given.token)]
        host = loopback(given.host)
        simulation = Simulation(scenario, given.state)
        sock = listening_socket(host, given.port)
        server = Server(simulation, sock, tls=given.tls)
    except ScenarioError as e:
        print(f"simulator: {e}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(simulation, server, url_of(sock, given.tls), given))
    except OSError as e:
        print(f"simulator: {e.filename}: {e.strerror}.", file=sys.stderr)
        return 2
    finally:
        if given.port_file is not None:
            given.port_file.unlink(missing_ok=True)
    return 0


async def _serve(simulation: Simulation, server: Server, url: str, given: argparse.Namespace) -> None:
    serving = asyncio.create_task(server.serve_on_socket())
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if given.port_file is not None:
        _write_whole(given.port_file, url.rpartition(":")[2] + "\n")
    print(f"Cloud Partner Portal simulator on {url} (control: {url}/_control)", flush=True)
    if not given.ready_line:
        for key, offer in simulation.world.offers.items():
            print(f"  offer {key} ({', '.join(offer.apis)})", flush=True)
    await serving


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".tmp")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
