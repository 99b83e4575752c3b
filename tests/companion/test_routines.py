"""Routines: what ships, what a file may say, what is wrong with one, and the plan that comes of it."""

# ruff: noqa: E501 - one case a line reads best as a table
from __future__ import annotations

import re
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.routines.library import PACKAGED, Library, UnknownRoutineError
from companion.routines.model import NotForThisDeviceError, RoutineError, load, plan_session
from companion.routines.planning import LeftOut, left_out, output_seconds
from companion.routines.schema import Routine
from companion.routines.zones import ZONES
from companion.session.engine import SessionEngine
from companion.session.interlocks import cap_percent
from companion.session.model import DeviceSaid, Intent, LinkReady, Output, Phase, Reason, SessionPlan, StepKind, Tick
from protocols.dr05 import PROFILE as DR05
from protocols.model import (
    Acknowledged,
    DeviceProfile,
    Mode,
    OutputKind,
    SetCoolingTarget,
    SetIntensity,
    StartCooling,
    StartOutput,
    StopCooling,
)
from protocols.registry import Registry

FOREO = Registry.default().get("foreo").profile

HEAD = 'format = 1\nname = "mine"\ntitle = "Mine"\nsummary = "My own."\n'
STEAM = '[[steps]]\nkind = "prepare"\noptional = "steam"\ntitle = "Steam"\ntext = "A warm towel."\nseconds = 60\n'
LOOK = '[[steps]]\nkind = "check"\ntitle = "Look"\ntext = "All calm?"\nconfirm = true\n'
TREAT = '[[steps]]\nkind = "treat"\nzone = "left-cheek"\nshare = 0.5\n'
PATCH = HEAD + "patch_test = true\n" + TREAT.replace("left-cheek", "left-jawline").replace("0.5", "0") + LOOK


def profile(**changes: object) -> DeviceProfile:
    fields: dict[str, object] = {
        "key": "x",
        "name": "X-1",
        "output": OutputKind.MICROCURRENT,
        "lowest_percent": 5,
        "step_percent": 5,
        "max_percent": 100,
        "ramp_percent_per_s": 10.0,
        "modes": (Mode(1, "slow"), Mode(2, "fast")),
    }
    return DeviceProfile(**(fields | changes))  # type: ignore[arg-type]


MICROCURRENT = profile()
PULSATION = profile(output=OutputKind.PULSATION, lowest_percent=10, step_percent=10, modes=())


# --- what ships -------------------------------------------------------------------------------------------------------


NAMES = (
    "brow-and-eye", "cool-down", "first-touch", "five-minute-lift",
    "full-face", "jaw-and-neck", "light-and-lift", "pulse-cleanse",
)  # fmt: skip
EVERYTHING = profile(cooling_range_c=(-2, 20), neck_cleared=True, light=True)


def device_for(name: str) -> DeviceProfile:
    return PULSATION if name == "pulse-cleanse" else EVERYTHING


