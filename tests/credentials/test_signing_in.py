"""Every way to sign in, with the real azure-identity and MSAL; and what is said when it fails."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import trustme

from providers.azure_marketplace.credentials import TokenSource, _azure
from providers.azure_marketplace.errors import Forbidden, SignInFailed, Unauthorized
from providers.azure_marketplace.transport import Connections, Transport
from simulator import Fault, Simulator
from simulator.entra import PIPELINES, TENANT, Federated, Job
from tests.credentials.certificates import PASSWORD, Certificate

PORTAL = "https://cloudpartner.azure.com"
CLIENT = "aaaaaaaa-0000-0000-0000-000000000001"
SECRET = "canary-secret"
APP = {"clientId": CLIENT, "tenantId": TENANT}
WITH_SECRET = {**APP, "clientSecret": SECRET}
ASKING = "*/oauth2/v2.0/token"

Program = Callable[[str, str], None]


def source(configuration: dict[str, str], environment: dict[str, str] | None = None) -> TokenSource:
    return TokenSource(lambda key: configuration.get(key), environment or {})


def failing(configuration: dict[str, str], environment: dict[str, str] | None = None) -> SignInFailed:
    with pytest.raises(SignInFailed) as failure:
        source(configuration, environment).token(PORTAL)
    assert "canary" not in str(failure.value)
    return failure.value


def portal(simulator: Simulator, token: str) -> int:
    """What the portal answers to a token."""
    return requests.get(
        f"{simulator.url}/api/publishers?api-version=2017-10-31",
        auth=lambda request: request,  # a .netrc would set another one
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    ).status_code


def asked(simulator: Simulator) -> int:
    return simulator.requests.count(method="POST", path=ASKING)


@pytest.fixture
def application(simulator: Simulator) -> Simulator:
    simulator.entra.add(CLIENT, secrets={SECRET: None, "canary-expired": 1.0}, federated=[Federated()])
    return simulator


# -- The ways


def test_client_secret(application: Simulator) -> None:
    assert portal(application, source(WITH_SECRET).token(PORTAL)) == 200


def test_arm_and_azure_variables(application: Simulator) -> None:
    for prefix in ("ARM", "AZURE", "AZUREMARKETPLACE"):
        environment = {f"{prefix}_CLIENT_ID": CLIENT, f"{prefix}_TENANT_ID": TENANT, f"{prefix}_CLIENT_SECRET": SECRET}
        assert portal(application, source({}, environment).token(PORTAL)) == 200


def test_a_token_is_for_one_api_only(application: Simulator) -> None:
    assert portal(application, source(WITH_SECRET).token("https://graph.microsoft.com")) == 401


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return Certificate()


@pytest.mark.parametrize("password", ["", PASSWORD])
@pytest.mark.parametrize("name", ["offers.pem", "offers.pfx"])
def test_client_certificate(
    simulator: Simulator, certificate: Certificate, tmp_path: Path, name: str, password: str
) -> None:
    simulator.entra.add(CLIENT, certificates=[certificate.pem])
    path = certificate.write(tmp_path / name, password=password)
    configuration = {**APP, "clientCertificatePath": str(path), "clientCertificatePassword": password}
    assert portal(simulator, source(configuration).token(PORTAL)) == 200


def test_a_certificate_that_is_replaced_is_read_anew(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "offers.pem"
    tokens = source({**APP, "clientCertificatePath": "~/offers.pem"})
    rejected = None
    for certificate in (Certificate(), Certificate()):
        certificate.write(path)
        simulator.entra.add(CLIENT, certificates=[certificate.pem])
        rejected = tokens.token(PORTAL, rejected=rejected)
        assert portal(simulator, rejected) == 200


def test_oidc_token(application: Simulator) -> None:
    token = application.entra.federated_token(Federated())
    assert portal(application, source({**APP, "oidcToken": token}).token(PORTAL)) == 200


def test_a_token_file_is_read_anew_for_every_assertion(application: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "token"
    pod = {"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT, "AZURE_FEDERATED_TOKEN_FILE": str(path)}
    tokens = source({}, pod)
    path.write_text(application.entra.federated_token(Federated()) + "\n", encoding="utf-8")
    first = tokens.token(PORTAL)
    application.entra.add(CLIENT, federated=[Federated(subject="another")])
    path.write_text(application.entra.federated_token(Federated(subject="another")), encoding="utf-8")
    assert portal(application, tokens.token(PORTAL, rejected=first)) == 200


def test_githubs_request_url_is_asked_anew_for_every_assertion(application: Simulator) -> None:
    application.entra.jobs["canary-job"] = Job()
    github = {
        "ARM_USE_OIDC": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{application.url}/github/idtoken?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-job",
    }
    tokens = source(APP, github)
    assert portal(application, tokens.token(PORTAL, rejected=tokens.token(PORTAL))) == 200
    queries = [request.query for request in application.requests.find(path="/github/idtoken")]
    assert queries == ["api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange"] * 2


def test_githubs_audience_can_be_another(application: Simulator) -> None:
    application.entra.jobs["job"] = Job()
    application.entra.add(CLIENT, federated=[Federated(audience="api://ours")])
    asking = {"oidcRequestUrl": f"{application.url}/github/idtoken", "oidcRequestToken": "job"}
    assert source({**APP, **asking, "oidcAudience": "api://ours"}).token(PORTAL)
    assert "AADSTS700212" in str(failing({**APP, **asking}))


def test_azure_pipelines(application: Simulator) -> None:
    subject = "/eid1/c/pub/t/x/a/y/connection"
    application.entra.add(CLIENT, federated=[Federated(issuer=PIPELINES, subject=subject)])
    application.entra.jobs["canary-job"] = Job(issuer=PIPELINES, subject=subject, connection="connection")
    pipeline = {
        "AZURESUBSCRIPTION_CLIENT_ID": CLIENT,
        "AZURESUBSCRIPTION_TENANT_ID": TENANT,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
        "SYSTEM_OIDCREQUESTURI": f"{application.url}/pipelines/oidctoken",
        "SYSTEM_ACCESSTOKEN": "canary-job",
    }
    assert portal(application, source({"useOidc": "true"}, pipeline).token(PORTAL)) == 200
    other = {**pipeline, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "other"}
    assert "localhost gave no token for Azure Pipelines OIDC: it answered 404" in str(
        failing({"useOidc": "true"}, other)
    )


def test_managed_identity_of_a_machine(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulator.url)
    simulator.entra.add("system's", managed=True, system_assigned=True)
    simulator.entra.add("user's", managed=True)
    for configuration in ({"useMsi": "true"}, {"useMsi": "true", "clientId": "user's"}):
        assert portal(simulator, source(configuration).token(PORTAL)) == 200
    assert [client for client, _ in simulator.entra.issued] == ["system's", "user's"]
    assert not failing({"useMsi": "true", "clientId": "nobody's"}).transient


def test_managed_identity_of_app_service(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.entra.identity_header)
    simulator.entra.add("system's", managed=True, system_assigned=True)
    simulator.entra.add("user's", managed=True)
    for configuration in ({"useMsi": "true"}, {"useMsi": "true", "clientId": "user's"}):
        assert portal(simulator, source(configuration).token(PORTAL)) == 200
    assert not failing({"useMsi": "true", "clientId": "nobody's"}).transient


@pytest.mark.parametrize("configuration", [{}, {"useCli": "true"}])
def test_azure_cli(program: Program, tmp_path: Path, configuration: dict[str, str]) -> None:
    program("az", """printf '%s ' "$@" > "$HOME/asked"; printf '{"accessToken": "t", "expires_on": 4102444800}'""")
    assert source(configuration, {"ARM_TENANT_ID": TENANT}).token(PORTAL) == "t"
    asked_for = (tmp_path / "asked").read_text(encoding="utf-8")
    assert asked_for == f"account get-access-token --output json --resource {PORTAL} --tenant {TENANT} "


def test_azure_developer_cli(program: Program) -> None:
    program("azd", """printf '{"token": "t", "expiresOn": "2100-01-01T00:00:00Z"}'""")
    assert source({"useDeveloperCli": "true"}).token(PORTAL) == "t"


def test_default_azure_credential(application: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLIENT_ID", CLIENT), ("TENANT_ID", TENANT), ("CLIENT_SECRET", SECRET)):
        monkeypatch.setenv(f"AZURE_{name}", value)
    tokens = source({}, {"ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true"})
    assert portal(application, tokens.token(PORTAL)) == 200


def test_the_authority_can_be_another_that_microsoft_does_not_know_only_if_it_is_said_twice(
    application: Simulator,
) -> None:
    elsewhere = {**WITH_SECRET, "authorityHost": application.url}
    failure = failing(elsewhere)
    assert "Microsoft does not know the host of authorityHost" in str(failure)
    assert "disableInstanceDiscovery" in failure.next_step
    assert asked(application) == 0
    assert portal(application, source({**elsewhere, "disableInstanceDiscovery": "true"}).token(PORTAL)) == 200


# -- Long waits


@pytest.fixture
def connections() -> Connections:
    return Connections(timeout=5, cancelled=threading.Event, user_agent="test")


def reader(simulator: Simulator, tokens: TokenSource, connections: Connections) -> Callable[[], int]:
    """Reads an offer as the provider does; what was answered."""
    transport = Transport(
        connections,
        title="The portal",
        endpoint=simulator.url,
        token=lambda rejected: tokens.token(PORTAL, rejected=rejected),
    )
    path = "/api/publishers/contoso/offers/vm?api-version=2017-10-31"
    return lambda: transport.get(path, doing="read").status


def test_a_wait_goes_on_when_its_token_runs_out_or_is_revoked(application: Simulator, connections: Connections) -> None:
    application.add_offer("contoso", "vm")
    read = reader(application, source(WITH_SECRET), connections)
    assert (read(), read(), asked(application)) == (200, 200, 1)
    application.entra.revoke(CLIENT)
    assert (read(), read(), asked(application)) == (200, 200, 2)
    connections.close()


def test_a_hundred_waits_ask_once(application: Simulator, connections: Connections) -> None:
    application.add_offer("contoso", "vm")
    read = reader(application, source(WITH_SECRET), connections)
    with ThreadPoolExecutor(100) as threads:
        for count in (1, 2):
            assert set(threads.map(lambda _: read(), range(100))) == {200}
            assert asked(application) == count
            application.entra.revoke(CLIENT)
    connections.close()


def test_an_identity_that_the_portal_never_accepts_is_renewed_once_and_then_told(
    application: Simulator, connections: Connections
) -> None:
    application.add_offer("contoso", "vm")
    application.entra.lifetime = -1.0
    read = reader(application, source(WITH_SECRET), connections)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            read()
    assert asked(application) == 2
    connections.close()


def test_an_application_that_was_never_added_to_partner_center_is_forbidden(
    application: Simulator, connections: Connections
) -> None:
    application.add_offer("contoso", "vm")
    application.entra.add(CLIENT, secrets={SECRET: None}, publishers=[])
    with pytest.raises(Forbidden):
        reader(application, source(WITH_SECRET), connections)()
    connections.close()


# -- Failures


@pytest.mark.parametrize(
    ("configuration", "code", "advice"),
    [
        ({"clientSecret": "canary-wrong"}, 7000215, "not its Secret ID"),
        ({"clientSecret": "canary-expired"}, 7000222, "az ad app credential reset"),
        ({"clientSecret": SECRET, "clientId": "object-id"}, 700016, "not an object ID"),
        ({"clientSecret": SECRET, "tenantId": "other"}, 90002, "az account show"),
        ({"oidcToken": "not.a.jwt"}, 50027, "see what the token file"),
    ],
)
def test_entras_refusals_are_told_with_what_to_do(
    application: Simulator, configuration: dict[str, str], code: int, advice: str
) -> None:
    failure = failing({**APP, **configuration})
    assert f"AADSTS{code}: " in failure.what
    assert "Trace ID: " in failure.what
    assert advice in failure.next_step
    assert (failure.transient, failure.missing) == (False, False)


@pytest.mark.parametrize(
    ("changed", "code"), [({"issuer": "https://x"}, 700211), ({"subject": "repo:Contoso/offers"}, 700213)]
)
def test_what_does_not_match_the_federated_credential_is_named(
    application: Simulator, changed: dict[str, str], code: int
) -> None:
    token = application.entra.federated_token(Federated(**changed))
    failure = failing({**APP, "oidcToken": token})
    assert f"AADSTS{code}: " in failure.what
    assert "federated credential" in failure.next_step


def test_an_assertion_that_is_too_old_is_named(application: Simulator) -> None:
    token = application.entra.federated_token(Federated(), lives=-1.0)
    assert "clock" in failing({**APP, "oidcToken": token}).next_step


def test_a_certificate_that_is_not_the_applications_is_named(application: Simulator, tmp_path: Path) -> None:
    path = Certificate().write(tmp_path / "offers.pem")
    assert "AADSTS700027" in str(failing({**APP, "clientCertificatePath": str(path)}))


@pytest.mark.parametrize("password", ["", "canary-wrong"])
@pytest.mark.parametrize("name", ["offers.pem", "offers.pfx"])
def test_a_certificate_that_cannot_be_opened_is_told(
    certificate: Certificate, tmp_path: Path, name: str, password: str
) -> None:
    path = certificate.write(tmp_path / name, password=PASSWORD)
    failure = failing({**APP, "clientCertificatePath": str(path), "clientCertificatePassword": password})
    assert "clientCertificatePassword" in failure.next_step


def test_a_path_that_is_none_is_told_in_plain_text() -> None:
    assert str(failing({**APP, "clientCertificatePath": "a\x00\x1b[31mb"})).isprintable()


def test_a_certificate_without_an_rsa_key_is_told(tmp_path: Path) -> None:
    path = Certificate(rsa_key=False).write(tmp_path / "offers.pem")
    assert "RSA" in str(failing({**APP, "clientCertificatePath": str(path)}))


@pytest.mark.parametrize("key", ["clientCertificatePath", "oidcTokenFilePath"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, key: str) -> None:
    failure = failing({**APP, key: str(tmp_path / "nowhere")})
    assert "No such file" in str(failure)
    assert "nowhere" in str(failure)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "unavailable"}, "the service answered 503"),
        ({"kind": "bad_gateway"}, "the service answered 502"),
        ({"kind": "too_many_requests", "retry_after": 3600}, "the service answered 429"),
        ({"kind": "reset"}, "the service did not answer"),
        ({"kind": "limit_data", "bytes": 400}, "the service did not answer"),
        ({"kind": "timeout"}, "the service did not answer"),
    ],
)
@pytest.mark.parametrize("path", [ASKING, "*/openid-configuration", "/github/idtoken"])
def test_an_outage_passes(
    application: Simulator, monkeypatch: pytest.MonkeyPatch, path: str, fault: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(_azure, "_READ", 0.2)
    application.entra.jobs["job"] = Job()
    application.faults.add(Fault.model_validate({**fault, "path": path}))
    asking = {"oidcRequestUrl": f"{application.url}/github/idtoken", "oidcRequestToken": "job"}
    failure = failing({**APP, **asking} if path.startswith("/github") else WITH_SECRET)
    told = re.sub(
        "localhost gave no token for GitHub OIDC: it|localhost|login.microsoftonline.com", "the service", failure.what
    )
    assert said in told
    assert failure.transient


@pytest.mark.parametrize("code", [90033, 50196])
def test_entras_own_troubles_pass(application: Simulator, code: int) -> None:
    application.entra.refuse_next(code)
    assert failing(WITH_SECRET).transient


def test_nobody_there_passes(application: Simulator) -> None:
    elsewhere = {"authorityHost": "https://localhost:9", "disableInstanceDiscovery": "true"}
    failure = failing({**WITH_SECRET, **elsewhere})
    assert (failure.transient, "localhost:9 could not be reached: Connection refused" in failure.what) == (True, True)


def test_a_machine_without_an_identity_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://localhost:9")
    failure = failing({"useMsi": "true"})
    assert (failure.transient, "no response from the IMDS endpoint" in failure.what) == (False, True)


@pytest.mark.parametrize("kind", ["unavailable", "reset", "malformed", "not_found"])
def test_a_machine_whose_identity_worked_before_passes(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulator.url)
    simulator.entra.add("system's", managed=True, system_assigned=True)
    tokens = source({"useMsi": "true"})
    first = tokens.token(PORTAL)
    simulator.faults.add(Fault.model_validate({"kind": kind, "path": "/metadata/*"}))
    with pytest.raises(SignInFailed) as failure:
        tokens.token(PORTAL, rejected=first)
    assert failure.value.transient


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("kind", ["malformed", "deep"])
def test_an_answer_that_is_none_is_told(application: Simulator, kind: str) -> None:
    application.faults.add(Fault.model_validate({"kind": kind, "path": ASKING}))
    assert not failing(WITH_SECRET).transient


def test_a_service_whose_certificate_is_not_trusted_gets_nothing(
    application: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    failure = failing(WITH_SECRET)
    assert ("REQUESTS_CA_BUNDLE" in failure.next_step, failure.transient) == (True, False)
    assert application.requests.count() == 0


def test_a_netrc_changes_nothing(application: Simulator, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login canary password canary\n", encoding="utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    application.entra.jobs["job"] = Job()
    asking = {"oidcRequestUrl": f"{application.url}/github/idtoken", "oidcRequestToken": "job"}
    assert portal(application, source({**APP, **asking}).token(PORTAL)) == 200
    sent = [request.headers.get("authorization", "") for request in application.requests.find(path="*token*")]
    assert not any(header.startswith("Basic") for header in sent)


def test_a_redirect_is_not_followed(application: Simulator) -> None:
    application.entra.jobs["job"] = Job()
    application.faults.add(Fault(kind="redirect", path="/github/idtoken", location=f"{application.url}/elsewhere"))
    asking = {"oidcRequestUrl": f"{application.url}/github/idtoken", "oidcRequestToken": "job"}
    assert "it answered 307" in str(failing({**APP, **asking}))
    assert application.requests.count(path="/elsewhere*") == 0


def test_a_request_token_is_not_sent_in_clear() -> None:
    asking = {"oidcRequestUrl": "http://contoso.example/t", "oidcRequestToken": "canary"}
    assert "azuremarketplace:oidcRequestUrl must begin with https://" in str(failing({**APP, **asking}))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "az login"),
        ("exit 127", "Azure CLI not found"),
    ],
)
def test_an_azure_cli_that_nobody_is_logged_in_to_is_no_sign_in_at_all(
    program: Program, script: str, said: str
) -> None:
    program("az", script)
    failure = failing({})
    assert said in failure.what
    assert failure.missing
    assert not failing({"useCli": "true"}).missing


def test_an_azure_cli_whose_login_has_run_out_is_told(program: Program) -> None:
    program("az", 'echo "ERROR: AADSTS700082: The refresh token has expired due to inactivity." >&2; exit 1')
    failure = failing({})
    assert ("AADSTS700082" in failure.what, failure.next_step, failure.missing) == (
        True,
        "Run `az login` again.",
        False,
    )


def test_an_azure_cli_that_hangs_passes(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_azure, "_PROGRAM", 0.2)
    program("az", "exec /bin/sleep 20")
    assert failing({"useCli": "true"}).transient


def test_an_azure_cli_that_prints_something_else_is_not_quoted_whole(program: Program) -> None:
    program("az", """printf '{"accessToken": "canary", "expiresOn": "soon"}'""")
    assert "Unexpected output" in str(failing({}))


def test_azure_identity_is_imported_for_a_fetch_only(application: Simulator, machine: dict[str, str]) -> None:
    import subprocess
    import sys

    program = (
        "import sys, json\n"
        "from providers.azure_marketplace.credentials import TokenSource\n"
        "TokenSource({'accessToken': 't'}.get, {}).token('https://x')\n"
        "print(json.dumps([name for name in sys.modules if name.partition('.')[0] in ('azure', 'msal')]))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert json.loads(output) == []


@pytest.mark.parametrize(
    ("script", "said", "step"),
    [
        (None, "Azure CLI not found on path", "Install it and run `az login`"),
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "az login", "sign in by OIDC instead"),
        ("echo nonsense", "Unexpected output", "Run `az account get-access-token` by hand"),
        ("echo 'ERROR: AADSTS50076: You must use it.' >&2; exit 1", "AADSTS50076: You must use it", "`az login` again"),
    ],
    ids=["not installed", "nobody signed in", "other words", "a second factor"],
)
def test_what_is_wrong_with_the_command_line_comes_with_what_to_do(
    program: Callable[[str, str], None], script: str | None, said: str, step: str
) -> None:
    if script:
        program("az", script)
    failure = failing({"useCli": "true"})
    assert said in failure.what
    assert step in failure.next_step
    assert "Command '" not in failure.what, "its arguments are of no use"


@pytest.mark.parametrize("key", ["oidcTokenFilePath", "clientCertificatePath"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, key: str) -> None:
    for path, why in ((tmp_path / "nowhere", "No such file or directory"), (tmp_path, "Is a directory")):
        failure = failing({**APP, key: str(path)})
        assert f"{path} cannot be " in failure.what
        assert why in failure.what
        assert "[Errno" not in failure.what
        assert failure.next_step


def test_a_token_file_with_something_else_in_it(application: Simulator, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("junk")
    failure = failing({**APP, "oidcTokenFilePath": str(tmp_path / "token")})
    assert "AADSTS50027" in failure.what
    assert "Content" not in failure.what
    assert "see what the token file" in failure.next_step
    assert "az account show" in failing({**WITH_SECRET, "tenantId": "con toso"}).next_step
    application.entra.refuse_next(53003)
    assert "Conditional Access" in failing(WITH_SECRET).next_step


def test_a_machine_without_an_identity_is_told_as_such_and_not_as_a_matter_of_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    for way, step in (("useMsi", "unset useMsi (ARM_USE_MSI)"), ("useDefaultAzureCredential", "Name one way instead")):
        failure = failing({way: "true"})
        assert step in failure.next_step
        assert not failure.transient


@pytest.mark.parametrize(
    "host", ["https://127.0.0.1:9\\@login.microsoftonline.com", "https://a@b.example", "https://x.example/?y", "//x\\y"]
)
def test_an_authority_that_two_readers_read_as_two_hosts_gets_nothing(host: str) -> None:
    failure = failing({**APP, "clientSecret": "canary-secret", "authorityHost": host})
    assert "authorityHost is no address that begins with https://, and nothing was sent to it" in failure.what


@pytest.mark.parametrize("url", ["http://127.0.0.2:9\\@localhost/x", "https://a@b.example/x", "https://x.example/#y?z"])
def test_a_request_token_goes_to_a_plain_address_only(url: str) -> None:
    assert "must begin with https://" in str(failing({**APP, "oidcRequestUrl": url, "oidcRequestToken": "canary"}))


@pytest.mark.parametrize("key", ["oidcTokenFilePath", "clientCertificatePath"])
def test_a_pipe_is_no_file(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "which is no file" in failing({**APP, key: str(tmp_path / "pipe")}).what


def test_a_token_file_is_small(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 100_000)
    assert "cannot be read" in failing({**APP, "oidcTokenFilePath": str(tmp_path / "token")}).what


@pytest.mark.parametrize("name", ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"])
def test_a_secret_in_the_place_of_its_path_is_not_shown_by_the_default_credential_either(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "-----BEGIN PRIVATE KEY-----\nMIGHcanary\n-----END PRIVATE KEY-----")
    failure = failing({"useDefaultAzureCredential": "true"})
    assert f"{name} must be the path of a file" in failure.what
    assert "canary" not in str(failure)


def test_the_token_of_one_platform_is_not_sent_to_another() -> None:
    environment = {
        "ARM_CLIENT_ID": "c",
        "ARM_TENANT_ID": "t",
        "ARM_USE_OIDC": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.example/x",
        "SYSTEM_ACCESSTOKEN": "canary",
    }
    with pytest.raises(SignInFailed, match="nothing was sent"):
        TokenSource(lambda _: None, environment).token("https://cloudpartner.azure.com")
