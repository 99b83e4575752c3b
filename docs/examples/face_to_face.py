"""Drive the Dr-05 protocol against the simulated device, with no radio and no waiting, and look at the ground truth."""

from protocols.dr05 import Dr05
from protocols.machine import LocalProtocolError
from protocols.model import Acknowledged, Ready, SetIntensity, StartOutput, TotalStop
from rig.devices.dr05 import SimulatedDr05
from rig.facing import Facing

device = SimulatedDr05(seed=7)
bench = Facing(Dr05(), device)
bench.start()
bench.run_until(lambda: bool(bench.events(Ready)))

try:
    bench.command(StartOutput())  # hazard 1: with no level set, the firmware would start at 50 %
except LocalProtocolError as refused:
    print("refused:", refused)

for command in (SetIntensity(1), StartOutput(), TotalStop()):
    bench.command(command)
    bench.run_until(lambda asked=command: asked in [event.command for event in bench.events(Acknowledged)])

for entry in device.trace:
    print(f"{entry.time:.3f} s  {entry.output_percent:.0f} %  {entry.cause}")
