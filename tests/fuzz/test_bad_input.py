"""Whatever comes from outside leads to an answer or to an error of `errors.py`, which is fit to be shown.

`make fuzz` drives these same properties with coverage, for as long as one likes; docs/bad-input.md has the figures.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import pkgutil
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any
from unittest.mock import patch

import urllib3.util
from hypothesis import given
from hypothesis import strategies as st

from providers.azure_marketplace import apis
from providers.azure_marketplace.bounds import BoundedSession
from providers.azure_marketplace.credentials import TokenSource, _azure
from providers.azure_marketplace.credentials._choice import _NAMED_BY, _VARIABLES, Sources, choose
from providers.azure_marketplace.credentials._failures import explain
from providers.azure_marketplace.errors import InvalidInput, OfferGoLiveError, SignInFailed, UntrustedAddress
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.inputs import INPUT_NAMES, failures_of, normalised
from providers.azure_marketplace.launch import OUTPUT_NAMES, Launch, instant
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.progress import line
from providers.azure_marketplace.publishing import OfferKey, Slot
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.settings import KEYS, environment_name, read_settings
from providers.azure_marketplace.text import plain
from providers.azure_marketplace.tolerant import Said
from providers.azure_marketplace.transport import path_on
from tests.fuzz.canned import HOST, CannedAdapter, answers, examples, harmless, said, texts, transport
from tests.unit.worlds import FakeClock
from tests.unit.worlds import Told as Observed

OFFER = OfferKey("contoso", "vm")
MODULES = [importlib.import_module(f"{apis.__name__}.{each.name}") for each in pkgutil.iter_modules(apis.__path__)]
CLIENTS: list[Any] = [
    value
    for module in MODULES
    for value in vars(module).values()
    if hasattr(value, "submit") and value.__module__ == module.__name__
]
MEMBERS = sorted(
    {
        field.alias or name
        for module in MODULES
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Said)
        for name, field in model.model_fields.items()
    }
)
"""Whatever a client reads of an answer."""
GUID = "aaaaaaaa-0000-0000-0000-000000000001"
OPERATIONS = ["1", "contoso$vm$1$preview", "/x?y=z", "products/1/submissions/2", "submission/1/2", "submission/1/2#3"]
WORDS = [
    *("not started", "running", "completed", "failed", "canceled", "goLive", "publish", "production", "staging"),
    *("notStarted", "inProgress", "succeeded", "live", "preview", "draft"),
    *("InProgress", "Published", "ReadyToPublish", "Publishing", "PreProcess", "Certification", "Failed"),
]
DATES = st.sampled_from(
    ["2026-11-26T10:00:00.1234567Z", "2026-11-26T10:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01"]
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"messageHtml": texts(), "level": st.sampled_from(["error", "x"]), "timestamp": DATES}
    ),
    max_size=3,
)
LINKS = st.lists(st.fixed_dictionaries({}, optional={"displayText": texts(), "uri": texts()}), max_size=3)
STEPS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": texts(),
            "stepName": texts(),
            "status": st.one_of(st.sampled_from(WORDS), texts()),
            "estimatedTimeFrame": texts(),
            "progressPercentage": st.one_of(st.integers(-(10**400), 10**400), st.floats()),
            "messages": MESSAGES,
        },
    ),
    max_size=3,
)
SPOKEN: dict[str, st.SearchStrategy[Any]] = {
    **{member: st.one_of(texts(), st.integers(), st.lists(texts(), max_size=2)) for member in MEMBERS},
    **dict.fromkeys(
        ("status", "result", "state", "substate", "jobStatus", "jobResult"), st.one_of(st.sampled_from(WORDS), texts())
    ),
    "submissionState": st.sampled_from(WORDS),
    "submissionType": st.sampled_from(WORDS),
    "slot": st.sampled_from(WORDS),
    "id": st.one_of(
        st.sampled_from(["1", "2", "contoso$vm$1$preview", f"product/{GUID}", f"submission/{GUID}/2"]),
        texts(),
        texts().map(lambda text: f"submission/{text}/7"),
    ),
    "target": st.fixed_dictionaries({"targetType": st.sampled_from(["live", "preview"])}),
    "version": st.one_of(st.integers(), st.sampled_from([7, "7", 7.0, 10**400]), texts()),
    "offerVersion": st.one_of(st.integers(), texts()),
    "changedTime": st.one_of(DATES, texts()),
    "messages": MESSAGES,
    "steps": STEPS,
    "liveLinks": LINKS,
    "previewLinks": LINKS,
    "error": st.fixed_dictionaries({}, optional={"code": texts(), "message": texts(), "details": MESSAGES}),
}
ENTRY = st.fixed_dictionaries({}, optional=SPOKEN)
NEXT = st.one_of(texts(), st.sampled_from([f"{HOST}/x?page=2", "/x?page=3", "https://attacker.example/x"]))
PORTAL = st.one_of(
    said({**SPOKEN, "value": st.lists(ENTRY, max_size=3)}),
    st.fixed_dictionaries({"value": st.lists(ENTRY, max_size=3)}, optional={"nextLink": NEXT, "@nextLink": NEXT}),
)
ANSWERS = answers(PORTAL)


def fit(value: Any) -> bool:
    """Whether all of what a client made of an answer can be shown and stored."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, dict):
        return all(fit(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return all(fit(each) for each in value)
    return value is None or isinstance(value, (bool, int, float, datetime, Enum))


def told_well(error: OfferGoLiveError, longest: int = 5000) -> None:
    assert harmless(str(error), longest), ascii(str(error))
    assert "canary" not in str(error) + repr(error)


LOOKED_UP = {
    "/product?": {"value": [{"id": f"product/{GUID}", "type": "x", "identity": {"externalId": "vm"}}]},
    "/products?": {"value": [{"id": GUID, "externalIDs": [{"type": "AzureOfferId", "value": "vm"}]}]},
}


def known_offer(address: str) -> bytes:
    """What finds the offer by its name, where an API must look it up first; else nothing."""
    for part, found in LOOKED_UP.items():
        if part in address:
            body = json.dumps(found).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    return b""


def ask(client: Any, say: Callable[[], bytes], first: Callable[[str], bytes] = lambda _: b"") -> None:
    portal = client(transport(lambda _method, address: first(address) or say()))
    owned = [operation_id for operation_id in OPERATIONS if portal.owns(operation_id)]
    assert owned
    verbs: list[Callable[[], Any]] = [
        lambda: portal.offer_exists(OFFER),
        lambda: portal.preview(OFFER),
        lambda: portal.live(OFFER),
        lambda: portal.operations(OFFER),
        *(partial(portal.operation, OFFER, operation_id) for operation_id in owned),
        *(partial(portal.submit, OFFER, slot) for slot in (None, Slot(None), Slot("7"))),
        lambda: portal.submit(OFFER, portal.preview(OFFER)),
    ]
    for verb in verbs:
        try:
            answer = verb()
        except OfferGoLiveError as error:
            told_well(error)
            continue
        listed: list[Any] = answer if isinstance(answer, list) else [answer]
        for each in listed:
            known = each if each is None or isinstance(each, bool) else asdict(each)
            assert fit(known), ascii(known)
            if known and known is not True and "steps" in known:
                assert harmless(line(each, 12.0), 500)


@examples(300)
@given(client=st.sampled_from(CLIENTS), answer=ANSWERS)
def test_answers_of_the_portal(client: Any, answer: bytes) -> None:
    ask(client, lambda: answer)
    ask(client, lambda: answer, known_offer)


@examples(150)
@given(
    client=st.sampled_from(CLIENTS),
    text=texts(),
    slot=st.sampled_from(["live", "preview"]),
    status=st.sampled_from([200, 202]),
)
def test_ids_and_words_of_a_list(client: Any, text: str, slot: str, status: int) -> None:
    """Of the form that is read, but for the text in its midst."""
    entries = [
        {
            "id": identity,
            "target": {"targetType": slot},
            "targets": [{"type": "Scope", "value": slot}],
            "jobId": text,
            **dict.fromkeys(
                ("status", "result", "state", "substate", "submissionState", "jobStatus", "jobResult"), text
            ),
        }
        for identity in (text, f"submission/{text}/7", f"{text}/7", f"1{text}")
    ]
    for body in ({"value": entries}, entries, *entries):
        content = json.dumps(body).encode()
        ask(client, lambda said=content: b"HTTP/1.1 %d OK\r\n\r\n" % status + said, known_offer)  # type: ignore[misc]


@examples(300)
@given(client=st.sampled_from(CLIENTS), answer=st.binary(max_size=2000))
def test_bytes_that_need_not_be_an_answer(client: Any, answer: bytes) -> None:
    ask(client, lambda: answer)


@examples(200)
@given(
    client=st.sampled_from(CLIENTS), status=st.sampled_from([200, 202, 400, 404, 500]), body=st.binary(max_size=2000)
)
def test_bodies_that_need_not_be_json(client: Any, status: int, body: bytes) -> None:
    ask(client, lambda: b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)


@examples(100)
@given(
    client=st.sampled_from(CLIENTS),
    script=st.lists(ANSWERS, min_size=1, max_size=8),
    pin=st.sampled_from([None, "7"]),
    recorded=st.sampled_from([None, *OPERATIONS]),
    known=st.booleans(),
)
def test_a_launch_ends_whatever_is_answered(
    client: Any, script: list[bytes], pin: str | None, recorded: str | None, known: bool
) -> None:
    count, clock, seen = iter(range(10**9)), FakeClock(), Observed()
    posts = []

    def say(method: str, address: str) -> bytes:
        posts.append(method == "POST")
        assert len(posts) < 100_000, "it asks for ever"
        return (known and known_offer(address)) or script[next(count) % len(script)]

    rule = GoingLive(client(transport(say)), clock, seen, schedule=Schedule(5.0, 300.0))
    running = {"status": "running", "operation_id": recorded, "submitted_at": "2026-01-01T00:00:00Z"}
    launch = Launch.from_outputs(running) if recorded else None
    try:
        launch = rule.bring_about(Request(OFFER, pin), launch, deadline=clock.monotonic() + 12 * 3600.0)
        told = ""
    except OfferGoLiveError as error:
        launch, told = getattr(error, "launch", None), str(error)
    assert harmless(told, 8000), ascii(told)
    assert all(harmless(each, 8000) for each in [*seen.notes, *seen.warnings])
    assert clock.monotonic() < 13 * 3600.0
    if launch is not None:
        outputs = launch.to_outputs()
        assert fit(outputs)
        again = Launch.from_outputs(json.loads(json.dumps(outputs)))
        assert again is not None
        assert again.to_outputs() == outputs, "a state keeps whole seconds, and all else as it is"


@examples(300)
@given(text=st.one_of(texts(), st.text(max_size=3000)), longest=st.integers(1, 700))
def test_text_becomes_plain(text: str, longest: int) -> None:
    once = plain(text, longest=longest)
    assert harmless(once, longest)


@examples(300)
@given(address=st.one_of(texts(), st.from_regex(r"(https?:)?(//[a-z.@:%\[\]\\]{0,20})?/[ -~]{0,30}")))
def test_an_address_leads_to_the_endpoint_or_nowhere(address: str) -> None:
    try:
        path = path_on(f"{HOST}/base", address, title="The portal")
    except UntrustedAddress as error:
        told_well(error)
        return
    asked = urllib3.util.parse_url(f"{HOST}/base{path}")
    assert (asked.scheme, asked.host, asked.port, asked.auth) == ("https", "portal.example", None, None)
    assert (asked.path or "").startswith("/base/")


@examples(300)
@given(text=st.one_of(texts(), st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Zz-]{0,25}")))
def test_dates_are_dates_or_nothing(text: str) -> None:
    moment = instant(text)
    assert moment is None or moment.utcoffset() is not None


SETTINGS = st.dictionaries(
    st.sampled_from(KEYS),
    st.one_of(
        texts(),
        st.sampled_from(
            ["http://127.0.0.1", "https://x.example", "1", "1e400", "nan", "-0", "{}", '{"a": "b"}', "[" * 5000]
        ),
        st.from_regex(r"https?://[ -~]{0,40}"),
        st.dictionaries(texts(), st.one_of(texts(), st.none())).map(json.dumps),
    ),
)


def refused(error: InvalidInput) -> None:
    assert str(error).isprintable(), ascii(str(error))
    assert len(str(error)) < 800
    assert error.name in KEYS


@examples(300)
@given(configured=SETTINGS, environment=SETTINGS)
def test_settings_are_whole_or_refused_by_name(configured: dict[str, str], environment: dict[str, str]) -> None:
    variables = {environment_name(key): value for key, value in environment.items()}
    try:
        settings = read_settings(configured.get, variables)
    except InvalidInput as error:
        refused(error)
        return
    for endpoint in settings.endpoints.values():
        address = urllib3.util.parse_url(endpoint)
        assert (
            address.scheme == "https" or address.host in ("localhost", "[::1]") or str(address.host).startswith("127.")
        )
    for name, value in settings.extra_headers.items():
        assert (name + value).isascii()
        assert (name + value).isprintable()


JSON_LIKE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(), inner, max_size=3)),
    max_leaves=10,
)


