"""A Cloud Partner Portal on loopback: a scriptable stand-in for Microsoft's API, written from its facts.

It imports nothing of the provider and shares no code with it: the two agree only by both being right.

    python -m simulator --offer contoso/vm:preview=7,mode=held
    with simulator.running() as portal: ...
"""

from simulator.behaviour import Behaviour, Progress
from simulator.clock import Clock, SimulatorClock
from simulator.faults import Fault
from simulator.scenario import OfferSpec, Scenario, ScenarioError
from simulator.serving import Simulator, running
from simulator.simulation import Simulation
from simulator.world import Operation, Refusal, World

__all__ = [
    "Behaviour",
    "Clock",
    "Fault",
    "OfferSpec",
    "Operation",
    "Progress",
    "Refusal",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "Simulator",
    "SimulatorClock",
    "World",
    "running",
]