def test_the_packaged_routines() -> None:
    assert tuple(Library().names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_routine_plans_on_its_device_for_the_first_session_and_the_hundredth(name: str) -> None:
    for comfortable, first in ((None, True), (100, False), (20, True)):
        plan = plan_session(
            Library().get(name), device_for(name), comfortable_percent=comfortable, first_session=first, neck=True
        )
        SessionEngine(plan, 0.0)
        assert plan.left_out == ()


@pytest.mark.parametrize(
    ("name", "seconds", "output"),
    [
        ("full-face", 720, 656),
        ("five-minute-lift", 300, 276),
        ("first-touch", 300, 156),
        ("pulse-cleanse", 120, 96),
        ("brow-and-eye", 300, 272),
        ("jaw-and-neck", 300, 280),
        ("light-and-lift", 480, 276),
        ("cool-down", 240, 0),
    ],
)
def test_a_packaged_routine_takes_as_long_as_it_says(name: str, seconds: float, output: float) -> None:
    routine = Library().get(name)
    plan = plan_session(routine, device_for(name), comfortable_percent=30, first_session=False, neck=True)
    assert SessionEngine(plan, 0.0).view(0.0).session_total_s == seconds
    assert sum(step.seconds for step in plan.steps if step.kind is StepKind.TREAT) == output_seconds(routine) == output
    head = (PACKAGED / f"{name}.toml").read_text(encoding="utf-8").partition("format")[0]
    assert f"{seconds // 60}:{seconds % 60:02d} " in head


def test_jaw_and_neck_takes_less_without_the_neck() -> None:
    plan = plan_session(Library().get("jaw-and-neck"), DR05, comfortable_percent=30, first_session=False, neck=True)
    assert plan.left_out == ("left-neck", "right-neck")
    assert SessionEngine(plan, 0.0).view(0.0).session_total_s == 220


@pytest.mark.parametrize("name", NAMES)
def test_no_routine_claims_anything(name: str) -> None:
    text = (PACKAGED / f"{name}.toml").read_text(encoding="utf-8").casefold()
    said = re.search(
        r"\b(cure|heal|collagen|atp|detox|lasting|firm(s|ing|er)?|tighten\w*|rejuvenat\w*|wrinkle\w*|reduces?|removes?|"
        r"drain\w*|lymph\w*|circulation|younger|therap\w*|doctor'?s?)\b",
        text,
    )
    assert said is None, said


def test_there_is_no_zone_on_the_front_of_the_neck_and_the_sides_are_capped_like_thin_skin() -> None:
    necks = {zone.id for zone in ZONES.values() if zone.neck or "neck" in zone.label.lower() or "throat" in zone.id}
    assert necks == {"left-neck", "right-neck"}
    for name in necks:
        assert ZONES[name].neck
        assert ZONES[name].cap_share == 0.5
        assert "on the side only" in ZONES[name].stroke
    for name in NAMES:
        treated = necks & set(Library().get(name).zones)
        assert treated == (necks if name == "jaw-and-neck" else set())


def test_light_is_refused_in_words_where_a_device_has_none() -> None:
    for device in (DR05, MICROCURRENT):
        with pytest.raises(NotForThisDeviceError, match=f"Light and lift needs a device with light, and {device.name}"):
            plan_session(Library().get("light-and-lift"), device, comfortable_percent=30, first_session=False)
    with pytest.raises(NotForThisDeviceError, match="needs a microcurrent device, and FOREO"):
        plan_session(Library().get("light-and-lift"), FOREO, comfortable_percent=30, first_session=False)


@pytest.mark.parametrize("device", [FOREO, MICROCURRENT], ids=["foreo", "without cooling"])
def test_cool_down_is_refused_in_words_where_a_device_does_not_cool(device: DeviceProfile) -> None:
    with pytest.raises(NotForThisDeviceError, match="Cool down needs a device that cools"):
        plan_session(Library().get("cool-down"), device, comfortable_percent=30, first_session=False)


def test_cool_down_has_no_output_and_needs_no_level_of_its_person() -> None:
    plan = plan_session(Library().get("cool-down"), DR05, comfortable_percent=0, first_session=True)
    assert StepKind.TREAT not in {step.kind for step in plan.steps}
    engine = SessionEngine(plan, 0.0)
    sent: list[object] = []
    now = 0.0
    for said in (LinkReady(first=True), Intent.START, Intent.CONFIRM, Intent.CONFIRM, Intent.MORE):
        sent += engine.handle(said, now).requests
    while engine.view(now).phase is Phase.GUIDING and not engine.view(now).waits_for_confirm:
        assert engine.deadline is not None
        for asked in [one for one in sent if isinstance(one, StartCooling | StopCooling | SetCoolingTarget)]:
            engine.handle(DeviceSaid(Acknowledged(asked, 0.03)), now)
        now = engine.deadline or now
        sent += engine.handle(Tick(), now).requests
        assert engine.view(now).output is Output.OFF
    assert now == 240.0
    step = engine.handle(Intent.CONFIRM, now)
    sent += step.requests
    assert not [one for one in sent if isinstance(one, SetIntensity | StartOutput)]
    assert [one for one in sent if isinstance(one, StartCooling)]
    assert isinstance([one for one in sent if isinstance(one, StartCooling | StopCooling)][-1], StopCooling)
    summary = step.view.summary
    assert summary is not None
    assert (summary.reason, dict(summary.zone_seconds), summary.output_s, summary.highest_percent) == (
        Reason.COMPLETED, {}, 0.0, 0,
    )  # fmt: skip


def test_full_face_has_every_zone_but_the_neck() -> None:
    assert set(Library().get("full-face").zones) == {zone.id for zone in ZONES.values() if not zone.neck}


def test_full_face_keeps_thin_skin_at_half_of_the_cap() -> None:
    plan = plan_session(Library().get("full-face"), MICROCURRENT, comfortable_percent=60, first_session=False)
    for zone in ("forehead", "left-under-eye", "right-under-eye"):
        assert plan.limits.zone_caps[zone] == 30
        assert all(step.target_percent <= 30 for step in plan.steps if step.zone == zone)


def test_every_zone_has_words() -> None:
    for zone in ZONES.values():
        assert zone.label[0].isupper()
        assert zone.stroke


# --- what is wrong with a file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + TREAT.replace("share", "shar"), 'mine.toml, line 8, steps[0].shar: there is no field "shar" here; did you mean "share"?'),
        (HEAD + "minutes = 4\n" + TREAT, 'mine.toml, line 5, minutes: there is no field "minutes" here; known are'),
        (HEAD + TREAT.replace("left-cheek", "left-chek"), 'mine.toml, line 7, steps[0].zone: there is no zone "left-chek"; did you mean "left-cheek"?'),
        (HEAD + TREAT + TREAT.replace("treat", "treet"), "mine.toml, line 10, steps[1].kind: 'treet' is not known here; did you mean \"treat\"?"),
        (HEAD + TREAT.replace("0.5", "1.5"), "mine.toml, line 8, steps[0].share: expected `float` <= 1.0; change the value"),
        (HEAD + TREAT.replace("0.5", '"half"'), "mine.toml, line 8, steps[0].share: expected `float | null`, got `str`; change the value"),
        (HEAD + TREAT.replace("share = 0.5\n", ""), 'mine.toml, line 5, steps[0]: a step of kind "treat" needs a share'),
        (HEAD + TREAT.replace('zone = "left-cheek"\n', ""), 'mine.toml, line 5, steps[0]: a step of kind "treat" needs a zone'),
        (HEAD + TREAT + "seconds = 3\n", 'mine.toml, line 9, steps[0].seconds: "seconds" means nothing in a step of kind "treat"; take it out'),
        (HEAD + TREAT + 'zones = ["chin"]\n', 'mine.toml, line 9, steps[0].zones: there is a "zone" and a "zones"; keep one of the two'),
        (HEAD + '[[steps]]\nkind = "care"\ntitle = "Care"\ntext = "Rinse."\n', "mine.toml, line 5, steps[0]: this step never ends"),
        (HEAD + '[[steps]]\nkind = "care"\nseconds = 4\n', 'mine.toml, line 5, steps[0]: the field "title" is missing; add it'),
        (HEAD + '[[steps]]\nkind = "cool"\ntitle = "Cool"\ntext = "Hold it."\nseconds = 4\n', "mine.toml, line 6, steps[0].kind: a step that cools needs a device that cools"),
        (HEAD.replace("format = 1", "format = 2") + TREAT, "mine.toml, line 1, format: 2 is not known here"),
        (HEAD.replace('title = "Mine"\n', "") + TREAT, 'mine.toml, line 1: the field "title" is missing; add it'),
        (HEAD + '[needs]\noutput = "light"\n' + TREAT, "mine.toml, line 6, needs.output: 'light' is not known here"),
        (HEAD + "[need]\n" + TREAT, 'mine.toml, line 5, need: there is no field "need" here; did you mean "needs"?'),
        (HEAD + "steps = [\n" , "mine.toml, line 6: this is not TOML:"),
        (HEAD + "x = \n" + TREAT, "mine.toml, line 5: this is not TOML: Invalid value; mend that line"),
        (HEAD, 'mine.toml, line 1: the field "steps" is missing; add it'),
        (HEAD + '[[steps]]\nkind = "light"\ntitle = "Light"\ntext = "Hold it."\nseconds = 4\n', "mine.toml, line 6, steps[0].kind: a step with light needs a device with light; say"),
        (HEAD + TREAT + 'optional = "massage"\n', 'mine.toml, line 9, steps[0].optional: "optional" means nothing in a step of kind "treat"'),
        (HEAD + STEAM.replace("steam", "steem") + TREAT, "mine.toml, line 7, steps[0].optional: 'steem' is not known here; did you mean \"steam\"?"),
        (HEAD + STEAM.replace("steam", "massage") + TREAT, 'mine.toml, line 7, steps[0].optional: a step of kind "prepare" cannot be "massage"; known here: "steam" or "exfoliation"'),
        (HEAD + '[[steps]]\nkind = "massage"\nzone = "chin"\noptional = "steam"\n', 'mine.toml, line 8, steps[0].optional: a step of kind "massage" cannot be "steam"'),
        (HEAD + TREAT + STEAM, 'mine.toml, line 11, steps[1].optional: "steam" comes before all output; move the step up'),
        (HEAD + "patch_test = true\n" + STEAM, "mine.toml, line 5, patch_test: a patch test has a step with output"),
        (PATCH.replace("share = 0\n", "share = 0.1\n"), "mine.toml, line 5, patch_test: a patch test begins at the lowest level on one jawline"),
        (PATCH.replace("left-jawline", "left-cheek"), "mine.toml, line 5, patch_test: a patch test begins at the lowest level on one jawline"),
        (PATCH.replace('zone = "left-jawline"', 'zones = ["left-jawline", "chin"]'), "mine.toml, line 5, patch_test: a patch test begins at the lowest level on one jawline"),
        (PATCH.replace('"check"', '"care"'), "mine.toml, line 5, patch_test: a patch test has a look at the skin right after"),
        (PATCH + TREAT.replace("0.5", "0.6"), "mine.toml, line 5, patch_test: a patch test stays at or below half of your maximum"),
        (PATCH + TREAT + "passes = 9\n", "mine.toml, line 5, patch_test: a patch test has at most 180 s of output"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_and_field_and_says_what_to_do(text: str, message: str) -> None:
    with pytest.raises(RoutineError) as error:
        load(text, file="mine.toml")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(RoutineError, match=r"^gone\.toml: cannot be read \(No such file or directory\); check"):
        load(tmp_path / "gone.toml")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"format = 1\n\xff")
    with pytest.raises(RoutineError, match=r"^broken\.toml: byte 11 is not UTF-8; save"):
        load(broken)


# --- the library ------------------------------------------------------------------------------------------------------


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownRoutineError, match=r'there is no routine "ful-face"; did you mean "full-face"\?'):
        Library().get("ful-face")
    with pytest.raises(UnknownRoutineError, match="there are brow-and-eye"):
        Library().get("zzz")