@examples(300)
@given(values=st.dictionaries(st.one_of(st.sampled_from(INPUT_NAMES), texts()), JSON_LIKE, max_size=8))
def test_inputs_are_taken_or_named(values: dict[str, Any]) -> None:
    failures = failures_of(values)
    assert all(len(why) < 400 for _, why in failures)
    if not failures:
        assert str(OfferKey(values["publisher_id"], values["offer_id"])).isascii()
        normalised(values)


@examples(200)
@given(outputs=st.dictionaries(st.sampled_from([*OUTPUT_NAMES, "x"]), JSON_LIKE))
def test_a_state_that_was_tampered_with_is_read_or_not(outputs: dict[str, Any]) -> None:
    Launch.from_outputs(outputs)
    Launch.from_outputs({**outputs, "status": "running"})


SIGN_IN_KEYS = sorted({*_VARIABLES, *(key for key, _ in _NAMED_BY)})
VARIABLES = sorted({name for names in _VARIABLES.values() for name in names})
VALUES = st.one_of(texts(), st.sampled_from(["true", "false", "https://[", "http://localhost", "a/b"]))


@examples(300)
@given(
    configured=st.dictionaries(st.sampled_from(SIGN_IN_KEYS), VALUES, max_size=6),
    environment=st.dictionaries(st.sampled_from(VARIABLES), VALUES, max_size=6),
)
def test_sign_in_keys_make_one_way_or_a_sentence(configured: dict[str, str], environment: dict[str, str]) -> None:
    try:
        way = choose(Sources(configured.get, environment), which=lambda _: None)
    except SignInFailed as error:
        told_well(error)
        return
    assert "canary" not in str(way) + repr(way)
    assert harmless(str(way))


