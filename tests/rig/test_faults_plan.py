"""A fault plan says what may go wrong, and one that says something else is refused in one line that says where."""

from __future__ import annotations

import inspect
import math
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from protocols.gatt import uuid
from rig.radio import fault_plan
from rig.radio.delay_laws import Fixed, LogNormal, Pareto, fit_log_normal, fit_pareto
from rig.radio.fault_plan import (
    KINDS,
    AttRefusal,
    Burst,
    Corrupt,
    Delay,
    Disconnect,
    Drop,
    Duplicate,
    FaultPlan,
    FaultPlanError,
    MtuChange,
    Reorder,
    SlowAnswer,
    SlowUart,
    SupervisionTimeout,
)

EVERY_KIND = """\
format = 1
seed = 7
title = "All that can be said"

[[fault]]
name = "lost"
kind = "drop"
direction = "to_app"
characteristic = "FFE1"
nth = [2, 5]
must_fire = 1

[[fault]]
kind = "delay"
direction = "to_device"
probability = 0.25
at_most = 3
time = { law = "pareto", least_s = 0.01, alpha = 2.5, longest_s = 1 }

[[fault]]
kind = "duplicate"
direction = "to_app"
nth = 1
copies = 2
gap_s = 0.5

[[fault]]
kind = "reorder"
direction = "to_app"
nth = 3
behind = 2
within_s = 0.25

[[fault]]
kind = "corrupt"
direction = "to_app"
nth = 4
bits = 2

[[fault]]
kind = "burst"
direction = "to_app"
to_bad = 0.01
to_good = 0.2
loss_bad = 0.9
loss_good = 0.001
must_fire = 0

[[fault]]
kind = "slow_uart"
direction = "to_app"
baud = 9600
chunk = 20

[[fault]]
kind = "disconnect"
at_s = 30.0

[[fault]]
kind = "disconnect"
direction = "to_device"
nth = 12

[[fault]]
kind = "supervision_timeout"
at_s = 12.5
connection = 2
back_after_s = 3.0

[[fault]]
kind = "mtu_change"
mtu = 23
connection = 2

[[fault]]
kind = "slow_answer"
nth = 1
time = { law = "fixed", seconds = 0.06 }

[[fault]]
kind = "att_error"
operation = "read"
error = "unlikely_error"
nth = 1
characteristic = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
"""

ANY = "format = 1\n\n[[fault]]\n"  # the fault's header is line 3
DROP = ANY + 'kind = "drop"\ndirection = "to_app"\n'  # the next line is line 6


def test_everything_that_a_plan_can_say_is_read() -> None:
    plan = FaultPlan.loads(EVERY_KIND, file="day.toml")
    assert (plan.seed, plan.title, plan.file) == (7, "All that can be said", "day.toml")
    assert plan.faults == (
        Drop(name="lost", direction="to_app", characteristic="ffe1", nth=(2, 5), must_fire=1),
        Delay(
            name="delay",
            direction="to_device",
            probability=0.25,
            at_most=3,
            time=Pareto(least_s=0.01, alpha=2.5, longest_s=1.0),
        ),
        Duplicate(name="duplicate", direction="to_app", nth=1, copies=2, gap_s=0.5),
        Reorder(name="reorder", direction="to_app", nth=3, behind=2, within_s=0.25),
        Corrupt(name="corrupt", direction="to_app", nth=4, bits=2),
        Burst(name="burst", direction="to_app", to_bad=0.01, to_good=0.2, loss_bad=0.9, loss_good=0.001, must_fire=0),
        SlowUart(name="slow_uart", direction="to_app", baud=9600, chunk=20, probability=1.0),
        Disconnect(name="disconnect", at_s=30.0),
        Disconnect(name="disconnect 2", direction="to_device", nth=12),
        SupervisionTimeout(name="supervision_timeout", at_s=12.5, connection=2, back_after_s=3.0),
        MtuChange(name="mtu_change", mtu=23, connection=2),
        SlowAnswer(name="slow_answer", nth=1, time=Fixed(seconds=0.06)),
        AttRefusal(
            name="att_error",
            operation="read",
            error="unlikely_error",
            nth=1,
            characteristic="6e400002-b5a3-f393-e0a9-e50e24dcca9e",
        ),
    )
    assert {fault.kind for fault in plan.faults} == set(KINDS)
    assert plan.faults[0].characteristic == uuid("ffe1")


def test_the_example_in_the_description_of_the_format_is_a_plan() -> None:
    described = inspect.getdoc(fault_plan)
    assert described is not None
    example = inspect.cleandoc(described.partition("An example::\n")[2])
    plan = FaultPlan.loads(example)
    assert [fault.name for fault in plan.faults] == ["lost acknowledgement", "delay", "disconnect"]
    for kind in KINDS:
        assert f"``{kind}``" in described


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "day.toml").write_text(EVERY_KIND)
    assert FaultPlan.load(tmp_path / "day.toml") == FaultPlan.loads(EVERY_KIND, file="day.toml")