def test_a_routine_of_ones_own_goes_before_the_packaged_one_and_a_broken_one_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(HEAD + TREAT, encoding="utf-8")
    (tmp_path / "broken.toml").write_text("format = ", encoding="utf-8")
    own = (HEAD + TREAT).replace('name = "mine"', 'name = "full-face"')
    (tmp_path / "full-face.toml").write_text(own, encoding="utf-8")
    library = Library([tmp_path / "not there", tmp_path])
    assert {"mine", "broken", "full-face", "first-touch"} <= set(library.names())
    assert library.get("full-face").title == "Mine"
    assert library.get("mine").file == "mine.toml"
    with pytest.raises(RoutineError, match=r"^broken"):
        library.get("broken")


def test_a_file_whose_routine_calls_itself_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(HEAD + TREAT, encoding="utf-8")
    with pytest.raises(RoutineError, match='calls itself "mine"'):
        Library([tmp_path]).get("other")


# --- the plan ---------------------------------------------------------------------------------------------------------


def planned(
    text: str,
    device: DeviceProfile = MICROCURRENT,
    comfortable: int | None = 60,
    *,
    no_go: frozenset[str] = frozenset(),
    neck: bool = False,
    ease: float = 1.0,
    optional: tuple[str, ...] = (),
) -> SessionPlan:
    return plan_session(
        load(text),
        device,
        comfortable_percent=comfortable,
        first_session=False,
        no_go=no_go,
        neck=neck,
        ease=ease,
        optional=optional,
    )


