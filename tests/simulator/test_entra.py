"""The simulator's Entra as programs meet it that know no library: forms, claims, refusals, and what the portal says."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from simulator import Simulator
from simulator.entra import EXCHANGE, GITHUB, TENANT, Federated, Job
from tests.simulator.publisher_client import NOW, Client

APP = "aaaaaaaa-0000-0000-0000-000000000001"
PORTAL = "https://cloudpartner.azure.com"
V1, V2 = f"/{TENANT}/oauth2/token", f"/{TENANT}/oauth2/v2.0/token"
V2_FORM = {"grant_type": "client_credentials", "client_id": APP, "client_secret": "s", "scope": f"{PORTAL}/.default"}
V1_FORM = {"grant_type": "client_credentials", "client_id": APP, "client_secret": "s", "resource": PORTAL}


@pytest.fixture
def entra(simulator: Simulator) -> Simulator:
    simulator.entra.add(APP, secrets={"s": None, "old": NOW}, federated=[Federated()])
    simulator.add_offer("contoso", "vm")
    return simulator


def ask(simulator: Simulator, path: str, form: dict[str, str]) -> Any:
    return requests.post(simulator.url + path, data=form, timeout=5).json()


def claims_of(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_the_old_form_answers_numbers_as_texts(entra: Simulator) -> None:
    answer = ask(entra, V1, V1_FORM)
    token = answer.pop("access_token")
    assert answer == {
        "token_type": "Bearer",
        "expires_in": "3599",
        "ext_expires_in": "3599",
        "expires_on": str(int(NOW) + 3599),
        "not_before": str(int(NOW)),
        "resource": PORTAL,
    }
    assert claims_of(token)["aud"] == PORTAL


def test_the_new_form_answers_numbers(entra: Simulator) -> None:
    answer = ask(entra, V2, V2_FORM)
    claims = claims_of(answer.pop("access_token"))
    assert answer == {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}
    assert (claims["appid"], claims["tid"], claims["exp"]) == (APP, TENANT, int(NOW) + 3599)
    assert claims["oid"] == entra.entra.applications[APP].object_id


@pytest.mark.parametrize(("path", "form"), [(V1, V1_FORM), (V2, V2_FORM)])
def test_the_portal_takes_its_own_tokens_until_they_end_and_no_others(
    entra: Simulator, client: Client, path: str, form: dict[str, str]
) -> None:
    token = ask(entra, path, form)["access_token"]
    assert client.get(token=token).status_code == 200
    assert client.get(token="made-up").status_code == 401
    entra.clock.advance(3599)
    assert client.get(token=token).status_code == 401
    other = {**form, "scope": "https://graph.microsoft.com/.default", "resource": "https://graph.microsoft.com"}
    assert client.get(token=ask(entra, path, other)["access_token"]).status_code == 401


def test_revoked_tokens_are_refused_and_new_ones_are_not(entra: Simulator, client: Client) -> None:
    token = ask(entra, V2, V2_FORM)["access_token"]
    entra.entra.revoke(APP)
    assert client.get(token=token).status_code == 401
    assert client.get(token=ask(entra, V2, V2_FORM)["access_token"]).status_code == 200


def test_an_application_that_is_in_no_publisher_is_forbidden(entra: Simulator, client: Client) -> None:
    entra.entra.add(APP, secrets={"s": None}, publishers=["fabrikam"])
    assert client.get(token=ask(entra, V2, V2_FORM)["access_token"]).status_code == 403


@pytest.mark.parametrize(
    ("path", "changed", "status", "error", "code"),
    [
        (V2, {"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        (V2, {"client_secret": "old"}, 401, "invalid_client", 7000222),
        (V2, {"client_secret": ""}, 401, "invalid_client", 7000218),
        (V2, {"client_id": "other"}, 400, "unauthorized_client", 700016),
        (V2, {"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        (V2, {"scope": PORTAL}, 400, "invalid_scope", 1002012),
        (V2, {"scope": "https://unknown.example/.default"}, 400, "invalid_resource", 500011),
        (V1, {"resource": "https://unknown.example"}, 400, "invalid_resource", 500011),
        ("/elsewhere/oauth2/token", {}, 400, "invalid_request", 90002),
    ],
)
def test_refusals(entra: Simulator, path: str, changed: dict[str, str], status: int, error: str, code: int) -> None:
    form = {**(V1_FORM if path.endswith("oauth2/token") else V2_FORM), **changed}
    answer = requests.post(entra.url + path, data=form, timeout=5)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert f"Trace ID: {body['trace_id']}" in body["error_description"]


def test_refusals_in_line_are_given_once(entra: Simulator) -> None:
    entra.entra.refuse_next(90033, 53003)
    codes = [ask(entra, V2, V2_FORM).get("error_codes") for _ in range(3)]
    assert codes == [[90033], [53003], None]
    with pytest.raises(ValueError, match="AADSTS1"):
        entra.entra.refuse_next(1)


@pytest.mark.parametrize(
    ("proof", "lives", "code"),
    [
        (Federated(), 300, None),
        (Federated(), -1, 700024),
        (Federated(issuer="https://other.example"), 300, 700211),
        (Federated(audience="api://other"), 300, 700212),
        (Federated(subject="repo:Contoso/offers:ref:refs/heads/main"), 300, 700213),
    ],
)
def test_federated_tokens(entra: Simulator, proof: Federated, lives: float, code: int | None) -> None:
    form = {**V2_FORM, "client_assertion": entra.entra.federated_token(proof, lives=lives)}
    del form["client_secret"]
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert ask(entra, V2, form).get("error_codes") == (None if code is None else [code])
    for broken in ("x", "x.y.z", form["client_assertion"][:-3] + "AAA"):
        assert ask(entra, V2, {**form, "client_assertion": broken})["error_codes"] in ([50027], [700024])


def test_metadata_names_the_endpoints_of_this_server(entra: Simulator) -> None:
    for version in ("", "/v2.0"):
        found = requests.get(f"{entra.url}/{TENANT}{version}/.well-known/openid-configuration", timeout=5).json()
        assert found["token_endpoint"] == f"{entra.url}/{TENANT}/oauth2{version}/token"
    missing = requests.get(f"{entra.url}/other/v2.0/.well-known/openid-configuration", timeout=5)
    assert (missing.status_code, missing.json()["error_codes"]) == (400, [90002])


def test_instance_discovery_knows_microsofts_hosts_only(entra: Simulator) -> None:
    def discover(host: str) -> Any:
        query = {"api-version": "1.1", "authorization_endpoint": f"https://{host}/{TENANT}/oauth2/v2.0/authorize"}
        return requests.get(f"{entra.url}/common/discovery/instance", query, timeout=5).json()

    assert TENANT in discover("login.microsoftonline.com")["tenant_discovery_endpoint"]
    assert discover("localhost")["error"] == "invalid_instance"


def test_github_gives_a_job_its_token(entra: Simulator) -> None:
    entra.entra.jobs["job"] = Job(subject="repo:contoso/offers:environment:live")

    def get(token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{entra.url}/github/idtoken", {"audience": EXCHANGE}, headers=headers, timeout=5)

    claims = claims_of(get("job").json()["value"])
    assert (claims["iss"], claims["aud"]) == (GITHUB, EXCHANGE)
    assert claims["sub"] == "repo:contoso/offers:environment:live"
    assert get("other").status_code == 401


def test_azure_pipelines_give_a_job_its_token(entra: Simulator) -> None:
    entra.entra.jobs["job"] = Job(connection="c")

    def post(connection: str, **headers: str) -> requests.Response:
        query = {"api-version": "7.1", "serviceConnectionId": connection}
        url = f"{entra.url}/pipelines/oidctoken"
        return requests.post(url, params=query, headers=headers, timeout=5, allow_redirects=False)

    assert claims_of(post("c", Authorization="Bearer job").json()["oidcToken"])["aud"] == EXCHANGE
    assert post("other", Authorization="Bearer job").status_code == 404
    assert post("c").status_code == 302  # to a page for people
    assert post("c", **{"X-TFS-FedAuthRedirect": "Suppress"}).status_code == 401


def test_a_machine_gives_its_identities_tokens(entra: Simulator, client: Client) -> None:
    entra.entra.add("system's", managed=True, system_assigned=True)
    url, query = f"{entra.url}/metadata/identity/oauth2/token", {"api-version": "2018-02-01", "resource": PORTAL}
    answer = requests.get(url, query, headers={"Metadata": "true"}, timeout=5).json()
    assert (answer["client_id"], answer["expires_in"]) == ("system's", "3599")
    assert client.get(token=answer["access_token"]).status_code == 200
    assert requests.get(url, query, timeout=5).status_code == 400  # a server-side request forgery sends no header
    other = requests.get(url, {**query, "client_id": APP}, headers={"Metadata": "true"}, timeout=5)
    assert other.json() == {"error": "invalid_request", "error_description": "Identity not found"}


def test_a_managed_identity_cannot_sign_in_at_the_token_endpoint(entra: Simulator) -> None:
    entra.entra.add("user's", managed=True, secrets={"s": None})
    assert ask(entra, V2, {**V2_FORM, "client_id": "user's"})["error_codes"] == [700016]


def test_it_is_set_up_from_the_control_address(simulator: Simulator, client: Client) -> None:
    client.control("PUT", f"/entra/applications/{APP}", {"secrets": {"s": None}})
    client.control("PUT", "/entra/jobs/job", {})
    state = client.control("PATCH", "/entra", {"lifetime": 60, "refuse_next": [90033]}).json()
    assert (state["lifetime"], state["applications"][APP]["issued"]) == (60, 0)
    assert "secrets" not in state["applications"][APP]
    assert ask(simulator, V2, V2_FORM)["error_codes"] == [90033]
    simulator.add_offer("contoso", "vm")
    token = ask(simulator, V2, V2_FORM)["access_token"]
    assert client.get(token=token).status_code == 200
    assert client.control("POST", f"/entra/applications/{APP}/revoke").json()["applications"][APP]["issued"] == 1
    assert client.get(token=token).status_code == 401
    assert client.control("PUT", f"/entra/applications/{APP}", {"secret": "s"}).status_code == 400
    assert client.control("PATCH", "/entra", {"refuse_next": [1]}).status_code == 400
    client.control("POST", "/reset")
    assert client.control("GET", "/entra").json()["applications"] == {}
    assert client.get().status_code == 404  # any token again


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return folder


def test_it_is_served_over_tls_and_comes_back_from_an_outage(files: Path) -> None:
    with Simulator(tls=(files / "cert.pem", files / "key.pem")) as simulator:
        simulator.entra.add(APP, secrets={"s": None})
        url, trusted = simulator.url + V2, str(files / "ca.pem")
        assert url.startswith("https://localhost:")
        assert requests.post(url, V2_FORM, verify=trusted, timeout=5).status_code == 200
        requests.post(
            f"{simulator.control}/faults", json={"kind": "down", "seconds": 0.05, "count": 1}, verify=trusted, timeout=5
        )
        with pytest.raises(requests.ConnectionError):
            requests.post(url, V2_FORM, verify=trusted, timeout=5)
        until = time.monotonic() + 5
        while True:
            try:
                assert requests.post(url, V2_FORM, verify=trusted, timeout=5).status_code == 200
                break
            except requests.ConnectionError:
                assert time.monotonic() < until


def test_the_command_line_serves_tls(files: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--port-file", str(tmp_path / "port"), "--ready-line"]
    process = subprocess.Popen(
        [*command, "--tls", str(files / "cert.pem"), str(files / "key.pem")], stdout=-1, text=True
    )
    try:
        assert process.stdout
        url = process.stdout.readline().split()[5]
        assert requests.get(f"{url}/_control/entra", verify=str(files / "ca.pem"), timeout=5).status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize("missing", ["cert.pem", "key.pem"])
def test_the_command_line_says_which_file_of_tls_cannot_be_used(files: Path, missing: str) -> None:
    given = [str(files / name) if name != missing else "nowhere.pem" for name in ("cert.pem", "key.pem")]
    command = [sys.executable, "-m", "simulator", "--port", "0", "--tls", *given]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert "nowhere.pem" in ended.stderr
    assert ended.stderr.count("\n") == 1
