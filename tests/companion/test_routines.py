"""Routines: what ships, what a file may say, what is wrong with one, and the plan that comes of it."""

# ruff: noqa: E501 - one case a line reads best as a table
from __future__ import annotations

from pathlib import Path

import pytest

from companion.routines.library import Library, UnknownRoutineError
from companion.routines.model import NotForThisDeviceError, RoutineError, load, plan_session
from companion.routines.zones import ZONES
from companion.session.engine import SessionEngine
from companion.session.model import SessionPlan, StepKind
from protocols.model import DeviceProfile, Mode, OutputKind

HEAD = 'format = 1\nname = "mine"\ntitle = "Mine"\nsummary = "My own."\n'
TREAT = '[[steps]]\nkind = "treat"\nzone = "left-cheek"\nshare = 0.5\n'


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


def test_the_packaged_routines() -> None:
    assert {"first-touch", "five-minute-lift", "full-face", "pulse-cleanse"} <= set(Library().names())


@pytest.mark.parametrize("name", Library().names())
def test_a_packaged_routine_plans_on_its_device_for_the_first_session_and_the_hundredth(name: str) -> None:
    routine = Library().get(name)
    device = PULSATION if routine.needs.output == "pulsation" else MICROCURRENT
    for comfortable, first in ((None, True), (100, False), (20, True)):
        plan = plan_session(routine, device, comfortable_percent=comfortable, first_session=first)
        SessionEngine(plan, 0.0)
        assert plan.left_out == ()


@pytest.mark.parametrize(
    ("name", "seconds"), [("full-face", 720), ("five-minute-lift", 300), ("first-touch", 300), ("pulse-cleanse", 120)]
)
def test_a_packaged_routine_takes_as_long_as_it_says(name: str, seconds: float) -> None:
    device = PULSATION if name == "pulse-cleanse" else MICROCURRENT
    plan = plan_session(Library().get(name), device, comfortable_percent=30, first_session=False)
    assert SessionEngine(plan, 0.0).view(0.0).session_total_s == seconds


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
    with pytest.raises(UnknownRoutineError, match="there are first-touch"):
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
) -> SessionPlan:
    return plan_session(
        load(text), device, comfortable_percent=comfortable, first_session=False, no_go=no_go, neck=neck
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
