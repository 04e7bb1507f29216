"""Real azure-identity and MSAL against the simulator's Entra, over TLS, under the name of Microsoft's own host."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3.util.connection

from simulator import Simulator

LOGIN = "login.microsoftonline.com"
SIGN_IN_VARIABLES = ("ARM_", "AZURE", "ACTIONS_", "SYSTEM_", "IDENTITY_", "MSI_", "IMDS_", "GITHUB_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(scope="session")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def _server(_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("tls")
    issued = _authority.issue_cert("localhost", LOGIN)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    with Simulator(tls=(folder / "cert.pem", folder / "key.pem")) as simulator:
        yield simulator


@pytest.fixture
def simulator(_server: Simulator) -> Simulator:
    with _server.simulation.lock:
        _server.simulation.reset()
    return _server


@pytest.fixture(autouse=True)
def machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, _server: Simulator, _authority: trustme.CA
) -> dict[str, str]:
    """A machine on which nobody is signed in: its variables. Entra's host leads to the simulator."""
    for name in list(os.environ):
        if name.startswith(SIGN_IN_VARIABLES) or name.upper() in PROXIES:
            monkeypatch.delenv(name)
    _authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "bin").mkdir()
    variables = {"REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"), "PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    connect, port = urllib3.util.connection.create_connection, int(_server.url.rpartition(":")[2])

    def to_the_simulator(address: tuple[str, int], *given: Any, **more: Any) -> Any:
        return connect(("127.0.0.1", port) if address[0] == LOGIN else address, *given, **more)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", to_the_simulator)
    return variables


@pytest.fixture
def no_collection() -> Iterator[None]:
    """For bodies nested too deep: hypothesis watches the garbage collector, and fails when called at the last frame."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], None]:
    """Puts a shell script on the PATH."""

    def add(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return add
