"""`python -m simulator`, its options and files, and what it says about wrong ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from simulator.__main__ import main
from simulator.scenario import load, parse_offer

SCENARIO = """
defaults: {mode: held}
publishers:
  - {id: fabrikam, forbidden: true}
offers:
  - offer: contoso/vm
    preview: 7
    production: 6
    behaviour:
      golive: {mode: by time, step_seconds: 2}
      conflict: 422
  - offer: contoso/app
tokens:
  - {value: secret, publishers: [contoso]}
faults:
  - {kind: reset, offer: contoso/vm, path: "*/golive", nth: 1, when: after}
seed: 4
"""
Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a simulator process and gives its address; all end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0", *options], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Cloud Partner Portal simulator on http://127.0.0.1:")
        return line.split()[5]

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.stdout is not None
        process.stdout.close()


def ask(url: str, method: str, path: str) -> requests.Response:
    path = f"{url}/api/publishers/contoso/offers/vm{path}?api-version=2017-10-31"
    return requests.request(method, path, headers={"Authorization": "Bearer t"}, timeout=5)


def test_a_restarted_simulator_still_knows_its_offers_and_operations(start: Start, tmp_path: Path) -> None:
    state, port = tmp_path / "state.json", tmp_path / "port"
    options = ("--offer", "contoso/vm:preview=7,mode=held", "--state", str(state))
    url = start(*options, "--port-file", str(port))
    assert port.read_text() == url.rpartition(":")[2] + "\n"
    location = ask(url, "POST", "/golive").headers["Location"]
    assert json.loads(state.read_text())["world"]["accepted_golives"] == {"contoso/vm": 1}
    url = start(*options)
    answer = requests.get(url + location, headers={"Authorization": "Bearer t"}, timeout=5)
    assert answer.json()["status"] == "running"
    assert ask(url, "POST", "/golive").status_code == 409


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--offer", "vm"], "'vm' is not of the form publisher/offer"),
        (["--offer", "a/b:mode"], "'mode' is not of the form key=value"),
        (["--offer", "a/b:mood=bad"], "behaviour.mood is not a known key"),
        (["--offer", "a/b:mode=later"], "golive.mode"),
        (["--offer", "a/b:preview=new"], "preview"),
        (["--host", "0.0.0.0"], "serves only this machine"),
        (["--host", "example.com"], "serves only this machine"),
        (["--port", "70000"], "not between 0 and 65535"),
        (["--port", "x"], "--port"),
        (["--scenario", "missing.yaml"], "cannot be read"),
        (["--state", "missing/state.json"], "cannot be written"),
        (["--bogus"], "--bogus"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exit_2(
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: object = main([*options])
    except SystemExit as exit_:
        code = exit_.code
    complaint = capsys.readouterr().err
    assert (code, complaint.count("\n")) == (2, 1)
    assert words in complaint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("offers: [", "not valid YAML"),
        ("- 1", "not valid"),
        ("offer: []", "offer: is not a known key"),
        ("offers: [{offer: a/b, behaviour: {mood: bad}}]", "mood"),
        ("offers: [{offer: a/b, behaviour: {conflict: 1}}]", "conflict"),
        ("defaults: {golive: {modus: held}}", "golive.modus: is not a known key"),
        ("faults: [{kind: gremlins}]", "faults.0.kind"),
    ],
)
def test_a_wrong_scenario_is_one_sentence_and_exit_2(
    text: str, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    assert main(["--scenario", str(path)]) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert words in complaint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"world": {"offers": 1}}'])
def test_a_spoilt_state_file_is_not_taken_for_an_empty_world(
    text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert main(["--state", str(path)]) == 2
    assert "remove it to start anew" in capsys.readouterr().err
    assert path.read_text() == text


def test_a_taken_port_is_said(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    port = start().rpartition(":")[2]
    assert main(["--port", port]) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_a_scenario_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    scenario = load(path)
    vm, app = (scenario.behaviour_of(spec) for spec in scenario.offers)
    assert (vm.golive.mode, vm.golive.step_seconds, vm.conflict) == ("by time", 2, 422)
    assert (app.golive.mode, app.conflict) == ("held", 409)
    assert scenario.faults[0].nth == (1,)


def test_an_offer_of_the_command_line() -> None:
    spec = parse_offer("contoso/vm:preview=7,mode=by time,seconds=2.5,publish.mode=held,migrated=true,conflict=422")
    assert (spec.names, spec.preview) == (("contoso", "vm"), 7)
    assert spec.behaviour == {
        "mode": "by time",
        "seconds": 2.5,
        "publish": {"mode": "held"},
        "migrated": True,
        "conflict": 422,
    }
