"""A hostile portal on the real engine: its words draw nothing, and do not enter the state as they came."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.engine.conftest import Project
from tests.engine.portal import declare, offer
from tools.simulator_process import Running

BLINK, LINK, TITLE = "\x1b[5m", "\x1b]8;;https://attacker.example\x07", "\x1b]0;title\x07"
WORDS = (
    f"{BLINK}{LINK}{TITLE}\x9b2J\u202egnp.exe \u200b<{{%fg 1%}}>painted<{{%reset%}}> &#27;[5m \x00\x07\r\n" + "w" * 3000
)


def test_nothing_of_a_portals_words_draws(project: Project, new_simulator: Callable[..., Running]) -> None:
    behaviour = {
        "failure": f"<p>{WORDS}</p>",
        "signoff_step_name": WORDS,
        "word_running": WORDS[:40] + "painted<{%fg 1%}>",
        "word_step_complete": WORDS,
        "blocked_at": "displaycertify",
    }
    offers = [
        {"offer": "contoso/failing", "preview": 7, "behaviour": {**behaviour, "ends": "failed", "seconds": 1}},
        {"offer": "contoso/blocked", "preview": 7, "behaviour": {**behaviour, "seconds": 2}},
    ]
    portal = new_simulator(scenario=json.dumps({"offers": offers}))
    project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
    project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.1"
    declare(project, failing=offer("failing"), blocked=offer("blocked"))
    done = project.up("--color", "always", "--continue-on-error")
    assert done.code != 0
    shown = done.text + done_raw(project)
    assert "painted" in shown, "what can be shown is shown"
    assert "< {%fg 1%}>painted" in shown, "as text"
    for mark in (BLINK, "\x1b]", "attacker.example\x07", "\x9b", "\u202e", "\u200b", "\x07", "\x00", "w" * 700):
        assert mark not in shown, ascii(mark)
    state = json.dumps(project.state(), ensure_ascii=False)
    assert not any(mark in state for mark in ("\x1b", "\\u001b", "\u202e", "<{%", "w" * 700))


def done_raw(project: Project) -> str:
    """What went to the terminal, byte by byte."""
    folder = project.folder.parent
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in folder.glob("run-*.log"))
