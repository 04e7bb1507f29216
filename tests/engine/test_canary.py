"""Every way to sign in and every API, good and bad, on the real engine at its highest log level: no marked secret is
written.

Searched: what the engine prints and logs (`-v=9`, `--logflow`), its event log and its log of every call to the host
(PULUMI_DEBUG_GRPC), the state, Pulumi's home and the project, what Python's loggers say at DEBUG in the program and in
the host (urllib3's, azure-identity's and MSAL's too), the arguments of all processes, and what the portal and the
sign-in service were sent outside the one header or form that is for it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from simulator import Fault, Simulator
from simulator.entra import TENANT, Federated, Job
from simulator.world import Api
from tests.credentials.certificates import Certificate
from tests.engine.birds import SPELLINGS, Birds, Exchange, Mirror, watched
from tests.engine.conftest import Project, Result
from tests.engine.portal import declare, offer
from tools.local import ENDPOINTS

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


PRODUCTS: dict[Api, str] = {
    "cloudPartnerPortal": "cccccccc-0000-4000-8000-000000000001",
    "productIngestion": "cccccccc-0000-4000-8000-000000000002",
    "partnerCenter": "cccccccc-0000-4000-8000-000000000003",
}
SHOWN = (
    *("message", "messageHtml", "displayText", "uri", "code", "description", "title", "stepName", "friendlyName"),
    *("estimatedTimeFrame", "resourceName", "alias", "version", "status", "substate", "jobStatus", "jobResult"),
)
"""What may be shown of an answer."""


ENGINES_OWN = {"Run", "GetDeploymentInfo", "CheckConfig", "Configure"}
"""The calls by which the engine hands the configuration on."""


def as_it_is(_: Exchange) -> None: ...


def in_words(exchange: Exchange, *, names: tuple[str, ...] = SHOWN[:9]) -> None:
    """Quoted in all that is shown, and beside it."""

    spellings: list[Callable[[str], str]] = [str, *SPELLINGS.values()]

    def quote_in(said: dict[str, Any]) -> None:
        for number, name in enumerate(names):
            if isinstance(said.get(name), str):
                said[name] += " " + spellings[number % len(spellings)](exchange.token)
        said["quoted"] = exchange.token

    exchange.rewrite(quote_in)
    exchange.reason = exchange.token
    exchange.headers["X-Echo"] = exchange.quoted
    exchange.headers["X-Ms-Correlation-Request-Id"] = exchange.token[:90]


def in_ids(exchange: Exchange) -> None:
    """Quoted in what a go-live is recorded by: the address of its operation, the id of its job or submission."""
    for name in ("Location", "Operation-Location"):
        if name in exchange.headers:
            path, _, query = exchange.headers[name].partition("?")
            exchange.headers[name] = f"{path}/{exchange.encoded}?{query}&x={exchange.encoded}"
    if exchange.method == "POST":
        exchange.rewrite(
            lambda said: said.update(
                {n: said[n] + exchange.token for n in ("jobId", "id") if isinstance(said.get(n), str)}
            )
        )


def three_legs(attacker: str) -> dict[str, tuple[tuple[str, ...], Callable[[Exchange], None], str, bool | None, str]]:
    """The command, the twist, how go-lives end, whether the command fails (None: either), and what is told of each."""
    up, preview = ("up", "--yes", "--skip-preview", "--continue-on-error"), ("preview",)

    def posts(twist: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        return lambda each: twist(each) if each.method == "POST" else None

    def pages(host: str) -> Callable[[Exchange], None]:
        def named(exchange: Exchange) -> None:
            following = f"{host}/x/{exchange.encoded}?t={exchange.token}"
            exchange.rewrite(
                lambda said: said.update({"nextLink": following, "@nextLink": following}) if "value" in said else None
            )
            for name in ("Location", "Operation-Location"):
                if name in exchange.headers:
                    exchange.headers[name] = following

        return named

    def broken(exchange: Exchange) -> None:
        exchange.body = b'{"value": [{"id": "' + exchange.quoted.encode()

    def status(number: int, location: str = "") -> Callable[[Exchange], None]:
        return lambda each: each.refuse(number, location=location and f"{location}/{each.encoded}?t={each.token}")

    refresh = ("refresh", "--yes", "--skip-preview")
    return {
        "a preview": (preview, in_words, "succeeded", False, "preview holds version"),
        "all is well": (up, in_words, "succeeded", False, "submitted to go live"),
        "a refresh": (refresh, in_words, "succeeded", False, ""),
        "a go-live that fails": (up, in_words, "failed", True, "failed"),
        "words that nobody knows": (up, partial(in_words, names=SHOWN), "succeeded", None, ""),
        "ids": (up, in_ids, "succeeded", None, ""),
        "a redirect of a go-live": (up, posts(status(307, attacker)), "succeeded", True, "not followed"),
        "a redirect of a preview": (preview, status(302, attacker), "succeeded", False, "not followed"),
        "pages on another host": (up, pages(attacker), "succeeded", True, "another host|submitted"),
        "pages on this host": (up, pages(""), "succeeded", None, ""),
        "not signed in": (preview, status(401), "succeeded", False, "Sign in anew"),
        "not allowed": (up, status(403), "succeeded", True, "refused"),
        "not found": (up, status(404), "succeeded", True, "."),
        "out of order": (up, posts(status(500)), "succeeded", True, "."),
        "broken": (up, broken, "succeeded", True, "not JSON"),
        "a refresh that is not allowed": (refresh, status(403), "succeeded", None, ""),
        "the end": (("destroy", "--yes", "--skip-preview"), as_it_is, "succeeded", False, ""),
    }


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


def test_no_token_that_any_of_the_three_apis_quotes_is_written_anywhere(
    machine: Project, portal: Simulator, birds: Birds, given: Path
) -> None:
    """The same for all three APIs, and each that quotes its token back in whatever it says, wherever it can."""
    secret = birds.new("secret")
    portal.entra.add(CLIENT, secrets={secret: None})
    machine.environment |= {"ARM_CLIENT_ID": CLIENT, "ARM_TENANT_ID": TENANT, "ARM_CLIENT_SECRET": secret}
    behaviour = {"mode": "at once", "location_header": "both"}
    machine.environment["AZUREMARKETPLACE_PREFLIGHT"] = "warn"
    for api, product in PRODUCTS.items():
        portal.add_offer("contoso", api, preview=7, production=6, api=api, product_id=product, **behaviour)
    certificate = (given / "cert.pem", given / "key.pem")
    with (
        Mirror(portal.url, given / "ca.pem", certificate) as mirror,
        Mirror(portal.url, given / "ca.pem", certificate) as attacker,
    ):
        attacker.twist = lambda each: attacked.append(each.path)
        attacked: list[str] = []
        for name, path in ENDPOINTS.items():
            machine.environment[f"AZUREMARKETPLACE_{name}"] = mirror.url + path
        told: dict[str, str] = {}
        for number, (name, (command, twist, ending, fails, words)) in enumerate(three_legs(attacker.url).items()):
            with portal.simulation.lock:
                for api in PRODUCTS:
                    portal.world.publish("contoso", api)
                    found = portal.world.offer("contoso", api)
                    found.behaviour = found.behaviour.changed({"ends": ending})
            mirror.twist, mirror.struck = twist, 0
            arguments = {"triggers": {"number": str(number)}, "timeout": None if fails is False else "3s"}
            declare(machine, **{api: offer(api, api=api, **arguments) for api in PRODUCTS})
            done = watched(machine, birds, *command, *LOUD)
            told[name] = "\n".join(done.messages())
            every = done.messages()
            about = {api: [each for each in every if f"contoso/{api}" in each] for api in PRODUCTS}
            said = {api: "\n".join([*each, *done.messages(api)]) for api, each in about.items()}
            assert fails in (None, done.code != 0), (name, said)
            assert all(re.search(words, each) for each in said.values()), (name, said)
            assert "Traceback" not in told[name], name
            assert mirror.struck or twist is as_it_is, name
        assert attacked == [], "nobody else is asked"

    folder = machine.folder.parent
    assert "Configure" in (folder / "grpc.json").read_text()
    assert len(portal.entra.issued) >= 3, "each API has a token of its own"
    agents = {each.headers.get("user-agent", "") for each in portal.requests.find(path="*contoso*")}
    assert any(agent.startswith("OfferGoLive") for agent in agents)
    sent = [json.dumps([each.path, each.query, each.headers]) for each in portal.requests.find()]
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


def test_at_the_highest_level_the_engine_alone_writes_what_is_configured(
    machine: Project, portal: Simulator, birds: Birds
) -> None:
    """The one exception that there is, as docs/signing-in.md and SECURITY.md tell it."""
    portal.add_offer("contoso", "vm", preview=7, mode="at once")
    secret = birds.new("secret")
    portal.entra.add(CLIENT, secrets={secret: None})
    declare(machine, vm=offer()).configure({"azuremarketplace:clientId": CLIENT, "azuremarketplace:tenantId": TENANT})
    set_secret(machine, "azuremarketplace:clientSecret", secret)
    done = watched(machine, birds, *("up", "--yes", "--skip-preview"), *LOUD)
    assert done.code == 0, done.messages(severity="error")
    folder = machine.folder.parent
    assert {where.rpartition(" ")[2] for where in birds.seen_in(folder)} <= {"run-2.err", "grpc.json"}
    told = [line for line in done.text.splitlines() if secret in line]
    assert all("Marshaling property for RPC[Provider" in line and "].Configure()" in line for line in told), told
    calls = (json.loads(line) for line in (folder / "grpc.json").read_text().splitlines() if secret in line)
    assert {call["method"].rpartition("/")[2] for call in calls} <= ENGINES_OWN


def set_secret(project: Project, key: str, value: str) -> None:
    """Given on standard input, as a person should."""
    import subprocess

    command = [str(project.pulumi / "pulumi"), "config", "set", "--secret", key, "--stack", "test", "--non-interactive"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.full_environment(), input=value, text=True, check=False
    )
    assert done.returncode == 0
