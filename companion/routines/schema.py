"""The schema of a routine file, field by field. Decides nothing: ``model`` reads and checks, ``planning`` plans."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Optional = Literal["massage", "steam", "exfoliation", "light", "mask", "serum"]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1200)]


class Needs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a routine needs of a device."""

    output: Literal["microcurrent", "pulsation", "any"] = "microcurrent"
    cooling: bool = False
    light: bool = False


class OwnLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The routine's own limits of output time, in seconds. They can only make the device's stricter."""

    session_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    zone_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class RoutineStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[steps]]`` table. ``treat`` and ``massage`` name one ``zone`` or several ``zones``, in order.

    ``share`` (0 to 1) is the target as a share of the person's comfortable maximum; 0 is the device's lowest level.
    ``seconds`` is for steps without passes; zones have ``passes`` and ``seconds_per_pass``. ``cooling_c`` is in °C.
    ``optional`` steps are left out of a session unless the person asks for them; steaming and exfoliating are also
    bound by ``companion.care.skin`` (at most twice a week, never on irritated skin, not within a week of a peel).
    """

    kind: Literal["prepare", "check", "massage", "treat", "light", "cool", "care", "hydrate"]
    title: Title | None = None
    text: Text | None = None
    seconds: Seconds | None = None
    confirm: bool = False
    zone: str | None = None
    zones: list[str] | None = None
    stroke: Text | None = None
    passes: Annotated[int, msgspec.Meta(ge=1, le=20)] | None = None
    seconds_per_pass: Annotated[float, msgspec.Meta(gt=0, le=120)] | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    mode: Annotated[int, msgspec.Meta(ge=0)] | None = None
    cooling_c: Annotated[int, msgspec.Meta(ge=-20, le=40)] | None = None
    optional: Optional | None = None

    @property
    def zone_ids(self) -> tuple[str, ...]:
        """The zones of this step, in order; empty when it has none."""
        return (self.zone,) if self.zone is not None else tuple(self.zones or ())


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole routine file, format 1.

    ``patch_test``: this routine begins with the test that comes before the first use; ``model`` holds it to that.
    """

    format: Literal[1]
    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    title: Title
    summary: Text
    steps: Annotated[list[RoutineStep], msgspec.Meta(min_length=1, max_length=100)]
    needs: Needs = Needs()
    limits: OwnLimits = OwnLimits()
    patch_test: bool = False


class Routine(Document, frozen=True):
    """A routine as read and checked. ``file`` says where it came from."""

    file: str = ""

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone that has output, once each, in order."""
        treated = (zone for step in self.steps if step.kind == "treat" for zone in step.zone_ids)
        return tuple(dict.fromkeys(treated))
