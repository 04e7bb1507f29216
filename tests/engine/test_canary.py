"""Every way to sign in, good and bad, on the real engine at its highest log level: no marked secret is written.

Searched: what the engine prints and logs (`-v=9`, `--logflow`), its event log and its log of every call to the host
(PULUMI_DEBUG_GRPC), the state, Pulumi's home and the project, what Python's loggers say at DEBUG in the program and in
the host (urllib3's, azure-identity's and MSAL's too), the arguments of all processes, and what the portal and the
sign-in service were sent outside the one header or form that is for it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from simulator import Fault, Simulator
from simulator.entra import TENANT, Federated, Job
from tests.credentials.certificates import Certificate
from tests.engine.conftest import Project, Result
from tests.engine.portal import declare, offer
from tools import processes

CLIENT = "aaaaaaaa-0000-0000-0000-000000000001"
LOUD = ("-v=9", "--logtostderr", "--logflow")
PYTHON_LOGS = """\
import logging, os
logging.basicConfig(
    level=logging.DEBUG,
    filename=os.path.join(os.environ["CANARY_LOGS"], f"python-{os.getpid()}.log"),
    format="%(name)s %(levelname)s %(message)s %(args)s",
)
"""


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


@pytest.fixture
def birds() -> Birds:
    return Birds()


@pytest.fixture
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the user keeps themselves: certificates, token files."""
    return tmp_path_factory.mktemp("given")


