import pytest
from simulated_scale import SimulatedScale


@pytest.fixture
def simulated_device() -> SimulatedScale:
    """The device of every test: `virtual_device` puts it on the air, `bleak_client` connects to it."""
    scale = SimulatedScale()
    scale.on_it = 120.0  # an empty bowl
    return scale