def test_a_share_is_a_share_of_the_comfortable_maximum_on_the_device_grid() -> None:
    assert planned(HEAD + TREAT.replace("0.5", "0.7")).steps[0].target_percent == 40
    assert planned(HEAD + TREAT.replace("0.5", "0.0")).steps[0].target_percent == 5


def test_a_routine_cannot_get_above_the_comfortable_maximum() -> None:
    plan = planned(HEAD + TREAT.replace("0.5", "1"))
    assert plan.steps[0].target_percent == plan.limits.cap_percent == plan.comfortable_percent == 60


def test_h2_a_first_session_plans_within_its_cap() -> None:
    plan = plan_session(
        load(HEAD + TREAT.replace("0.5", "1")), MICROCURRENT, comfortable_percent=90, first_session=True
    )
    assert plan.steps[0].target_percent == plan.limits.cap_percent == 30


def test_zones_of_ones_own_no_go_list_are_left_out_of_treatment_and_massage() -> None:
    text = HEAD + TREAT.replace('zone = "left-cheek"', 'zones = ["left-cheek", "chin"]')
    text += '[[steps]]\nkind = "massage"\nzones = ["chin", "forehead"]\n'
    plan = planned(text, no_go=frozenset({"chin"}))
    assert [step.zone for step in plan.steps] == ["left-cheek", "forehead"]
    assert plan.left_out == ("chin",)


