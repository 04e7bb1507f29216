"""A token that is handed in is used as it is."""

from __future__ import annotations

import pytest

from providers.azure_marketplace.credentials import TokenSource
from providers.azure_marketplace.errors import SignInFailed

PORTAL = "https://cloudpartner.azure.com"


def nothing(_key: str) -> None:
    """A configuration without keys."""


def test_it_comes_from_the_configuration_before_the_environment() -> None:
    environment = {"AZUREMARKETPLACE_ACCESS_TOKEN": "theirs"}
    assert TokenSource({"accessToken": "ours"}.get, environment).token(PORTAL) == "ours"
    assert TokenSource(nothing, environment).token(PORTAL) == "theirs"


def test_it_comes_before_every_other_way_of_its_level() -> None:
    configuration = {"accessToken": "ours", "clientSecret": "s", "useMsi": "true"}
    assert TokenSource(configuration.get, {}).token(PORTAL) == "ours"


def test_it_is_taken_anew_for_each_request() -> None:
    environment = {"AZUREMARKETPLACE_ACCESS_TOKEN": "first"}
    tokens = TokenSource(nothing, environment)
    assert tokens.token(PORTAL) == "first"
    environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "second\n"
    assert tokens.token(PORTAL, rejected="first") == "second"


def test_when_it_is_rejected_there_is_no_other() -> None:
    tokens = TokenSource({"accessToken": "ours"}.get, {})
    assert tokens.token(PORTAL, rejected="ours") == "ours"


@pytest.mark.parametrize("token", ["Bearer canary", '"canary 1"', "canary\r\nX-Evil: 1", "can\u00e4ry"])
def test_one_that_cannot_stand_in_a_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SignInFailed, match="azuremarketplace:accessToken is not one word") as failure:
        TokenSource({"accessToken": token}.get, {}).token(PORTAL)
    assert "canary" not in str(failure.value) + repr(failure.value)
    assert not failure.value.missing


def test_what_is_too_short_to_be_a_secret_does_not_garble_what_is_told() -> None:
    configuration = {"clientId": "a", "tenantId": "no tenant", "clientSecret": "s"}
    with pytest.raises(SignInFailed, match="Invalid tenant ID provided"):
        TokenSource(configuration.get, {}).token(PORTAL)
