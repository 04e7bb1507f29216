"""The report: what Pulumi printed as a table, whatever stands in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.azure_marketplace.report import NotAReport, as_json, as_markdown, as_text, main, rows

CHECKOUT = Path(__file__).parents[2]
VM: dict[str, Any] = {
    "publisher_id": "contoso",
    "offer_id": "vm",
    "status": "succeeded",
    "operation_id": "op-1",
    "live_version": "7",
    "preview_version": "8",
    "submitted_at": "2026-11-23T12:00:05Z",
    "finished_at": None,
    "live_links": [{"text": "Azure portal", "uri": "https://portal.azure.com/#create/contoso.vm"}],
    "preview_links": [],
}
TYPE = "pulumi-python:dynamic/azuremarketplace:OfferGoLive"


def exported(**resources: dict[str, Any]) -> str:
    """What `pulumi stack export` prints of a stack with these."""
    listed = [{"urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev", "type": "pulumi:pulumi:Stack"}]
    listed += [{"urn": f"urn:pulumi:dev::p::{TYPE}::{name}", "type": TYPE, **each} for name, each in resources.items()]
    return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": listed}})


def test_outputs_are_found_wherever_they_stand() -> None:
    outputs = {"vm": VM, "team": {"a": VM, "list": [VM, "x"]}, "other": 3, "none": None, "unlike": {"status": "on"}}
    assert [row.name for row in rows(json.dumps(outputs))] == ["vm", "team.a", "team.list.0"]


def test_an_export_shows_every_offer_of_the_stack_and_none_that_is_being_replaced() -> None:
    found = rows(
        exported(
            vm={"id": "contoso/vm", "outputs": VM},
            old={"id": "contoso/old", "outputs": VM, "delete": True},
            strange={"id": "contoso/strange", "outputs": {"status": 7}},
        )
    )
    assert [(row.name, row.offer, row.status) for row in found] == [
        ("vm", "contoso/vm", "succeeded"),
        ("strange", "contoso/strange", "unknown"),
    ]


@pytest.mark.parametrize(
    ("recorded", "status"),
    [
        ({}, "succeeded"),
        ({"unanswered_at": "2026-11-23T12:00:05Z"}, "succeeded, another was sent and not answered"),
        ({"status": "notStarted", "unanswered_at": "2026-11-23T12:00:05Z"}, "notStarted, sent and not answered"),
        (
            {"status": "running", "missing_since": "2026-11-23T12:00:05Z", "superseded": True},
            "running, not found since 2026-11-23T12:00:05Z",
        ),
        ({"status": "running", "superseded": True}, "running, for other inputs"),
        ({"adopted": True}, "succeeded, not as asked"),
    ],
)
def test_what_is_amiss_stands_beside_the_status(recorded: dict[str, Any], status: str) -> None:
    [row] = rows(json.dumps({"vm": {**VM, **recorded}}))
    assert f"| {status} |" in as_markdown([row])
    assert row.as_asked is (status == "succeeded")


def test_text() -> None:
    lines = as_text(rows(json.dumps({"vm": VM}))).splitlines()
    assert lines[0].split() == ["name", "offer", "status", "live", "in", "preview", "submitted", "finished"]
    assert lines[1].split() == ["vm", "contoso/vm", "succeeded", "7", "8", "2026-11-23T12:00:05Z", "-"]
    assert lines[2] == "vm, live: Azure portal https://portal.azure.com/#create/contoso.vm"


def test_markdown() -> None:
    assert as_markdown(rows(json.dumps({"vm": VM}))).splitlines() == [
        "| name | offer | status | live | in preview | submitted | finished | links |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| vm | contoso/vm | succeeded | 7 | 8 | 2026-11-23T12:00:05Z |  | "
        "[Azure portal](https://portal.azure.com/#create/contoso.vm) |",
    ]


def test_json_has_the_names_of_the_outputs() -> None:
    (only,) = json.loads(as_json(rows(json.dumps({"vm": VM}))))
    assert only["live_version"] == "7"
    assert only["live_links"] == [{"text": "Azure portal", "uri": "https://portal.azure.com/#create/contoso.vm"}]


HOSTILE = "<script>alert(1)</script> | ](javascript:x) `@octocat` \x1b[31m\n**b** ![i](https://evil.example) \u202e"


def test_what_a_portal_says_stays_text() -> None:
    links = [{"text": HOSTILE, "uri": "https://ok.example/a b|c)<d>"}, {"text": "x", "uri": "javascript:alert(1)"}]
    hostile = {HOSTILE: {**VM, "live_version": HOSTILE, "operation_id": HOSTILE, "live_links": links}}
    found = rows(json.dumps(hostile))

    table = as_markdown(found).splitlines()
    assert len(table) == 3
    assert len(table[2].replace("\\|", "").split(" | ")) == 8, "no cell was broken up"
    for forbidden in ("<script", "javascript:alert", "\x1b", "\u202e", "@octocat", "](javascript", "**b**", "![i]"):
        assert forbidden not in table[2]
    assert "https://evil.example" not in table[2], "no address that a reader could follow by mistake"
    assert "(https://ok.example/a%20b%7Cc%29%3Cd%3E)" in table[2]

    text = as_text(found)
    assert text.count("\n") == 3
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "javascript:alert" not in text


@pytest.mark.parametrize(
    ("printed", "words"),
    [("", "got nothing"), ("  \n", "got nothing"), ("error: no stack", "not JSON"), ("[]", "an object of outputs")],
)
def test_what_is_not_pulumis_is_an_error_in_a_sentence(printed: str, words: str) -> None:
    with pytest.raises(NotAReport, match=words):
        rows(printed)


def test_depth_is_bounded() -> None:
    with pytest.raises(NotAReport):
        rows("[" * 100_000)
    assert rows('{"a":' * 500 + "1" + "}" * 500) == []


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*VM, "deployment", "version", "resources", "urn", "type"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["deployment", "version"]), json_like, max_size=4))
def test_any_outputs_make_a_table_of_whole_lines(outputs: dict[str, Any]) -> None:
    found = rows(json.dumps(outputs))
    assert len(as_markdown(found).splitlines()) == (len(found) + 2 if found else 1)
    assert len(json.loads(as_json(found))) == len(found)
    as_text(found)


def test_the_command(tmp_path: Path) -> None:
    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "providers.azure_marketplace.report", *arguments]
        return subprocess.run(command, cwd=CHECKOUT, input=given, capture_output=True, check=False)

    piped = run(given=json.dumps({"vm": VM}).encode())
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert b"contoso/vm  succeeded" in piped.stdout
    wrong = run("--format", "json", given=b"\xff\xfa")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count(b"\n")) == (2, b"", 1)


def test_files_in_the_encodings_that_shells_write(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / "outputs.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(json.dumps({"vm": {**VM, "live_version": "7é"}}, ensure_ascii=False), encoding=encoding)
        assert main([str(path)]) == 0
        assert "7é".encode() in capfdbinary.readouterr().out
    assert main([str(tmp_path / "missing")]) == 2
    assert b"missing could not be read: No such file" in capfdbinary.readouterr().err


def checked(tmp_path: Path, printed: str, *arguments: str) -> int:
    path = tmp_path / "printed.json"
    path.write_text(printed)
    return main([str(path), "--check", *arguments])


def test_check_tells_whether_all_are_live_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = {"id": "contoso/vm", "outputs": VM}
    assert checked(tmp_path, exported(vm=live)) == 0
    assert capsys.readouterr().err == ""
    for status in ("running", "failed", "canceled", "notStarted"):
        assert checked(tmp_path, exported(vm=live, app={**live, "outputs": {**VM, "status": status}})) == 1
        assert capsys.readouterr().err == f"Not live as asked: app (contoso/vm), {status}.\n"


def test_a_drifted_offer_is_not_live_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = {**VM, "offer_version": "7", "confirmed_live_version": "7"}
    assert checked(tmp_path, exported(vm={"id": "contoso/vm", "outputs": outputs})) == 0
    capsys.readouterr()
    drifted = exported(vm={"id": "contoso/vm", "outputs": {**outputs, "live_version": "8"}})
    assert checked(tmp_path, drifted, "--format", "markdown") == 1
    told = capsys.readouterr()
    assert "| succeeded, not as asked | 8 |" in told.out
    assert told.err == "Not live as asked: vm (contoso/vm), succeeded, not as asked.\n"


def test_what_a_program_exported_is_checked_and_told_to_be_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, json.dumps({"vm": VM})) == 0
    assert "`pulumi stack export` prints what is recorded now" in capsys.readouterr().err


def test_no_offers_are_told_and_are_none_that_is_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for printed in ("{}", exported()):
        assert checked(tmp_path, printed) == 1
        assert "So nothing was checked" in capsys.readouterr().err
    (tmp_path / "outputs.json").write_text("{}")
    assert main([str(tmp_path / "outputs.json"), "--format", "json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_where_an_up_died_nothing_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def begun(name: str, **more: Any) -> dict[str, Any]:
        return {"resource": {"urn": f"urn:pulumi:dev::p::{TYPE}::{name}", "type": TYPE, **more}, "type": "creating"}

    printed = json.loads(exported(vm={"id": "contoso/vm", "outputs": VM}, app={"id": "contoso/app", "outputs": VM}))
    new = begun("new", inputs={"publisher_id": "contoso", "offer_id": "new"})
    printed["deployment"]["pending_operations"] = [begun("app"), new, {"resource": None}, 7]
    assert checked(tmp_path, json.dumps(printed)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Not live as asked: app (contoso/app), unknown.",
        "Not live as asked: new (contoso/new), unknown.",
    ]


@pytest.mark.parametrize(
    ("shell", "code", "words"),
    [
        ("> /dev/full", 3, "The table could not be written: No space left on device."),
        (">&-", 3, "The table could not be written: "),
        ("<&-", 2, "There is no standard input to read: pipe what Pulumi prints, or name a file."),
        ("2>&- >/dev/full", 3, ""),
        ("| true; exit ${PIPESTATUS[0]}", 0, ""),
        ("--format tables", 2, "invalid choice: 'tables'"),
        ("/", 2, "/ could not be read: Is a directory."),
    ],
)
def test_what_cannot_be_read_or_written_is_told_in_words_and_by_a_code(shell: str, code: int, words: str) -> None:
    command = ["bash", "-c", f'"$0" -m providers.azure_marketplace.report {shell}', sys.executable]
    printed = json.dumps({f"vm-{number}": VM for number in range(2000)})
    done = subprocess.run(command, cwd=CHECKOUT, input=printed, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