def test_a_routine_without_a_zone_left_is_refused() -> None:
    with pytest.raises(NotForThisDeviceError, match="no zone left"):
        planned(HEAD + TREAT, no_go=frozenset({"left-cheek"}))


def test_the_neck_needs_a_cleared_device_and_a_person_who_wants_it() -> None:
    text = HEAD + TREAT + TREAT.replace("left-cheek", "left-neck")
    cleared = profile(neck_cleared=True)
    assert planned(text).left_out == ("left-neck",)
    assert planned(text, neck=True).left_out == ("left-neck",)
    assert planned(text, cleared).left_out == ("left-neck",)
    assert planned(text, cleared, neck=True).left_out == ()


def test_a_zone_that_the_device_cannot_do_gently_enough_is_left_out() -> None:
    text = HEAD + TREAT + TREAT.replace("left-cheek", "forehead")
    assert planned(text, profile(lowest_percent=10, step_percent=10), 10).left_out == ("forehead",)


def test_a_device_whose_lowest_level_is_above_the_comfortable_maximum_is_refused() -> None:
    with pytest.raises(NotForThisDeviceError, match="X-1 starts at 5 %, and your maximum is 3 %"):
        planned(HEAD + TREAT, comfortable=3)


def test_what_a_routine_needs_of_a_device() -> None:
    with pytest.raises(NotForThisDeviceError, match="needs a pulsation device"):
        planned(HEAD + '[needs]\noutput = "pulsation"\n' + TREAT)
    with pytest.raises(NotForThisDeviceError, match="needs a device that cools"):
        planned(HEAD + "[needs]\ncooling = true\n" + TREAT)
    with pytest.raises(NotForThisDeviceError, match="needs mode 7, which X-1 lacks: it has 1, 2"):
        planned(HEAD + TREAT + "mode = 7\n")


def test_without_a_mode_of_its_own_a_routine_gets_the_first_never_the_last_used() -> None:
    assert planned(HEAD + TREAT).steps[0].mode == 1
    assert planned(HEAD + TREAT + "mode = 2\n").steps[0].mode == 2
    assert planned(HEAD + TREAT, profile(modes=())).steps[0].mode is None


def test_h6_limits_come_from_the_routine_when_they_are_stricter() -> None:
    plan = planned(HEAD + "[limits]\nsession_seconds = 20\nzone_seconds = 15\n" + TREAT)
    assert (plan.limits.session_output_s, plan.limits.zone_output_s) == (20, 15)
    silent = planned(HEAD + TREAT)
    assert 48 < silent.limits.zone_output_s < 70
    assert planned(HEAD + TREAT, profile(max_zone_s=9.0)).limits.zone_output_s == 9.0


def test_a_cooling_target_is_kept_within_what_the_device_takes() -> None:
    text = (
        HEAD
        + '[needs]\ncooling = true\n[[steps]]\nkind = "cool"\ntitle = "Cool"\ntext = "Hold."\nseconds = 5\ncooling_c = -9\n'
    )
    plan = planned(text, profile(cooling_range_c=(-2, 20)))
    assert plan.steps[0].kind is StepKind.COOL
    assert plan.steps[0].cooling_c == -2