LOGGED = logging.getLogger("providers.azure_marketplace")


def sign_in(answer: Callable[[str, str], bytes], configured: dict[str, str]) -> None:
    """For real, with azure-identity and MSAL, but for the sockets and the programs."""

    class Canned(BoundedSession):
        def __init__(self) -> None:
            super().__init__()
            for scheme in ("https://", "http://"):
                self.mount(scheme, CannedAdapter(answer, self))

    LOGGED.disabled = True
    try:
        with patch.object(_azure, "BoundedSession", Canned):
            token = TokenSource(configured.get, {}, cancelled=threading.Event).token("https://portal.example")
        assert token
        assert token.isascii()
    except SignInFailed as error:
        told_well(error)
    finally:
        LOGGED.disabled = False


APPLICATION = {"clientId": "aaaaaaaa-0000-0000-0000-000000000001", "tenantId": "aaaaaaaa-0000-0000-0000-00000000000f"}
ASSERTION = {"oidcRequestUrl": "https://ci.example/token", "oidcRequestToken": "canary-job"}
ENTRA = said(
    {
        "token_type": st.just("Bearer"),
        "access_token": st.one_of(st.just("token"), texts()),
        "expires_in": st.one_of(st.integers(), st.just(3600), texts()),
        "refresh_in": st.integers(),
        "error": st.one_of(st.sampled_from(["invalid_client", "invalid_grant"]), texts()),
        "error_description": st.one_of(texts().map(lambda text: f"AADSTS7000215: {text}"), texts()),
        "authorization_endpoint": st.sampled_from(["https://login.microsoftonline.com/x/authorize", "x"]),
        "token_endpoint": st.sampled_from(
            ["https://login.microsoftonline.com/x/token", "http://attacker.example", "x"]
        ),
        "issuer": st.sampled_from(["https://login.microsoftonline.com/x/v2.0", "x"]),
        "value": st.one_of(st.just("canary-assertion"), texts()),
        "tenant_discovery_endpoint": st.just("https://login.microsoftonline.com/x"),
        "metadata": st.lists(st.none()),
    }
)
WAYS = st.sampled_from(
    [
        {**APPLICATION, "clientSecret": "canary-secret"},
        {**APPLICATION, **ASSERTION},
        {**APPLICATION, **ASSERTION, "adoPipelineServiceConnectionId": "c"},
        {"useMsi": "true"},
    ]
)