@pytest.fixture
def portal(given: Path, birds: Birds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """The portal and Entra behind one TLS address, noting each token that they give."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(given / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(given / "key.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(given / "cert.pem", append=True)
    with Simulator(tls=(given / "cert.pem", given / "key.pem")) as simulator:
        entra = simulator.entra
        make = entra._jwt

        def noted(claims: dict[str, Any]) -> str:
            token = make(claims)
            # The middle of the second part, and the signature: what two tokens do not share.
            for what, part in zip(("claims", "signature"), token.split(".")[1:], strict=True):
                birds.known[f"{what} of token {len(birds.known)}"] = part[-60:]
            return token

        monkeypatch.setattr(entra, "_jwt", noted)
        yield simulator


@pytest.fixture
def machine(project: Project, portal: Simulator, given: Path) -> Project:
    """A project that signs in to the simulator's Entra; its Python logs all that there is to log."""
    logs = project.folder.parent / "python-logs"
    site = project.folder.parent / "site"
    for folder in (logs, site):
        folder.mkdir()
    (site / "sitecustomize.py").write_text(PYTHON_LOGS)
    checkout = str(Path(__file__).resolve().parents[2])
    project.environment |= {
        "PYTHONPATH": os.pathsep.join([str(site), checkout]),
        "CANARY_LOGS": str(logs),
        "PULUMI_DEBUG_GRPC": str(project.folder.parent / "grpc.json"),
        "REQUESTS_CA_BUNDLE": str(given / "ca.pem"),
        "AZUREMARKETPLACE_ENDPOINT": portal.url,
        "AZUREMARKETPLACE_AUTHORITY_HOST": portal.url,
        "AZUREMARKETPLACE_DISABLE_INSTANCE_DISCOVERY": "true",
        "AZUREMARKETPLACE_MIN_POLL_INTERVAL": "0.1",
        "AZUREMARKETPLACE_REQUEST_TIMEOUT": "5",
        "HOME": str(given),
    }
    (given / ".netrc").write_text("machine localhost login canary password canary\n")
    (given / ".netrc").chmod(0o600)
    return project


Leg = tuple[dict[str, str], dict[str, Any] | None, str]
"""The environment, a fault, and words that tell how it ends; empty for success."""


def legs(simulator: Simulator, birds: Birds, given: Path) -> dict[str, Leg]:
    entra = simulator.entra
    secret, password, job, header = (birds.new(what) for what in ("secret", "password", "job", "header"))
    certificate = Certificate()
    path = certificate.write(given / "offers.pfx", password=password)
    entra.add(CLIENT, secrets={secret: None}, certificates=[certificate.pem], federated=[Federated()])
    entra.add("system's", managed=True, system_assigned=True)
    entra.jobs[job] = Job(connection="connection")
    entra.identity_header = header
    (given / "token").write_text(entra.federated_token(Federated()))
    known = birds.new("access")
    simulator.simulation.tokens.add(known)
    application = {"ARM_CLIENT_ID": CLIENT, "ARM_TENANT_ID": TENANT}
    by_secret = {**application, "ARM_CLIENT_SECRET": secret}
    by_certificate = {**application, "ARM_CLIENT_CERTIFICATE_PATH": str(path)}
    github = {**application, "ARM_USE_OIDC": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": f"{simulator.url}/github/idtoken"}
    pipelines = {
        **application,
        "ARM_USE_OIDC": "true",
        "SYSTEM_OIDCREQUESTURI": f"{simulator.url}/pipelines/oidctoken",
        "SYSTEM_ACCESSTOKEN": job,
        "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": "connection",
    }
    return {
        "access token": ({"AZUREMARKETPLACE_ACCESS_TOKEN": known}, None, ""),
        "client secret": (by_secret, None, ""),
        "client certificate": ({**by_certificate, "ARM_CLIENT_CERTIFICATE_PASSWORD": password}, None, ""),
        "OIDC token": (
            {**application, "ARM_OIDC_TOKEN": entra.federated_token(Federated()), "ARM_USE_OIDC": "1"},
            None,
            "",
        ),
        "token file": ({**application, "ARM_OIDC_TOKEN_FILE_PATH": str(given / "token")}, None, ""),
        "GitHub": ({**github, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": job}, None, ""),
        "Azure Pipelines": (pipelines, None, ""),
        "managed identity": (
            {"ARM_USE_MSI": "true", "IDENTITY_ENDPOINT": f"{simulator.url}/msi/token", "IDENTITY_HEADER": header},
            None,
            "",
        ),
        "an access token that is none": (
            {"AZUREMARKETPLACE_ACCESS_TOKEN": f"Bearer {birds.new('quoted')}"},
            None,
            "is not one word of plain characters",
        ),
        "an access token that is refused": ({"AZUREMARKETPLACE_ACCESS_TOKEN": birds.new("old")}, None, "Sign in anew"),
        "another secret": ({**application, "ARM_CLIENT_SECRET": birds.new("wrong")}, None, "AADSTS7000215"),
        "another password": (
            {**by_certificate, "ARM_CLIENT_CERTIFICATE_PASSWORD": birds.new("other")},
            None,
            "cannot be used",
        ),
        "another job": ({**github, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": birds.new("stranger")}, None, "it answered 401"),
        "half a way": ({"ARM_CLIENT_SECRET": birds.new("half")}, None, "clientId and tenantId are missing"),
        "garbage from Entra": (by_secret, {"kind": "malformed", "path": "*/token"}, "Signing in by client secret"),
        "half an answer from Entra": (
            by_secret,
            {"kind": "limit_data", "bytes": 700, "path": "*/oauth2/*"},
            "Signing in by client secret",
        ),
        "not allowed": (by_secret, {"kind": "error", "status": 403, "path": "*/golive"}, "enterprise application"),
        "a redirect": (by_secret, {"kind": "redirect", "path": "*/golive"}, "not followed"),
    }


def test_no_secret_is_written_anywhere(machine: Project, portal: Simulator, birds: Birds, given: Path) -> None:
    portal.add_offer("contoso", "vm", preview=7, mode="at once")
    common = dict(machine.environment)
    ways = legs(portal, birds, given)
    ended: dict[str, Result] = {}
    # All but the first submit: what cannot be signed in to says so in `up`.
    for number, (name, (variables, fault, words)) in enumerate(ways.items()):
        machine.environment = {**common, **variables, "AZUREMARKETPLACE_PREFLIGHT": "warn" if words else "fail"}
        with portal.simulation.lock:
            portal.faults.replace([Fault.model_validate(fault)] if fault else [])
        declare(machine, vm=offer(triggers={"number": str(number)}, timeout="3s" if words else None))
        ended[name] = watched(machine, birds, "up", "--yes", "--skip-preview", *LOUD)
        told = "\n".join(ended[name].messages())
        assert (ended[name].code == 0) == (not words), (name, told)
        assert words in told, (name, told)
        assert "Traceback" not in told

    folder = machine.folder.parent
    logged = "".join(path.read_text() for path in (folder / "python-logs").iterdir())
    assert "urllib3.connectionpool DEBUG" in logged, "Python's loggers are heard"
    assert "Configure" in (folder / "grpc.json").read_text(), "the calls to the host are seen"
    assert any("Signing in by GitHub OIDC" in said for said in ended["GitHub"].messages()), "it is told how"
    assert len(birds.known) > 30
    assert any("pulumi.dynamic" in text for text in birds.arguments)

    sent = [
        json.dumps([each.path, each.query, {n: v for n, v in each.headers.items() if n.lower() != "x-identity-header"}])
        for each in portal.requests.find()
    ]
    assert birds.seen_in(folder, also="\n".join(sent)) == []


def test_the_search_finds_what_is_there(birds: Birds, tmp_path: Path) -> None:
    secret = birds.new("secret")
    for number, text in enumerate(
        (
            f"a {secret}",
            secret.encode().hex(),
            *(base64.b64encode(b"y" * n + secret.encode() + b"z").decode() for n in range(6)),
        )
    ):
        (tmp_path / "one").write_text(text)
        assert birds.seen_in(tmp_path), (number, text)
    (tmp_path / "one").unlink()
    assert birds.seen_in(tmp_path) == []
    birds.arguments.add(f"--token={secret}")
    assert "secret, quoted in an argument" in birds.seen_in(tmp_path)


def test_a_secret_in_the_configuration_stays_in_it(machine: Project, portal: Simulator, birds: Birds) -> None:
    """Encrypted there. (Not at `-v=9`, where the engine writes what it hands to providers: docs/signing-in.md.)"""
    portal.add_offer("contoso", "vm", preview=7, mode="at once")
    secret, token = birds.new("secret"), birds.new("token")
    portal.entra.add(CLIENT, secrets={secret: None})
    portal.simulation.tokens.add(token)
    del machine.environment["PULUMI_DEBUG_GRPC"]
    machine.configure({"azuremarketplace:clientId": CLIENT, "azuremarketplace:tenantId": TENANT})
    for key, value, code in (
        ("clientSecret", secret, 0),
        ("accessToken", token, 0),
        ("clientSecret", birds.new("bad"), 1),
    ):
        set_secret(machine, f"azuremarketplace:{key}", value)
        declare(machine, vm=offer(triggers={"token": value[-4:]}))
        done = watched(machine, birds, "up", "--yes", "--skip-preview", "--diff", "--show-config")
        if key == "accessToken":
            machine.start("config", "rm", f"azuremarketplace:{key}", events=False).wait()
        assert (done.code != 0) == bool(code), done.text
    assert machine.preview("--diff").code in (0, 255, 1)
    assert birds.seen_in(machine.folder.parent) == []


def set_secret(project: Project, key: str, value: str) -> None:
    """Given on standard input, as a person should."""
    import subprocess

    command = [str(project.pulumi / "pulumi"), "config", "set", "--secret", key, "--stack", "test", "--non-interactive"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.full_environment(), input=value, text=True, check=False
    )
    assert done.returncode == 0


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
