"""Whoever gives tokens may be hostile too: bounded, never followed elsewhere, and asked directly where it is near."""

from __future__ import annotations

import gzip
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from providers.azure_marketplace.credentials import TokenSource, _azure
from providers.azure_marketplace.credentials._tokens import sendable
from providers.azure_marketplace.errors import SignInFailed
from simulator import Fault, Simulator
from simulator.entra import TENANT
from tests.client.hostile import Say, Server, bytes_of

PORTAL = "https://cloudpartner.azure.com"
CLIENT = "aaaaaaaa-0000-0000-0000-000000000001"
APP = {"clientId": CLIENT, "tenantId": TENANT}
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def server() -> Iterator[Callable[[Say], Server]]:
    made: list[Server] = []

    def make(say: Say) -> Server:
        made.append(Server(say))
        return made[-1]

    yield make
    for each in made:
        each.close()


def failing(configuration: dict[str, str]) -> SignInFailed:
    with pytest.raises(SignInFailed) as failure:
        TokenSource(configuration.get, {}).token(PORTAL)
    assert "canary" not in str(failure.value)
    assert str(failure.value).isprintable()
    assert len(str(failure.value)) < 1000
    return failure.value


@pytest.mark.parametrize(
    "say",
    [
        bytes_of(OK + b"\r\n" + b"x" * 30_000_000),
        bytes_of(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 50_000_000)),
        bytes_of(OK + b"Content-Encoding: deflate, gzip\r\n\r\n{}"),
        bytes_of(OK, b"X: 1\r\n", pause=0.1, again=300),
        bytes_of(OK + b"Content-Length: 100000\r\n\r\n", b"a", pause=0.1, again=300),
        bytes_of(b"HTTP/1.1 302 Found\r\nLocation: \xff\r\n\r\n"),
        bytes_of(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 30_000_000),
        bytes_of(b"HTTP/1.1 403 \x1b[31m\x9b2J<{%fg 1%}>\r\nContent-Length: 6\r\n\r\ncanary"),
        bytes_of(OK + b'\r\n{"value": "canary\\r\\nX: y"}'),
        bytes_of(OK + b'\r\n{"value": {"canary": 1}}'),
        bytes_of(OK + b"\r\n" + b"[" * 100_000),
        bytes_of(b"canary\r\n\r\n"),
        bytes_of(b""),
    ],
    ids=[
        *("too much", "bomb", "encodings", "head drips", "body drips", "to nowhere", "large redirect", "paint"),
        *("not one word", "no text", "nests", "no HTTP", "nothing"),
    ],
)
@pytest.mark.usefixtures("no_collection")
def test_whatever_gives_assertions_may_answer(
    server: Callable[[Say], Server], monkeypatch: pytest.MonkeyPatch, say: Say
) -> None:
    monkeypatch.setattr(_azure, "_READ", 0.5)
    asked = server(say)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failing({**APP, "oidcRequestUrl": f"{asked.url}/token", "oidcRequestToken": "canary-job"})
    assert time.monotonic() - began < 12
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"
    assert len(asked.asked) == 1


@pytest.mark.parametrize("kind", ["huge", "deep", "redirect", "truncated"])
@pytest.mark.parametrize("path", ["*/oauth2/v2.0/token", "*/openid-configuration", "/common/discovery/instance"])
@pytest.mark.usefixtures("no_collection")
def test_whatever_entra_may_answer(simulator: Simulator, kind: str, path: str) -> None:
    simulator.entra.add(CLIENT, secrets={"canary-secret": None})
    simulator.faults.add(Fault.model_validate({"kind": kind, "path": path}))
    configuration = {**APP, "clientSecret": "canary-secret"}
    if path.startswith("/common"):  # asked only for a host that MSAL does not know by itself
        configuration["authorityHost"] = simulator.url
    failing(configuration)


