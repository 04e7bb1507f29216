"""The simulator answers whatever it is asked, as an API that is described by its routes: never with a 500, never wrong.

In the manner of schemathesis, which needs an OpenAPI document that the portal never had: the routes are the schema.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulator.cloud_partner_portal import CloudPartnerPortal
from simulator.control import Control
from simulator.in_memory import InMemory
from simulator.scenario import Scenario
from simulator.simulation import Simulation
from tests.fuzz.canned import examples, texts

SCENARIO = Scenario.model_validate({"offers": [{"offer": "contoso/vm", "preview": 7, "production": 6}]})
PORTAL = [(path, method) for path, methods in CloudPartnerPortal(Simulation()).routes().items() for method in methods]
CONTROL = [(path, method) for path, methods in Control(Simulation()).routes().items() for method in methods]
VALUES = st.one_of(
    st.sampled_from(
        ["contoso", "vm", "preview", "production", "1", "7", "contoso$vm$7$preview", "operations", "reset_peer"]
    ),
    texts(),
)
KEYS = [
    *(
        "offer",
        "preview",
        "production",
        "behaviour",
        "kind",
        "path",
        "nth",
        "seconds",
        "mode",
        "ends",
        "faults",
        "seed",
    ),
    *(
        "metadata",
        "notification-emails",
        "name",
        "forbidden",
        "definition",
        "offerTypeId",
        "plans",
        "id",
        "value",
        "now",
    ),
]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), VALUES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(KEYS), texts()), inner, max_size=5)
    ),
    max_leaves=15,
)
BODIES = st.one_of(st.binary(max_size=60), JSON.map(lambda body: json.dumps(body).encode()))
QUERIES = st.dictionaries(
    st.sampled_from(["api-version", "submissionType", "status", "slot", "method", "path", "$filter", "x"]),
    st.one_of(st.just("2017-10-31"), VALUES),
    max_size=3,
)
HEADERS = st.dictionaries(
    st.sampled_from(["If-Match", "Content-Type", "Authorization", "X-Ms-Correlation-Request-Id"]), texts()
)


def encoded(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="", errors="replace")


@st.composite
def requests_to(draw: Any, routes: list[tuple[str, str]]) -> tuple[str, str, dict[str, str], bytes]:
    path, method = draw(st.sampled_from(routes))
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + encoded(draw(VALUES)) + rest.partition("}")[2]
    query = draw(QUERIES)
    query.setdefault("api-version", "2017-10-31")
    asked = "&".join(f"{name}={encoded(value)}" for name, value in query.items())
    return (
        draw(st.one_of(st.just(method), st.sampled_from(["GET", "PUT", "DELETE"]))),
        f"{path}?{asked}",
        draw(HEADERS),
        draw(BODIES),
    )


def answers_sensibly(portal: InMemory, asked: tuple[str, str, dict[str, str], bytes]) -> None:
    method, url, headers, body = asked
    answer = portal.ask(method, url, headers=headers, body=body, token="token")
    assert 200 <= answer.status < 500, (answer, asked)
    if answer.status >= 400:
        assert isinstance(answer.body, dict), answer
        assert answer.body["error"]["code"], answer
    json.dumps(answer.body)
    assert all(value.isprintable() and value.isascii() for _, value in answer.headers), answer.headers


@examples(150)
@given(asked=st.lists(requests_to(PORTAL), min_size=1, max_size=8))
def test_the_portal_has_an_answer_to_everything(asked: list[tuple[str, str, dict[str, str], bytes]]) -> None:
    portal = InMemory(Simulation(SCENARIO))
    for each in asked:
        answers_sensibly(portal, each)
    live = portal.ask("GET", "/api/publishers/contoso/offers/vm/slot/production?api-version=2017-10-31", token="token")
    assert live.status == 200


@examples(150)
@given(asked=st.lists(requests_to(CONTROL), min_size=1, max_size=6))
def test_the_control_address_has_an_answer_to_everything(
    asked: list[tuple[str, str, dict[str, str], bytes]],
) -> None:
    simulation = Simulation(SCENARIO)
    control = InMemory(simulation, Control(simulation).routes())
    for method, url, headers, body in asked:
        answer = control.ask(method, url, headers=headers, body=body)
        assert 200 <= answer.status < 500, (answer, method, url, body)
