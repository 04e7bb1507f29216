"""All that one running simulator is: clock, world, tokens, recorder, faults, and the file that keeps them.

No HTTP here: `app` serves it, and `control` changes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.clock import SimulatorClock
from simulator.entra import Entra
from simulator.faults import FaultBook
from simulator.recorder import Recorder
from simulator.scenario import Scenario, ScenarioError
from simulator.tokens import Tokens
from simulator.world import World


class Simulation:
    """The state behind the routes. Hold `lock` when touching it from a thread that is not the server's."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        state_file: Path | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        clock: SimulatorClock | None = None,
    ) -> None:
        self.scenario = scenario or Scenario()
        self.lock = threading.RLock()
        self.clock = clock or SimulatorClock()  # one that follows a test's: SimulatorClock(real=...)
        self.world = World(self.clock, new_id)
        self.tokens = Tokens(self.clock)
        self.entra = Entra(self.clock, self.tokens)
        self.recorder = Recorder()
        self.faults = FaultBook()
        self._state_file = state_file
        self._saved: object = None
        self._begin()
        if state_file is not None and state_file.exists():
            self._load(state_file)
        try:
            self.save()
        except OSError as e:
            raise ScenarioError(f"The state file {state_file} cannot be written: {e.strerror}.") from e

    def reset(self) -> None:
        """Back to the scenario, as at a first start; nothing is remembered."""
        self.world.clear()
        self.recorder.clear()
        self.tokens.clear()
        self.entra.clear()
        self._begin()
        self.save()

    def save(self) -> None:
        """Write the state file if something changed; whole or not at all."""
        present = (self.world.revision, self._clock_state())
        if self._state_file is None or present == self._saved:
            return
        data = {"format": 1, "clock": self._clock_state(), "world": self.world.to_json()}
        folder = self._state_file.parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=self._state_file.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(data))  # ten times as fast as json.dump, which encodes piece by piece
            os.replace(name, self._state_file)
            self._saved = present
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def _begin(self) -> None:
        s = self.scenario
        self.clock.reset(s.clock.now)
        if s.clock.frozen:
            self.clock.freeze()
        self.world.defaults = s.default_behaviour()
        for publisher in s.publishers:
            self.world.add_publisher(publisher.id, name=publisher.name, forbidden=publisher.forbidden)
        for spec in s.offers:
            self.world.add_offer(
                *spec.names,
                preview=spec.preview,
                production=spec.production,
                behaviour=s.behaviour_of(spec),
                offer_type_id=spec.offer_type,
                definition=spec.definition,
                apis=spec.api,
                product_id=spec.product_id,
            )
        self.tokens.restricted = s.tokens is not None
        for token in s.tokens or ():
            until = None if token.expires_in is None else self.clock.now() + token.expires_in
            publishers = None if token.publishers is None else tuple(token.publishers)
            self.tokens.add(token.value, publishers=publishers, expires_at=until, audience=token.audience)
        self.faults.replace(s.faults, seed=s.seed)

    def _load(self, path: Path) -> None:
        """What was saved, plus the scenario's new offers; those it names take the behaviour it gives."""
        fresh = dict(self.world.offers)
        publishers = dict(self.world.publishers)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self.world.load_json(data["world"])
            self._restore_clock(data.get("clock", {}))
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as e:
            reason = e.__class__.__name__ if isinstance(e, (KeyError, ValidationError)) else str(e)
            raise ScenarioError(f"The state file {path} cannot be used ({reason}); remove it to start anew.") from e
        self.world.publishers.update({k: v for k, v in publishers.items() if k not in self.world.publishers})
        for key, offer in fresh.items():
            known = self.world.offers.setdefault(key, offer)
            known.behaviour, known.apis = offer.behaviour, offer.apis

    def _clock_state(self) -> dict[str, Any]:
        return {
            "frozen_at": self.clock.now() if self.clock.frozen else None,
            "offset": self.clock.offset,
        }

    def _restore_clock(self, state: dict[str, Any]) -> None:
        if self.scenario.clock.now is not None or self.scenario.clock.frozen:
            return
        if state.get("frozen_at") is not None:
            self.clock.freeze(float(state["frozen_at"]))
        else:
            self.clock.advance(max(0.0, float(state.get("offset", 0.0))))
