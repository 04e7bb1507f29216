"""Microsoft's publishing APIs on loopback: scriptable stand-ins over one truth, from the facts.

They import nothing of the provider and share no code with it: the two agree only by both being right.

    python -m simulator --offer contoso/vm:preview=7,mode=held --offer contoso/app:api=partnerCenter
    with simulator.running() as portal: ...
"""

from simulator.behaviour import Behaviour, Progress
from simulator.clock import Clock, SimulatorClock
from simulator.faults import Fault
from simulator.in_memory import InMemory
from simulator.scenario import OfferSpec, Scenario, ScenarioError
from simulator.serving import Simulator, running
from simulator.simulation import Simulation
from simulator.world import Operation, Refusal, World

__all__ = [
    "Behaviour",
    "Clock",
    "Fault",
    "InMemory",
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