@examples(60)
@given(script=st.lists(answers(ENTRA), min_size=1, max_size=4), way=WAYS)
def test_answers_of_the_sign_in_service(script: list[bytes], way: dict[str, str]) -> None:
    turn = iter(range(10**6))
    sign_in(lambda _method, _address: script[min(next(turn), len(script) - 1)], way)


@examples(60)
@given(values=st.dictionaries(st.sampled_from(SIGN_IN_KEYS), VALUES, max_size=6), named=WAYS)
def test_sign_in_with_values_that_are_none(values: dict[str, str], named: dict[str, str]) -> None:
    configured = {key: value for key, value in {**named, **values}.items() if "Cli" not in key and "Default" not in key}
    sign_in(
        lambda _method, _address: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", {**configured, "useCli": "false"}
    )


@examples(200)
@given(text=texts(), secret=st.text(min_size=8, max_size=20), cut=st.booleans())
def test_an_error_of_a_library_is_told_without_its_secrets(text: str, secret: str, cut: bool) -> None:
    error = ValueError(f"{text} AADSTS7000215: {secret} {text}" if cut else f"{secret}{text}")
    told = explain(error, "Signing in by client secret", secrets=[secret])
    assert harmless(str(told))
    with contextlib.suppress(ValueError):
        at = str(told).index(secret)
        raise AssertionError(f"{secret!r} is told at {at} of {str(told)!r}")