# --- what is left out, and why ----------------------------------------------------------------------------------------


def test_what_is_left_out_is_told_with_its_reason() -> None:
    text = (
        HEAD + STEAM + TREAT.replace('zone = "left-cheek"', 'zones = ["left-cheek", "chin", "forehead", "left-neck"]')
    )
    strong = profile(lowest_percent=10, step_percent=10)
    plan = planned(text, strong, 10, no_go=frozenset({"chin"}))
    assert left_out(load(text), plan, no_go={"chin"}) == (
        LeftOut("Chin", "one of the zones that you never treat"),
        LeftOut("Forehead", "skin is thin here, and X-1 starts at 10 %, above what is right for you"),
        LeftOut("Left neck side", "X-1 is not cleared for the neck"),
        LeftOut("Steam", "optional, and only when you ask for it"),
    )
    cleared = profile(neck_cleared=True)
    asked = planned(text, cleared, optional=("steam",))
    assert left_out(load(text), asked, optional=("steam",)) == (
        LeftOut("Left neck side", "only for those who choose to treat the sides of the neck"),
    )


def test_optional_steps_are_there_for_those_who_ask() -> None:
    text = HEAD + STEAM + '[[steps]]\nkind = "massage"\nzone = "chin"\noptional = "massage"\n' + TREAT
    kinds = {asked: [step.kind.value for step in planned(text, optional=asked).steps] for asked in ((), ("massage",))}
    assert kinds == {(): ["treat"], ("massage",): ["massage", "treat"]}
    assert [step.title for step in planned(text, optional=("steam", "massage")).steps] == [
        "Steam",
        "Chin",
        "Left cheek",
    ]


def test_hands_on_the_neck_follow_the_rule_for_the_device() -> None:
    text = HEAD + '[[steps]]\nkind = "massage"\nzones = ["chin", "left-neck"]\n' + TREAT
    assert [step.zone for step in planned(text, neck=True).steps] == ["chin", "left-cheek"]
    assert "left-neck" in [step.zone for step in planned(text, profile(neck_cleared=True), neck=True).steps]


def test_a_routine_of_which_nothing_is_left_is_refused_rather_than_empty() -> None:
    text = HEAD + '[[steps]]\nkind = "massage"\nzone = "chin"\n'
    with pytest.raises(NotForThisDeviceError, match="no zone left"):
        planned(text, no_go=frozenset({"chin"}))


def test_h10_a_patch_test_without_its_spot_is_no_patch_test() -> None:
    assert planned(PATCH + TREAT).steps[0].target_percent == 5
    with pytest.raises(NotForThisDeviceError, match="do the patch test on your inner forearm"):
        planned(PATCH + TREAT, no_go=frozenset({"left-jawline"}))


# --- gentler ----------------------------------------------------------------------------------------------------------


def test_h10_a_skin_that_asks_for_care_halves_levels_time_and_limits() -> None:
    text = HEAD + TREAT.replace("0.5", "1") + "passes = 4\nseconds_per_pass = 10\n"
    plan, eased = planned(text), planned(text, ease=0.5)
    assert (plan.limits.cap_percent, eased.limits.cap_percent, eased.comfortable_percent) == (60, 30, 30)
    assert (plan.steps[0].target_percent, eased.steps[0].target_percent) == (60, 30)
    assert (plan.steps[0].seconds, eased.steps[0].seconds, eased.steps[0].passes) == (40, 20, 2)
    assert eased.limits.session_output_s < plan.steps[0].seconds
    assert eased.limits.zone_caps["forehead"] == 15
    own = HEAD + "[limits]\nsession_seconds = 20\nzone_seconds = 16\n" + TREAT
    assert (planned(own, ease=0.5).limits.session_output_s, planned(own, ease=0.5).limits.zone_output_s) == (10, 8)


@pytest.mark.parametrize("ease", [0.0, -1.0, 1.01, float("nan")])
def test_nothing_but_a_share_eases_and_nothing_raises(ease: float) -> None:
    with pytest.raises(ValueError, match="share above 0 and at most 1"):
        planned(HEAD + TREAT, ease=ease)


# --- whatever a file says ---------------------------------------------------------------------------------------------

