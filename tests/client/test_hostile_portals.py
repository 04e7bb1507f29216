"""What a hostile portal, proxy or machine may answer: an error in words, in time, and the token goes nowhere else."""

from __future__ import annotations

import gzip
import html
import io
import json
import logging
import os
import re
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    NotFound,
    NotSent,
    Overloaded,
    PublishingError,
    Unanswered,
    Unreadable,
    UntrustedAddress,
)
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.publishing import OfferKey, Status
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.transport import Answer, Connections, Transport, path_on
from simulator import Simulator
from tests.client.hostile import Say, Server, bytes_of, tunnel

TOKEN = "canary-token"
OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"  # a server that closes unsaid is asked too late
FOUND = b"HTTP/1.1 302 Found\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TIMEOUT = 0.5
LARGE = b"x" * 30_000_000


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name in (
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(say: Say, tls: tuple[Path, Path] | None = None) -> Server:
        made.append(Server(say, tls=tls))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def client() -> Iterator[Callable[..., Transport]]:
    made: list[Connections] = []

    def make(endpoint: str) -> Transport:
        made.append(Connections(timeout=TIMEOUT, cancelled=threading.Event, user_agent="OfferGoLive/test"))
        return Transport(made[-1], title="The portal", endpoint=endpoint, token=lambda _: TOKEN)

    yield make
    for each in made:
        each.close()


# What is no answer, or no whole one

NO_ANSWERS = {
    "no HTTP": bytes_of(b"hello, here is a poem\r\n\r\n"),
    "nothing": bytes_of(b""),
    "a status that is none": bytes_of(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a status beyond all": bytes_of(b"HTTP/1.1 1000 OK\r\n\r\n"),
    "another protocol": bytes_of(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "a thousand headers": bytes_of(OK + b"X: 1\r\n" * 1000 + b"\r\n"),
    "a header without end": bytes_of(OK + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"),
    "two lengths": bytes_of(OK + b"Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}"),
    "continue, continue, ...": bytes_of(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02, again=200),
    "continue at full speed": bytes_of(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, again=200),
    "a head that drips": bytes_of(OK, b"X", pause=0.1, again=300),
    "headers that drip": bytes_of(OK, b"X: 1\r\n", pause=0.1, again=300),
}
BROKEN_BODIES = {
    "a length that is negative": bytes_of(OK + b"Content-Length: -5\r\n\r\nhello"),
    "a length beyond all": bytes_of(OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello"),
    "no chunk": bytes_of(CHUNKED + b"zz\r\n"),
    "a negative chunk": bytes_of(CHUNKED + b"-5\r\nhello"),
    "a chunk beyond all": bytes_of(CHUNKED + b"ffffffffffffffff\r\n" + LARGE),
    "an extension without end": bytes_of(CHUNKED + b"5;" + LARGE + b"\r\nhello"),
    "too much": bytes_of(OK + b"\r\n" + LARGE),
    "a bomb": bytes_of(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 50_000_000)),
    "two encodings": bytes_of(OK + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n{}"),
    "a body that drips": bytes_of(OK + b"Content-Length: 100000\r\n\r\n", b"a", pause=0.1, again=300),
    "chunks that drip": bytes_of(CHUNKED, b"1\r\na\r\n", pause=0.1, again=300),
    "a chunk's length that drips": bytes_of(CHUNKED, b"0", pause=0.1, again=300),
    "no end": bytes_of(OK + b"\r\n", b"a", pause=0.1, again=300),
    "no JSON": bytes_of(OK + b"\r\n{'a': 1}"),
    "no number": bytes_of(OK + b"\r\n[NaN]"),
    "a number beyond all": bytes_of(OK + b"\r\n[" + b"9" * 100_000 + b"]"),
    "no text": bytes_of(OK + b"\r\n\xff\xfe\x00"),
    "a million objects": bytes_of(OK + b"\r\n[" + b"{}," * 1_000_000 + b"{}]"),
    "a million members": bytes_of(OK + b"\r\n{" + b'"a":1,' * 600_000 + b'"b":1}'),
    "nests": bytes_of(OK + b"\r\n" + b'{"a":' * 100_000),
}
REDIRECTS = {
    "nowhere": bytes_of(FOUND + b"\r\n"),
    "to another host": bytes_of(FOUND + b"Location: https://attacker.example/\r\nContent-Length: 0\r\n\r\n"),
    "to what is no text": bytes_of(FOUND + b"Location: \xff\xfe\r\nContent-Length: 0\r\n\r\n"),
    "to what is no address": bytes_of(FOUND + b"Location: http://[\r\nContent-Length: 0\r\n\r\n"),
    "with a body without end": bytes_of(FOUND + b"Location: /x\r\nContent-Length: 30000000\r\n\r\n" + LARGE),
    "with a bomb": bytes_of(
        FOUND + b"Location: /x\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 50_000_000)
    ),
    "in a circle": bytes_of(FOUND + b"Location: /x\r\nContent-Length: 0\r\n\r\n"),
    "for good": bytes_of(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://attacker.example/\r\n\r\n"),
    "unchanged": bytes_of(b"HTTP/1.1 304 Not Modified\r\nLocation: https://attacker.example/\r\n\r\n"),
}


def in_time(started: float) -> bool:
    return time.monotonic() - started < 2 * TIMEOUT + 10.0  # the rest is for a busy machine


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("say", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_leaves_unknown_what_was_done(
    server: Callable[..., Server], client: Callable[..., Transport], say: Say, method: str
) -> None:
    portal = server(say)
    began = time.monotonic()
    with pytest.raises(Unanswered) as told:
        getattr(client(portal.url), method)("/x", doing="ask")
    assert in_time(began)
    assert type(told.value) is Unanswered
    assert len(portal.asked) == 1, "never simply sent again"


def test_an_accepted_go_live_whose_answer_is_garbled_on_the_way_is_not_submitted_again(
    simulator: Simulator, rule: Callable[..., tuple[GoingLive, Clock]], server: Callable[..., Server]
) -> None:
    """It was, when "two lengths" counted as "never sent"."""
    simulator.add_offer("contoso", "vm", preview=7, mode="at once")

    def garble(client: socket.socket) -> None:
        asked = between.asked[-1]
        with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as portal:
            portal.sendall(asked.replace(b"Connection: keep-alive", b"Connection: close"))
            said = b""
            while piece := portal.recv(65536):
                said += piece
        two_lengths = b"\r\nContent-Length: 1\r\nContent-Length: 2\r\nX:"
        client.sendall(said.replace(b"\r\n", two_lengths, 1) if asked.startswith(b"POST") else said)

    between = server(garble)
    going_live, clock = rule(AZUREMARKETPLACE_ENDPOINT=between.url)
    launch = going_live.bring_about(Request(OfferKey("contoso", "vm")), None, deadline=clock.monotonic() + 30)
    assert launch.status is Status.SUCCEEDED
    assert sum(asked.startswith(b"POST") for asked in between.asked) == 1
    assert simulator.world.accepted_golives("contoso", "vm") == 1


@pytest.mark.parametrize("say", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_a_body_that_cannot_be_taken_in_takes_nothing_of_the_status_back(
    server: Callable[..., Server], client: Callable[..., Transport], say: Say
) -> None:
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = client(server(say).url).post("/x", doing="ask")
    assert answer.status == 200
    if answer.body == b"hello":
        return  # a negative length counts as none
    with pytest.raises(Unreadable) as told:
        answer.json()
    assert in_time(began)
    assert len(str(told.value)) < 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("say", REDIRECTS.values(), ids=REDIRECTS)
def test_no_redirect_is_followed_or_taken_in(
    server: Callable[..., Server], client: Callable[..., Transport], say: Say, method: str
) -> None:
    portal = server(say)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UntrustedAddress, match="not followed: the token goes to the configured endpoint only"):
        getattr(client(portal.url), method)("/x", doing="ask")
    assert len(portal.asked) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"


def test_an_unasked_change_of_protocol_says_nothing_of_what_was_done(
    server: Callable[..., Server], client: Callable[..., Transport]
) -> None:
    with pytest.raises(Overloaded):
        client(server(bytes_of(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")).url).post("/x", doing="ask")


def test_a_cookie_is_neither_kept_nor_sent(server: Callable[..., Server], client: Callable[..., Transport]) -> None:
    cookies = b"Set-Cookie: a=b\r\nSet-Cookie: \xff=; expires=\xff; domain=\xff; path=\r\n"
    portal = server(bytes_of(OK + cookies + b"Content-Length: 2\r\n\r\n{}"))
    transport = client(portal.url)
    for _ in range(2):
        transport.get("/x", doing="ask")
    assert not any(b"cookie" in asked.lower() for asked in portal.asked)


# What is shown

HOSTILE_TEXT = (
    "\x1b[31mred\x1b[0m \x1b]8;;https://attacker.example\x07link\x1b]8;;\x07 \x1b]0;title\x07\x9b2J\x90dcs\x9c"
    "\u202egnp.exe\u2066\u200b <{%fg 1%}>pulumi<{%reset%}> <b>bold</b> &#27;[1m &lt;{%underline%}&gt; "
    "line\r\nbreak\x00\x07\x08 \ud800 <![ <!-- " + "w" * 5000
)


def harmless(text: str) -> bool:
    return text.isprintable() and not any(mark in text for mark in ("<{%", "\u202e", "\u2066", "\u200b", "<b>"))


def test_a_refusal_shows_nothing_that_could_draw(
    server: Callable[..., Server], client: Callable[..., Transport]
) -> None:
    raw = HOSTILE_TEXT.replace("\r\n", " ").encode("latin-1", "ignore")[:3000]
    body = json.dumps({"error": {"code": HOSTILE_TEXT, "message": HOSTILE_TEXT}}).encode()
    head = b"HTTP/1.1 404 " + raw[:200] + b"\r\nX-Ms-Correlation-Request-Id: " + raw + b"\r\nRetry-After: " + raw
    portal = server(bytes_of(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
    with pytest.raises(NotFound) as told:
        client(portal.url).get("/x", doing="ask")
    assert harmless(str(told.value)), ascii(str(told.value))
    assert len(str(told.value)) < 1000
    assert "red link" in str(told.value)


def test_a_server_that_quotes_what_it_was_sent_is_not_quoted(
    server: Callable[..., Server], client: Callable[..., Transport]
) -> None:
    quote = f"You sent: Bearer {TOKEN}"
    body = json.dumps({"error": {"message": quote}}).encode()
    head = f"HTTP/1.1 401 {quote}\r\nX-Echo: {quote}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with pytest.raises(PublishingError) as told:
        client(server(bytes_of(head + body)).url).get("/x", doing="ask")
    assert "You sent: Bearer ***" in str(told.value)
    assert TOKEN not in str(told.value)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "of an address": lambda text: "".join(f"%{ord(each):02X}" for each in text),
    "of an address, twice": lambda text: "".join(f"%25{ord(each):02x}" for each in text),
    "of an address in part": lambda text: text[:3] + f"%{ord(text[3]):02x}" + text[4:],
    "of an address at its end": lambda text: text[:-1] + f"%{ord(text[-1]):02x}",
    "of a page": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "of a page, in hex": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
}


@pytest.mark.parametrize("token", [TOKEN, "eyJ0eXAiOiJKV1QiLCJhbGciOi." + "c4n-aRy_" * 200], ids=["short", "long"])
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_token_that_is_quoted_in_another_spelling_is_not_quoted_on(
    server: Callable[..., Server], spell: Callable[[str], str], token: str
) -> None:
    """In an address it would be kept in the state, in words it would be shown."""
    quoted = spell(token)
    address = f"https://attacker.example/{quoted}/x?y={quoted}"
    body = json.dumps({"message": f"<p>You sent {quoted}!</p>", "nextLink": address}).encode()
    head = f"Location: {address}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    connections = Connections(timeout=TIMEOUT, cancelled=threading.Event, user_agent="OfferGoLive/test")

    def asked(status: bytes) -> Answer:
        endpoint = server(bytes_of(b"HTTP/1.1 " + status + b"\r\n" + head + body)).url
        return Transport(connections, title="The portal", endpoint=endpoint, token=lambda _: token).get("/x", doing="x")

    told = []
    for status in (b"302 Found", b"403 No"):
        with pytest.raises(PublishingError) as refused:
            asked(status)
        told.append(str(refused.value))
    answer = asked(b"200 OK")
    for address in (answer.headers["Location"], answer.json()["nextLink"]):
        with pytest.raises(UntrustedAddress) as elsewhere:
            path_on("https://portal.example", address, title="It")
        told.append(str(elsewhere.value))
        told.append(path_on("https://attacker.example", address, title="It"))
    connections.close()
    assert "You sent ***!" in told[1]
    for text in told:
        shown = html.unescape(html.unescape(unquote(unquote(text))))
        assert not any(part in shown for part in (token, token[:12], token[-12:])), text


# Where the token goes

OTHER_PLACES = [
    "https://attacker.example/api/x",
    "//attacker.example/api/x",
    "https://portal.example.attacker.example/api/x",
    "https://portal.example@attacker.example/api/x",
    "https://attacker.example#@portal.example/api/x",
    "https://attacker.example\\@portal.example/api/x",
    "https:\\\\attacker.example/api/x",
    "https:attacker.example/api/x",
    "https:///attacker.example/api/x",
    "https://portal.example:8443/api/x",
    "https://portal.example:443@attacker.example/api/x",
    "https://user:pass@portal.example/api/x",
    "https://portal.example./api/x",
    "https://portal.example%2eattacker.example/api/x",
    "https://portal.example%00.attacker.example/api/x",
    "https://portal\u3002example/api/x",
    "https://p\u043ertal.example/api/x",
    "https://[::1]/api/x",
    "https://2130706433/api/x",
    "ftp://portal.example/api/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://portal.example/api/../x",
    "https://portal.example/api/%2e%2e/x",
    "https://portal.example/api/%2E./x",
    "https://portal.example/api/..%2fx",
    "https://portal.example/api/..%5cx",
    "https://portal.example/api/./x",
    "../x",
    "/..",
    "/api/\r\nHost: attacker.example",
    "/api/\tx",
    "/api\\..\\x",
    "https://",
    "//",
    "/",
    "",
    "?x=y",
    "/" + "a" * 5000,
]


@pytest.mark.parametrize("address", OTHER_PLACES, ids=lambda address: ascii(address[:40]))
def test_an_address_that_leads_elsewhere_is_refused_by_name(address: str) -> None:
    with pytest.raises(UntrustedAddress) as told:
        path_on("https://portal.example", address, title="The portal")
    assert harmless(str(told.value))


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/api/x?y=z", "/api/x?y=z"),
        ("api/x", "/api/x"),
        ("https://portal.example/api/x", "/api/x"),
        ("http://portal.example/api/x", "/api/x"),
        ("HTTPS://PORTAL.example:443/api/x#part", "/api/x"),
        ("//portal.example/api/a%2520b", "/api/a%2520b"),
        ("/api//attacker.example/x", "/api//attacker.example/x"),
        ("/api/@attacker.example", "/api/@attacker.example"),
    ],
)
def test_the_endpoints_own_addresses_become_a_path_on_it(address: str, path: str) -> None:
    assert path_on("https://portal.example", address, title="The portal") == path


@pytest.mark.parametrize("address", ["v1.0/ingestion/products?x", "/v1.0/ingestion/products?x", "products?x"])
@pytest.mark.parametrize(
    "endpoint", ["https://portal.example/v1.0/ingestion", "https://gate.example/ms/v1.0/ingestion"]
)
def test_an_endpoints_own_path_is_not_doubled_behind_a_gateway_either(endpoint: str, address: str) -> None:
    """Partner Center names its next pages relative to the host [O], and knows nothing of what a gateway puts before."""
    assert path_on(endpoint, address, title="The portal", what="the next page of a list") == "/products?x"


def test_an_operations_address_keeps_what_a_gateways_path_ends_in_too() -> None:
    assert path_on("https://gate.example/api", "/api/x", title="The portal") == "/x"
    assert path_on("https://gate.example/portal/api", "/api/x", title="The portal") == "/api/x"


@pytest.mark.parametrize(
    "path",
    ["/a/../b", "/a/%2e%2e/b", "/a/%2E/b", "/a%2f..%2fb", "/a\\b", "/a b", "/a\nb", "/a#b", "a", "@evil.example"],
)
def test_a_path_that_climbs_is_not_asked_for_wherever_it_comes_from(
    server: Callable[..., Server], client: Callable[..., Transport], path: str
) -> None:
    portal = server(bytes_of(EMPTY))
    with pytest.raises(UntrustedAddress):
        client(portal.url).get(path, doing="ask")
    assert portal.asked == []


def test_a_path_arrives_as_it_was_meant(server: Callable[..., Server], client: Callable[..., Transport]) -> None:
    portal = server(bytes_of(EMPTY))
    client(portal.url).get("/a%252e%252e/b$c?d=%2e%2e&e=../f", doing="ask")
    assert portal.asked[0].split(b" ")[1] == b"/a%252e%252e/b$c?d=..&e=../f"


def test_a_netrc_for_the_portals_host_changes_nothing(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in (tmp_path / ".netrc", tmp_path / "other"):
        path.write_text("machine 127.0.0.1 login canary password netrc\ndefault login canary password netrc\n")
        path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "other"))
    portal = server(bytes_of(EMPTY))
    transport = client(portal.url)
    transport.get("/x", doing="ask")
    transport.post("/x", doing="ask", body={})
    headers = [line for asked in portal.asked for line in asked.split(b"\r\n") if line.startswith(b"Authorization")]
    assert headers == [f"Authorization: Bearer {TOKEN}".encode()] * 2


# Proxies and certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    issued = authority.issue_cert("127.0.0.1", "portal.example")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_companys_ca_is_taken_from_the_usual_variables(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    tls: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    portal = server(bytes_of(EMPTY), tls)
    with pytest.raises(NotSent, match="certificate verify failed"):
        client(portal.url).post("/x", doing="ask")
    assert portal.asked == [], "nothing is sent to whom nobody vouches for"
    monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    assert client(portal.url).post("/x", doing="ask").status == 200
    for wrong, said in (("nowhere.pem", "which does not exist"), ("none.pem", "which holds no certificate")):
        (tmp_path / "none.pem").write_text("no certificate")
        monkeypatch.setenv(name, str(tmp_path / wrong))
        with pytest.raises(NotSent) as told:
            client(portal.url).post("/x", doing="ask")
        assert f"{name} names '{tmp_path / wrong}', {said}" in str(told.value)
        assert "or unset it" in told.value.next_step


def test_a_companys_ca_is_taken_from_one_of_several_folders_too(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    tls: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As OpenSSL reads SSL_CERT_DIR."""
    portal = server(bytes_of(EMPTY), tls)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    folders = f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}"
    for value in (str(tmp_path / "one"), folders):
        monkeypatch.setenv("SSL_CERT_DIR", value)
        with pytest.raises(NotSent, match="where no certificate has its hashed name"):
            client(portal.url).post("/x", doing="ask")
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(tmp_path / "ca.pem")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError:
        pytest.skip("there is no openssl here, which names certificates by their hash")
    (tmp_path / "two" / f"{done.stdout.strip()}.0").write_bytes((tmp_path / "ca.pem").read_bytes())
    assert client(portal.url).post("/x", doing="ask").status == 200
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "one"))
    with pytest.raises(NotSent):
        client(portal.url).post("/x", doing="ask")


def test_a_name_that_nobody_knows_and_a_server_without_tls_are_told_apart(
    server: Callable[..., Server], client: Callable[..., Transport]
) -> None:
    with pytest.raises(NotSent) as told:
        client("https://portal.invalid").get("/x", doing="ask")
    assert "set HTTPS_PROXY" in told.value.next_step
    with pytest.raises(NotSent) as told:
        client(f"https://127.0.0.1:{server(bytes_of(b'no TLS')).port}").get("/x", doing="ask")
    assert "_ssl.c" not in str(told.value)


def test_a_certificate_for_another_host_is_refused(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    authority: trustme.CA,
    tls: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.issue_cert("other.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    portal = server(bytes_of(EMPTY), (tmp_path / "other.pem", tmp_path / "other.pem"))
    with pytest.raises(NotSent, match="IP address mismatch"):
        client(portal.url).get("/x", doing="ask")
    assert portal.asked == []


def test_a_slow_answer_ends_over_tls_too(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    tls: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    portal = server(bytes_of(OK, b"X: 1\r\n", pause=0.1, again=300), tls)
    began = time.monotonic()
    with pytest.raises(Unanswered):
        client(portal.url).get("/x", doing="ask")
    assert in_time(began)


def test_a_proxy_of_the_environment_is_used_and_sees_no_token(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    tls: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portal = server(bytes_of(EMPTY), tls)
    proxy = server(tunnel(portal.port))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxy-password@127.0.0.1:{proxy.port}")
    assert client("https://portal.example").post("/x", doing="ask").status == 200
    assert TOKEN.encode() in portal.asked[0]
    assert proxy.asked[0].startswith(b"CONNECT portal.example:443")
    assert TOKEN.encode() not in b"".join(proxy.asked)
    assert b"proxy-authorization" not in portal.asked[0].lower()


REFUSING_PROXIES = {
    "407": bytes_of(b"HTTP/1.1 407 \x1b[31mPay\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"),
    "redirect": bytes_of(FOUND + b"Location: https://attacker.example/\r\nContent-Length: 0\r\n\r\n"),
    "garbage": bytes_of(b"\x00\x01\x02 garbage\r\n\r\n"),
    "nothing": bytes_of(b""),
    "a page": bytes_of(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<b>hello</b>"),
    "headers without end": bytes_of(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n" * 10_000, again=1000),
    "headers that drip": bytes_of(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n", pause=0.1, again=300),
    "silence": bytes_of(b"", b"", pause=20.0),
}


@pytest.mark.parametrize("say", REFUSING_PROXIES.values(), ids=REFUSING_PROXIES)
def test_a_proxy_that_does_not_let_through_is_told_and_nothing_was_sent(
    server: Callable[..., Server],
    client: Callable[..., Transport],
    monkeypatch: pytest.MonkeyPatch,
    say: Say,
) -> None:
    proxy = server(say)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxy-password@127.0.0.1:{proxy.port}")
    began = time.monotonic()
    with pytest.raises(NotSent) as told:
        client("https://portal.example").post("/x", doing="ask")
    assert in_time(began)
    assert f"could not be reached at portal.example to ask: the proxy at 127.0.0.1:{proxy.port} (HTTPS_PROXY)" in str(
        told.value
    )
    assert re.search("HTTPS_PROXY|NO_PROXY", told.value.next_step)
    assert "proxy-password" not in str(told.value)
    assert harmless(str(told.value))
    assert TOKEN.encode() not in b"".join(proxy.asked)


@pytest.mark.parametrize(
    "proxy", ["http://u:pw-canary@host:port", "socks5://127.0.0.1:9", "gopher://x", "http://", "x y"]
)
def test_a_proxy_that_is_none_is_told_and_nothing_was_sent(
    client: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(NotSent) as told:
        client("https://portal.example").post("/x", doing="ask")
    assert "pw-canary" not in str(told.value)
    assert "HTTPS_PROXY is not the address of a proxy" in str(told.value) or (
        proxy.startswith("socks")
        and "HTTPS_PROXY names a SOCKS proxy, which needs the package PySocks" in str(told.value)
    )
    assert "HTTPS_PROXY" in told.value.next_step
    assert told.value.lasting, "nobody need wait for it to mend itself"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_what_stays_on_this_machine_in_clear_goes_to_no_proxy(
    server: Callable[..., Server], client: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    portal, proxy = server(bytes_of(EMPTY)), server(bytes_of(EMPTY))
    monkeypatch.setenv(name, proxy.url)
    assert client(portal.url).get("/x", doing="ask").status == 200
    assert proxy.asked == []


# What an error holds


@pytest.mark.parametrize(
    "say",
    [bytes_of(b"HTTP/1.1 401 No\r\n\r\n"), bytes_of(b"HTTP/1.1 500 No\r\n\r\n"), bytes_of(b"")],
    ids=["401", "500", "none"],
)
def test_an_error_holds_no_token_nor_does_anything_that_it_was_raised_through(
    server: Callable[..., Server], client: Callable[..., Transport], say: Say
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    levels = {name: logging.getLogger(name).level for name in ("", "urllib3", "urllib3.connectionpool", "requests")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.root.addHandler(handler)
    transport = client(server(say).url)
    try:
        with pytest.raises(PublishingError) as told:
            transport.post("/x", doing="ask")
    finally:
        logging.root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    shown = [stream.getvalue(), repr(transport), repr(vars(transport)), repr(vars(told.value))]
    error: BaseException | None = told.value
    while error is not None:
        shown += [str(error), repr(error), repr(error.args)]
        trace = error.__traceback__
        while trace is not None:
            if __file__ not in trace.tb_frame.f_code.co_filename:
                shown += [repr(value) for value in trace.tb_frame.f_locals.values()]
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    assert "POST /x" in stream.getvalue() or type(told.value) is Unanswered, "urllib3 logs here"
    assert not any(TOKEN in text for text in shown)