def test_what_is_on_this_machine_is_asked_without_a_proxy(
    simulator: Simulator, server: Callable[[Say], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine's identity answers no proxy, and what it says, in clear, is for nobody else."""
    proxy = server(bytes_of(b"HTTP/1.1 407 No\r\n\r\n"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", simulator.entra.identity_header)
    simulator.entra.add("system's", managed=True, system_assigned=True)
    assert TokenSource({"useMsi": "true"}.get, {}).token(PORTAL)
    assert proxy.asked == []
    simulator.entra.add(CLIENT, secrets={"canary-secret": None})
    assert failing({**APP, "clientSecret": "canary-secret"}).transient
    assert proxy.asked[0].startswith(b"CONNECT login.microsoftonline.com:443")


def test_a_companys_ca_counts_for_signing_in_too(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulator.entra.add(CLIENT, secrets={"canary-secret": None})
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    configuration = {**APP, "clientSecret": "canary-secret"}
    failure = failing(configuration)
    assert "login.microsoftonline.com could not be reached: certificate verify failed" in failure.what
    assert "REQUESTS_CA_BUNDLE" in failure.next_step
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert TokenSource(configuration.get, {}).token(PORTAL)
    (tmp_path / "none.pem").write_text("no certificate")
    for wrong in (tmp_path / "nowhere.pem", tmp_path / "none.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(wrong))
        failure = failing(configuration)
        assert f"login.microsoftonline.com could not be reached: SSL_CERT_FILE names '{wrong}', which" in failure.what
        assert "Set it to a PEM file" in failure.next_step
        assert not failure.transient


@pytest.mark.parametrize(
    ("proxy", "said", "transient"),
    [
        ("foo://x", "HTTPS_PROXY is not the address of a proxy", False),
        ("http://user:pw-canary@host:port", "HTTPS_PROXY is not the address of a proxy", False),
        ("socks5://127.0.0.1:9", "HTTPS_PROXY names a SOCKS proxy, which needs the package PySocks", False),
        ("http://user:pw-canary@127.0.0.1:9", "the proxy at 127.0.0.1:9 (HTTPS_PROXY) does not let it through", True),
    ],
)
def test_a_proxy_that_hinders_signing_in_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: str, said: str, transient: bool
) -> None:
    """A setting that is wrong does not pass; a proxy that is down may."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    failure = failing({**APP, "clientSecret": "canary-secret"})
    assert f"login.microsoftonline.com could not be reached: {said}" in failure.what
    assert "HTTPS_PROXY" in failure.next_step
    assert "passes by itself" not in str(failure)
    assert failure.transient is transient


def test_an_authority_that_is_none_or_no_sign_in_service_is_named(simulator: Simulator) -> None:
    configuration = {**APP, "clientSecret": "canary-secret", "disableInstanceDiscovery": "true"}
    failure = failing({**configuration, "authorityHost": "http://login.example"})
    assert "authorityHost is no address that begins with https://" in failure.what
    simulator.faults.add(Fault.model_validate({"kind": "malformed", "path": "*/openid-configuration"}))
    failure = failing(configuration)
    assert "what login.microsoftonline.com answered is not what a sign-in service answers" in failure.what


def test_an_address_that_would_draw_on_the_terminal_is_not_shown_as_it_is() -> None:
    application = {**APP, "clientSecret": "canary-secret", "disableInstanceDiscovery": "true"}
    failing({**application, "authorityHost": "\U0005cdc5\U000a726a.example"})


@pytest.mark.parametrize("token", [{"a": 1}, ["a"], 7, True])
def test_what_stands_in_the_place_of_a_token_must_be_text(token: object) -> None:
    with pytest.raises(SignInFailed, match="is not one word of plain characters"):
        sendable(token, "managed identity")  # type: ignore[arg-type]


def test_entras_token_must_be_text(monkeypatch: pytest.MonkeyPatch, server: Callable[[Say], Server]) -> None:
    body = json.dumps({"token_type": "Bearer", "expires_in": 3600, "access_token": {"canary": 1}}).encode()
    machine = server(bytes_of(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    failing({"useMsi": "true"})
