"""Whatever way is tried, and however it ends, no secret is in an error, a log or on the terminal."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from providers.azure_marketplace.credentials import TokenSource, _azure
from providers.azure_marketplace.errors import SignInFailed
from simulator import Fault, Simulator
from simulator.entra import TENANT, Federated, Job
from tests.credentials.certificates import PASSWORD, Certificate

CLIENT = "aaaaaaaa-0000-0000-0000-000000000001"
SECRET, JOB, HEADER = "canary-secret", "canary-job", "canary-header"
PORTAL = "https://cloudpartner.azure.com"
LIBRARIES = ("azure", "msal", "urllib3")

Way = Callable[[Simulator, Path], dict[str, str]]


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What is logged at the lowest level, by each logger that exists, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(args)s"))
    loggers = [
        logging.root,
        *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)),
    ]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.root.addHandler(handler)
    yield stream
    logging.root.removeHandler(handler)
    for logger, level in before:
        logger.setLevel(level)


def secret(_simulator: Simulator, _folder: Path) -> dict[str, str]:
    return {"clientSecret": SECRET}


_certificate = cache(Certificate)


def certificate(simulator: Simulator, folder: Path) -> dict[str, str]:
    mine = _certificate()
    simulator.entra.applications[CLIENT].certificates.append(mine.pem)
    path = mine.write(folder / "offers.pem", password=PASSWORD)
    return {"clientCertificatePath": str(path), "clientCertificatePassword": PASSWORD}


def oidc_token(simulator: Simulator, _folder: Path) -> dict[str, str]:
    return {"oidcToken": simulator.entra.federated_token(Federated())}


def token_file(simulator: Simulator, folder: Path) -> dict[str, str]:
    (folder / "token").write_text(simulator.entra.federated_token(Federated()), encoding="utf-8")
    return {"oidcTokenFilePath": str(folder / "token")}


def github(simulator: Simulator, _folder: Path) -> dict[str, str]:
    return {"oidcRequestUrl": f"{simulator.url}/github/idtoken", "oidcRequestToken": JOB}


def pipelines(simulator: Simulator, _folder: Path) -> dict[str, str]:
    asking = {"oidcRequestUrl": f"{simulator.url}/pipelines/oidctoken", "oidcRequestToken": JOB}
    return {**asking, "adoPipelineServiceConnectionId": "connection"}


def managed_identity(_simulator: Simulator, _folder: Path) -> dict[str, str]:
    return {"useMsi": "true", "clientId": "user's"}


def default_credential(_simulator: Simulator, _folder: Path) -> dict[str, str]:
    return {"useDefaultAzureCredential": "true", "clientId": "user's"}


FAULTS: list[dict[str, object] | None] = [
    None,
    {"kind": "malformed"},
    {"kind": "limit_data", "bytes": 700},
    {"kind": "unavailable"},
    {"kind": "reset"},
    {"kind": "redirect"},
    {"kind": "deep", "depth": 10_000},
]


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"] if fault else "fine")
@pytest.mark.parametrize(
    "way", [secret, certificate, oidc_token, token_file, github, pipelines, managed_identity, default_credential]
)
def test_no_secret_is_told(
    simulator: Simulator,
    everything_logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: Way,
    fault: dict[str, object] | None,
) -> None:
    entra = simulator.entra
    entra.add(CLIENT, secrets={SECRET: None}, federated=[Federated()])
    entra.add("user's", managed=True)
    entra.jobs[JOB] = Job(connection="connection")
    entra.identity_header = HEADER
    given: list[str] = []
    give = entra._jwt

    def noted(claims: dict[str, object]) -> str:
        given.append(give(claims))
        return given[-1]

    monkeypatch.setattr(entra, "_jwt", noted)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    if fault:
        simulator.faults.add(Fault.model_validate({**fault, "path": "*token"}))
    configuration = {"clientId": CLIENT, "tenantId": TENANT, **way(simulator, tmp_path)}
    tokens = TokenSource(lambda key: configuration.get(key), {})
    told = []
    for scope in (PORTAL, "https://unknown.example"):
        try:
            tokens.token(scope)
        except SignInFailed as failure:
            told += [everything_of(link) for link in chain(failure)]
    told += [repr(tokens), repr(vars(tokens)), everything_logged.getvalue(), *capfd.readouterr()]
    secrets = {SECRET, PASSWORD, JOB, HEADER, *given, *(part for token in given for part in token.split(".")[1:])}
    assert [secret for secret in secrets if any(secret[:40] in text for text in told)] == []
    assert "Signing in by" in everything_logged.getvalue()
    silenced = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.partition(".")[0] in LIBRARIES and isinstance(logger, logging.Logger)
    ]
    assert [logger.name for logger in silenced if _azure._of_other_threads not in logger.filters] == []


def test_other_threads_still_hear_from_the_libraries(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    simulator.entra.add(CLIENT, secrets={SECRET: None})
    configuration = {"clientId": CLIENT, "tenantId": TENANT, "clientSecret": SECRET}
    TokenSource(lambda key: configuration.get(key), {}).token(PORTAL)
    logging.getLogger("azure.identity").warning("hello")
    assert caplog.messages == ["hello"]


def chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def everything_of(error: BaseException) -> str:
    """Also what tools that print the variables of each frame would print of ours."""
    shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
    frame = error.__traceback__
    while frame is not None:
        if "azure_marketplace" in frame.tb_frame.f_code.co_filename:
            shown += [repr(value) for value in frame.tb_frame.f_locals.values()]
        frame = frame.tb_next
    return "\n".join(shown)
