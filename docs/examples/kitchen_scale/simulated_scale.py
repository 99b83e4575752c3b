"""The scale, simulated: what the maker's does, as far as the app can tell."""

from scale_protocol import ANSWERS, QUESTIONS, SERVICE, TARE, TARED, WEIGH, framed, weight_frame

from rig.testing import ScriptedDevice

SETTLES_AFTER_S = 0.4  # the load cell needs so long


class SimulatedScale(ScriptedDevice):
    def __init__(self) -> None:
        super().__init__("Scale")
        self.characteristic(QUESTIONS, "write", service=SERVICE)
        self.characteristic(ANSWERS, "notify", service=SERVICE)
        self.on_write(QUESTIONS, self._asked)
        self.on_it = 0.0  # grams
        self._zero = 0.0

    def _asked(self, question: bytes) -> None:
        if question == framed(WEIGH):
            self.notify(ANSWERS, weight_frame(self.on_it - self._zero), after=SETTLES_AFTER_S)
        elif question == framed(TARE):
            self._zero = self.on_it
            self.notify(ANSWERS, framed(TARED), after=SETTLES_AFTER_S)
