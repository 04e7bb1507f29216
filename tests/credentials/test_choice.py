"""Which way to sign in is chosen, from where, and what is said of half a way. Nothing is sent here."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.azure_marketplace.credentials._choice import Method, SignIn, Sources, choose
from providers.azure_marketplace.errors import SignInFailed

APP = {"clientId": "app", "tenantId": "tenant"}
ARM = {"ARM_CLIENT_ID": "app", "ARM_TENANT_ID": "tenant"}
AZURE = {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant"}
GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://gh.example/t?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "r"}
PIPELINES = {"SYSTEM_OIDCREQUESTURI": "https://ado.example/t", "SYSTEM_ACCESSTOKEN": "r"}
CONNECTION = {
    "AZURESUBSCRIPTION_CLIENT_ID": "connection's",
    "AZURESUBSCRIPTION_TENANT_ID": "connection's",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
}
POD = {**AZURE, "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"}


def chosen(
    configuration: Mapping[str, str] = {},
    environment: Mapping[str, str] = {},
    *,
    installed: bool = False,
) -> SignIn:
    return choose(
        Sources(lambda key: configuration.get(key), environment), which=lambda name: name if installed else None
    )


@pytest.mark.parametrize(
    ("configuration", "environment", "method"),
    [
        ({"accessToken": "t"}, {}, Method.ACCESS_TOKEN),
        ({}, {"AZUREMARKETPLACE_ACCESS_TOKEN": "t"}, Method.ACCESS_TOKEN),
        ({**APP, "clientSecret": "s"}, {}, Method.CLIENT_SECRET),
        ({}, {**ARM, "ARM_CLIENT_SECRET": "s"}, Method.CLIENT_SECRET),
        ({}, {**AZURE, "AZURE_CLIENT_SECRET": "s"}, Method.CLIENT_SECRET),
        ({**APP, "clientCertificatePath": "c.pem"}, {}, Method.CLIENT_CERTIFICATE),
        ({}, {**ARM, "ARM_CLIENT_CERTIFICATE_PATH": "c.pfx"}, Method.CLIENT_CERTIFICATE),
        ({**APP, "oidcToken": "j"}, {}, Method.OIDC_TOKEN),
        ({}, {**ARM, "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "j"}, Method.OIDC_TOKEN),
        ({**APP, "oidcTokenFilePath": "f"}, {}, Method.OIDC_TOKEN_FILE),
        ({}, POD, Method.OIDC_TOKEN_FILE),
        ({"useOidc": "true"}, POD, Method.OIDC_TOKEN_FILE),
        ({**APP, "useOidc": "true"}, GITHUB, Method.OIDC_REQUEST),
        ({}, {**ARM, "ARM_USE_OIDC": "1", **GITHUB}, Method.OIDC_REQUEST),
        ({}, {**AZURE, "ARM_USE_OIDC": "true", **GITHUB}, Method.OIDC_REQUEST),
        ({}, {**POD, "ARM_USE_OIDC": "true", **GITHUB}, Method.OIDC_REQUEST),
        ({**APP, "oidcRequestUrl": "https://x.example", "oidcRequestToken": "r"}, {}, Method.OIDC_REQUEST),
        ({**APP, "adoPipelineServiceConnectionId": "c"}, PIPELINES, Method.AZURE_PIPELINES),
        ({}, {**ARM, "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": "c", **PIPELINES}, Method.AZURE_PIPELINES),
        ({"useOidc": "true"}, {**PIPELINES, **CONNECTION}, Method.AZURE_PIPELINES),
        (
            {**APP, "oidcRequestUrl": "https://x.example", "oidcRequestToken": "r"},
            CONNECTION,
            Method.AZURE_PIPELINES,
        ),
        ({"useMsi": "true"}, {}, Method.MANAGED_IDENTITY),
        ({}, {"ARM_USE_MSI": "True"}, Method.MANAGED_IDENTITY),
        ({"useCli": "true"}, {}, Method.AZURE_CLI),
        ({"useDeveloperCli": "true"}, {}, Method.AZURE_DEVELOPER_CLI),
        ({}, {"AZUREMARKETPLACE_USE_DEVELOPER_CLI": "true"}, Method.AZURE_DEVELOPER_CLI),
        ({}, {"ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true"}, Method.DEFAULT_AZURE_CREDENTIAL),
    ],
)
def test_every_way_by_its_settings(configuration: dict[str, str], environment: dict[str, str], method: Method) -> None:
    assert chosen(configuration, environment).method is method


@pytest.mark.parametrize(
    ("configuration", "environment", "method"),
    [
        ({"useMsi": "true"}, {"AZUREMARKETPLACE_ACCESS_TOKEN": "t"}, Method.MANAGED_IDENTITY),
        ({}, {"AZUREMARKETPLACE_USE_MSI": "true", **ARM, "ARM_CLIENT_SECRET": "s"}, Method.MANAGED_IDENTITY),
        ({}, {"ARM_USE_MSI": "true", **AZURE, "AZURE_CLIENT_SECRET": "s"}, Method.MANAGED_IDENTITY),
        ({}, {"ARM_CLIENT_SECRET": "s", **ARM, **POD}, Method.CLIENT_SECRET),
    ],
)
def test_the_first_level_that_names_a_way_decides(
    configuration: dict[str, str], environment: dict[str, str], method: Method
) -> None:
    assert chosen(configuration, environment, installed=True).method is method


def test_on_one_level_the_order_is_that_of_pulumi_azure_native() -> None:
    environment = {
        **ARM,
        **{f"ARM_USE_{name}": "true" for name in ("DEFAULT_AZURE_CREDENTIAL", "OIDC", "MSI", "CLI")},
        "ARM_CLIENT_CERTIFICATE_PATH": "c",
        "ARM_CLIENT_SECRET": "s",
        "ARM_OIDC_TOKEN": "j",
    }
    order = []
    for name in ("USE_DEFAULT_AZURE_CREDENTIAL", "CLIENT_CERTIFICATE_PATH", "CLIENT_SECRET", "USE_OIDC", "USE_MSI"):
        order.append(chosen({}, environment).method)
        environment[f"ARM_{name}"] = "false" if name.startswith("USE") else ""
    assert [*order, chosen({}, environment).method] == [
        Method.DEFAULT_AZURE_CREDENTIAL,
        Method.CLIENT_CERTIFICATE,
        Method.CLIENT_SECRET,
        Method.OIDC_TOKEN,
        Method.MANAGED_IDENTITY,
        Method.AZURE_CLI,
    ]


def test_what_the_way_needs_comes_from_any_level_the_first_first() -> None:
    environment = {**ARM, "ARM_CLIENT_ID": "other", "ARM_OIDC_TOKEN_FILE_PATH": "f", "AZURE_TENANT_ID": "third"}
    sign_in = chosen({"clientId": "ours"}, environment)
    assert (sign_in.value("clientId"), sign_in.value("tenantId")) == ("ours", "tenant")


def test_in_a_pipeline_the_connections_application_comes_before_the_agents() -> None:
    assert chosen({"useOidc": "true"}, {**PIPELINES, **CONNECTION, **AZURE}).value("clientId") == "connection's"
    assert chosen({"useMsi": "true"}, CONNECTION).value("clientId") == ""


def test_a_switch_in_the_configuration_overrules_the_environments() -> None:
    environment = {"ARM_USE_MSI": "true", **ARM, "ARM_OIDC_TOKEN": "j", **AZURE, "AZURE_CLIENT_SECRET": "s"}
    assert chosen({"useMsi": "false", "useOidc": "false"}, environment).method is Method.CLIENT_SECRET


def test_a_secret_is_not_sent_for_another_application_than_the_one_it_stands_beside() -> None:
    environment = {**ARM, "ARM_CLIENT_ID": "theirs", "ARM_CLIENT_SECRET": "canary"}
    with pytest.raises(SignInFailed, match="ARM_CLIENT_SECRET belongs to the application of ARM_CLIENT_ID") as failure:
        chosen({"clientId": "ours"}, environment)
    assert "azuremarketplace:clientId" in str(failure.value)
    assert chosen({"clientId": "THEIRS"}, environment).method is Method.CLIENT_SECRET


@pytest.mark.parametrize(
    ("configuration", "environment", "said"),
    [
        (
            {"clientSecret": "s"},
            {},
            "clientId and tenantId are missing. Set azuremarketplace:clientId (or ARM_CLIENT_ID",
        ),
        ({"clientSecret": "s", "clientId": "a"}, {}, "tenantId is missing. Set azuremarketplace:tenantId"),
        ({}, {"ARM_CLIENT_SECRET": "s", "ARM_TENANT_ID": "t"}, "(ARM_CLIENT_SECRET is set) clientId is missing"),
        ({"clientId": "a"}, {}, "azuremarketplace:clientId is set, but nothing to prove it with"),
        ({}, {"ARM_OIDC_REQUEST_TOKEN": "t"}, "ARM_OIDC_REQUEST_TOKEN is set, but nothing to prove it with"),
        ({}, ARM, "ARM_CLIENT_ID is set, but nothing to prove it with. Set azuremarketplace:clientSecret"),
        ({"clientCertificatePassword": "p"}, {}, "Set azuremarketplace:clientCertificatePath"),
        ({"clientCertificatePath": "c"}, {}, "To sign in by client certificate"),
        ({"useOidc": "true"}, {}, "permissions: id-token: write"),
        ({"useOidc": "true"}, {"GITHUB_ACTIONS": "true", **ARM}, "permissions: id-token: write"),
        ({"oidcTokenFilePath": "f"}, {}, "clientId and tenantId are missing"),
        ({**APP, "oidcRequestUrl": "https://x.example"}, {}, "oidcRequestToken is missing"),
        ({**APP, "useOidc": "true"}, PIPELINES, "adoPipelineServiceConnectionId is missing"),
        (
            {**APP, "adoPipelineServiceConnectionId": "c"},
            {"SYSTEM_OIDCREQUESTURI": "https://x.example"},
            "env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
        ),
        ({**APP, "adoPipelineServiceConnectionId": "c"}, {}, "oidcRequestUrl and oidcRequestToken are missing"),
        ({"useMsi": "yes"}, {}, "azuremarketplace:useMsi must be true or false"),
        ({}, {"ARM_USE_OIDC": "canary"}, "ARM_USE_OIDC must be true or false"),
    ],
)
def test_half_a_way_says_what_is_missing(configuration: dict[str, str], environment: dict[str, str], said: str) -> None:
    with pytest.raises(SignInFailed) as failure:
        chosen(configuration, environment, installed=True)
    assert said in str(failure.value)
    assert not failure.value.missing
    assert not failure.value.transient


def test_without_any_way_it_is_the_azure_cli_if_there_is_one() -> None:
    sign_in = chosen({}, {"AZURE_TENANT_ID": "tenant"}, installed=True)
    assert (sign_in.method, sign_in.by_default, sign_in.value("tenantId")) == (Method.AZURE_CLI, True, "tenant")


@pytest.mark.parametrize(("configuration", "installed"), [({}, False), ({"useCli": "false"}, True)])
def test_without_anything_at_all_it_is_told_what_to_do(configuration: dict[str, str], installed: bool) -> None:
    with pytest.raises(SignInFailed, match="az login") as failure:
        chosen(configuration, {"ARM_CLIENT_SECRET": " ", "ARM_CLIENT_ID": ""}, installed=installed)
    assert failure.value.missing


def test_what_was_chosen_is_told_with_its_sources_and_without_values() -> None:
    sign_in = chosen({"tenantId": "canary-1"}, {"ARM_CLIENT_ID": "canary-2", "ARM_CLIENT_SECRET": "canary-3"})
    assert str(sign_in) == "client secret (ARM_CLIENT_SECRET, ARM_CLIENT_ID, azuremarketplace:tenantId)"
    assert str(chosen({}, {}, installed=True)) == "Azure CLI (nothing else is configured)"
    assert "canary" not in repr(sign_in) + repr(sign_in.found) + str(sign_in)


def test_what_was_chosen_is_not_pickled() -> None:
    sign_in = chosen({"accessToken": "canary"})
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            take(sign_in)


KEYS = [
    "clientId",
    "tenantId",
    "clientSecret",
    "clientCertificatePath",
    "useOidc",
    "oidcToken",
    "useMsi",
    "accessToken",
]


@given(
    configuration=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["", "true", "false", "x"])),
    environment=st.dictionaries(
        st.sampled_from(
            [*ARM, "ARM_CLIENT_SECRET", "ARM_USE_MSI", "ARM_USE_OIDC", *POD, *GITHUB, *PIPELINES, *CONNECTION]
        ),
        st.sampled_from(["", "1", "0", "x"]),
    ),
    installed=st.booleans(),
)
def test_whatever_is_set_there_is_one_whole_way_or_a_sentence(
    configuration: dict[str, str], environment: dict[str, str], installed: bool
) -> None:
    with contextlib.suppress(SignInFailed):
        sign_in = chosen(configuration, environment, installed=installed)
        assert all(sign_in.value(key) for key in sign_in.found)