PROFILES = st.builds(
    profile,
    output=st.just(OutputKind.MICROCURRENT),
    lowest_percent=st.integers(1, 20),
    step_percent=st.integers(1, 10),
    max_percent=st.integers(20, 100),
    max_session_s=st.none() | st.floats(30, 1200),
    max_zone_s=st.none() | st.floats(10, 300),
    neck_cleared=st.booleans(),
    light=st.booleans(),
)
TREATS = st.builds(
    lambda zones, share, passes: {"kind": "treat", "zones": zones, "share": share, "passes": passes},
    st.lists(st.sampled_from(list(ZONES)), min_size=1, max_size=5),
    st.floats(0, 1),
    st.none() | st.integers(1, 20),
)
HANDS = st.builds(
    lambda zones: {"kind": "massage", "zones": zones, "optional": "massage"},
    st.lists(st.sampled_from(list(ZONES)), min_size=1, max_size=3),
)


def routine_of(steps: list[dict[str, object]]) -> Routine:
    return msgspec.convert({"format": 1, "name": "x", "title": "X", "summary": "X.", "steps": steps}, Routine)


@given(
    routine=st.lists(TREATS | HANDS, min_size=1, max_size=6).map(routine_of),
    device=PROFILES,
    comfortable=st.none() | st.integers(1, 100),
    first=st.booleans(),
    no_go=st.frozensets(st.sampled_from(list(ZONES)), max_size=6),
    neck=st.booleans(),
    ease=st.sampled_from([1.0, 0.5, 0.25]),
)
def test_h1_h2_h6_no_routine_gets_past_person_device_or_skin(
    *,
    routine: Routine,
    device: DeviceProfile,
    comfortable: int | None,
    first: bool,
    no_go: frozenset[str],
    neck: bool,
    ease: float,
) -> None:
    def plan_with(share: float) -> SessionPlan | None:
        try:
            return plan_session(
                routine,
                device,
                comfortable_percent=comfortable,
                first_session=first,
                no_go=no_go,
                neck=neck,
                ease=share,
                optional=("massage",),
            )
        except NotForThisDeviceError:
            return None

    plan, whole = plan_with(ease), plan_with(1.0)
    if plan is None:
        return
    assert whole is not None, "gentler, and yet more is allowed"
    limits = plan.limits
    own = 30 if comfortable is None else comfortable
    assert limits.cap_percent <= min(own, device.max_percent, 30 if first else 100)
    assert limits.cap_percent <= max(limits.lowest_percent, whole.limits.cap_percent * ease)
    assert limits.session_output_s <= min(device.max_session_s or 1200, 1200)
    assert limits.zone_output_s <= min(device.max_zone_s or 1200, 1200)
    touched = {step.zone for step in plan.steps if step.zone is not None}
    assert not touched & no_go
    assert not {zone for zone in touched if ZONES[zone].neck} or (neck and device.neck_cleared)
    for step in plan.steps:
        if step.kind is StepKind.TREAT:
            assert limits.lowest_percent <= step.target_percent <= cap_percent(step.zone, limits)
            thin = ZONES[str(step.zone)].cap_share < 1
            assert not thin or step.target_percent <= max(limits.lowest_percent, whole.limits.cap_percent / 2)
    told = {left.what for left in left_out(routine, plan, no_go=no_go, neck=neck, optional=("massage",))}
    assert told == {ZONES[zone].label for zone in plan.left_out}
    assert set(routine.zones) - set(plan.left_out) == {step.zone for step in plan.steps if step.kind is StepKind.TREAT}
    assert all(left.why for left in left_out(routine, plan, no_go=no_go, neck=neck, optional=("massage",)))
    total = sum(step.seconds for step in plan.steps)
    assert total <= sum(step.seconds for step in whole.steps)
    SessionEngine(plan, 0.0)


TEXT_COLUMNS, TEXT_LINES = 37, 3
"""The room for a step's words on the session screen at 80x24; what does not fit there is not read."""


@pytest.mark.parametrize("name", sorted(Library().names()))
def test_every_word_of_a_step_is_seen_on_the_smallest_usual_terminal(name: str) -> None:
    for step in Library().get(name).steps:
        for text in (step.text, step.stroke):
            assert len(textwrap.wrap(text or "", TEXT_COLUMNS)) <= TEXT_LINES, f"{name}: {text}"
