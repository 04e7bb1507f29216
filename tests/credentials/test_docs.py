"""docs/signing-in.md knows every key and variable that the code knows, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from providers.azure_marketplace.credentials import _choice
from providers.azure_marketplace.credentials._failures import _NEXT_STEPS
from providers.azure_marketplace.settings import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "signing-in.md").read_text(encoding="utf-8")
SIGN_IN_KEYS = {*_choice._VARIABLES, *(key for key, _ in _choice._NAMED_BY)}


def test_every_key_and_variable_is_in_the_docs() -> None:
    variables = {name for names in _choice._VARIABLES.values() for name in names}
    assert {name for name in (*SIGN_IN_KEYS, *variables) if f"`{name}`" not in PAGE} == set()


def test_no_other_key_is_in_the_docs() -> None:
    assert set(re.findall(r"azuremarketplace:(\w+)", PAGE)) - SIGN_IN_KEYS - set(KEYS) == set()


def test_the_table_has_the_order_of_the_code() -> None:
    rows = re.findall(r"^\| (`.*?)\|", PAGE.partition("| named by |")[2].partition("\n\n")[0], re.M)
    assert [key for row in rows for key in re.findall(r"`(\w+)`", row)] == [key for key, _ in _choice._NAMED_BY]


def test_every_code_in_the_docs_has_advice_in_the_code() -> None:
    assert set(map(int, re.findall(r"AADSTS(\d+)", PAGE))) - set(_NEXT_STEPS) == set()