def test_how_often_a_fault_has_to_fire_follows_from_what_it_says() -> None:
    """Once; as often as it is said when; never more often than it may."""

    def least(fault: Drop) -> int:
        return FaultPlan((fault,)).faults[0].least

    assert least(Drop(direction="to_app", probability=0.5)) == 1
    assert least(Drop(direction="to_app", nth=7)) == 1
    assert least(Drop(direction="to_app", nth=(1, 2, 3))) == 3
    assert least(Drop(direction="to_app", nth=(1, 2, 3), at_most=2)) == 2
    assert least(Drop(direction="to_app", nth=(1, 2, 3), must_fire=0)) == 0
    assert least(Drop(direction="to_app", probability=0.5, must_fire=9)) == 9


REFUSED = {
    "a newer format": ("format = 2\n", "line 1, format: the plan is of format 2, and this version reads up to 1; use"),
    "no format at all": ("seed = 1\n", 'the field "format" is missing; add it'),
    "a format that never was": ("format = 0\n", "line 1, format: there is no format 0; write format = 1"),
    "no TOML": ("format = 1\nfault =\n", "line 2: this is not TOML: Invalid value; mend that line"),
    "no faults": ("format = 1\nfault = []\n", "line 2, fault: expected a list of length >= 1; change the value"),
    "an unknown field of the plan": ("format = 1\nsed = 1\n" + ANY[10:], 'line 2, sed: there is no field "sed" here'),
    "an unknown kind": (ANY + 'kind = "dropp"\n', 'line 4, fault[0].kind: "dropp" is not known here; did you mean "dr'),
    "no kind": (ANY + "nth = 1\n", 'line 3, fault[0]: the field "kind" is missing; add it'),
    "no direction": (ANY + 'kind = "drop"\nnth = 1\n', 'line 3, fault[0]: the field "direction" is missing; add it'),
    "an unknown direction": (
        ANY + 'kind = "drop"\ndirection = "to_ap"\nnth = 1\n',
        'line 5, fault[0].direction: "to_ap" is not known here; did you mean "to_app"?',
    ),
    "neither nth nor probability": (DROP, "line 3, fault[0].probability: which of those that pass is not said; say ei"),
    "nth and probability": (
        DROP + "nth = 1\nprobability = 0.5\n",
        'line 7, fault[0].probability: there is an nth as well; say either "nth" or "probability"',
    ),
    "more than certain": (
        DROP + "probability = 1.5\n",
        "line 6, fault[0].probability: expected a number <= 1.0; change the value",
    ),
    "the zeroth": (DROP + "nth = 0\n", "line 6, fault[0].nth: expected a whole number >= 1; change the value"),
    "none of them": (DROP + "nth = []\n", "line 6, fault[0].nth: expected a list of length >= 1; change the value"),
    "a misspelt field": (DROP + "nht = 1\n", 'line 6, fault[0].nht: there is no field "nht" here; did you mean "nth"?'),
    "more often than it can": (
        DROP + "nth = [1, 2]\nmust_fire = 3\n",
        "line 7, fault[0].must_fire: it has to fire 3 times and can fire 2 times at most; ask for less",
    ),
    "more often than it may": (
        DROP + "probability = 0.5\nat_most = 2\nmust_fire = 3\n",
        "line 8, fault[0].must_fire: it has to fire 3 times and can fire 2 times at most; ask for less",
    ),
    "no UUID": (
        DROP + 'nth = 1\ncharacteristic = "ffe"\n',
        'line 7, fault[0].characteristic: "ffe" is not a UUID; write four hex digits or a whole UUID with dashes',
    ),
    "an unknown ATT error": (
        ANY + 'kind = "att_error"\nnth = 1\nerror = "write_not_permited"\n',
        'line 6, fault[0].error: there is no ATT error "write_not_permited"; did you mean "write_not_permitted"?',
    ),
    "two moments": (
        ANY + 'kind = "disconnect"\nat_s = 1\nnth = 3\n',
        "line 6, fault[0].nth: the moment is given by at_s; take one of the two out",
    ),
    "no moment": (ANY + 'kind = "disconnect"\n', "line 3, fault[0].at_s: it is not said when; say "),
    "a moment of no direction": (
        ANY + 'kind = "supervision_timeout"\nnth = 3\n',
        'line 3, fault[0].direction: it is not said of which direction; say "to_device" or "to_app"',
    ),
    "an impossible MTU": (
        ANY + 'kind = "mtu_change"\nmtu = 20\n',
        "line 5, fault[0].mtu: expected a whole number >= 23; change the value",
    ),
    "an unknown law": (
        ANY + 'kind = "delay"\ndirection = "to_app"\nnth = 1\ntime = { law = "fixd" }\n',
        'line 7, fault[0].time.law: "fixd" is not known here; did you mean "fixed"?',
    ),
    "half a law": (
        ANY + 'kind = "delay"\ndirection = "to_app"\nnth = 1\ntime = { law = "log-normal", sigma = 1 }\n',
        "line 7, fault[0].time: a log-normal delay wants median_s and sigma, or samples_s alone; change the value",
    ),
    "the second of two of one name": (
        DROP + 'nth = 1\nname = "a"\n' + ANY[11:] + 'kind = "drop"\ndirection = "to_app"\nnth = 2\nname = "a"\n',
        'line 13, fault[1].name: there is another fault named "a"; give it a name of its own',
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_plan_that_cannot_be_is_refused_in_one_line_with_file_line_and_field(what: str) -> None:
    text, expected = REFUSED[what]
    with pytest.raises(FaultPlanError) as refused:
        FaultPlan.loads(text, file="day.toml")
    message = str(refused.value)
    assert message.startswith("day.toml, ") or what == "no format at all"
    assert expected in message
    assert "; " in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FaultPlanError, match=r"^none\.toml: cannot be read \(No such file or directory\); check the"):
        FaultPlan.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"\n')
    with pytest.raises(FaultPlanError, match=r"^latin\.toml: byte 9 is not UTF-8; save the file as UTF-8$"):
        FaultPlan.load(tmp_path / "latin.toml")


def test_a_plan_made_in_a_program_is_held_to_the_same() -> None:
    with pytest.raises(ValueError, match="probability: which of those that pass is not said"):
        Drop(direction="to_app")
    with pytest.raises(FaultPlanError, match=r"fault plan, fault\[1\]\.probability: expected a number <= 1\.0"):
        FaultPlan((Drop(direction="to_app", nth=1), Drop(direction="to_app", probability=2.0)))


def test_a_log_normal_law_fitted_to_samples_of_one_finds_its_parameters() -> None:
    rng = random.Random(11)
    samples = tuple(rng.lognormvariate(math.log(0.02), 0.7) for _ in range(2000))
    fitted = fit_log_normal(samples)
    assert fitted.median_s == pytest.approx(0.02, rel=0.05)
    assert fitted.sigma == pytest.approx(0.7, rel=0.05)
    assert LogNormal(samples_s=samples) == fitted


def test_a_pareto_law_fitted_to_samples_of_one_finds_its_parameters() -> None:
    rng = random.Random(12)
    samples = tuple(0.01 * rng.paretovariate(2.5) for _ in range(2000))
    fitted = fit_pareto(samples)
    assert fitted.least_s == min(samples)
    assert fitted.alpha == pytest.approx(2.5, rel=0.05)
    assert Pareto(samples_s=samples) == fitted


def test_what_a_law_draws_follows_it() -> None:
    rng = random.Random(13)
    log_normal = LogNormal(median_s=0.02, sigma=0.7)
    drawn = [log_normal.draw(rng) for _ in range(4000)]
    assert statistics.median(drawn) == pytest.approx(0.02, rel=0.05)
    assert statistics.pstdev(map(math.log, drawn)) == pytest.approx(0.7, rel=0.05)
    pareto = Pareto(least_s=0.01, alpha=2.0)
    drawn = [pareto.draw(rng) for _ in range(4000)]
    assert min(drawn) >= 0.01
    assert statistics.median(drawn) == pytest.approx(0.01 * math.sqrt(2), rel=0.05)
    assert Fixed(seconds=0.06).draw(rng) == 0.06


def test_no_delay_is_longer_than_the_longest() -> None:
    rng = random.Random(14)
    law = Pareto(least_s=0.01, alpha=0.5, longest_s=0.1)
    drawn = [law.draw(rng) for _ in range(500)]
    assert max(drawn) == 0.1
    assert min(drawn) < 0.1


@pytest.mark.parametrize(
    ("fit", "samples", "why"),
    [
        (fit_log_normal, (0.1,), "cannot be fitted to 1 samples"),
        (fit_pareto, (0.1, 0.0), "samples above 0 s alone"),
        (fit_pareto, (0.1, 0.1, 0.1), "samples that are all the same"),
    ],
)
def test_a_law_is_not_fitted_to_samples_that_do_not_tell(fit, samples, why) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=why):
        fit(samples)


def test_plans_and_faults_load_without_a_radio() -> None:
    """Face to face with a protocol no Bluetooth stack is wanted."""
    program = "import sys, rig.radio.faults; print(*{'bumble', 'bleak', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""
