"""``companion water``: a bare number is a drink, and nothing is asked of whom a doctor limits."""

from __future__ import annotations

import pytest

from companion.config import Exit
from tests.companion.at_home import AtHome


def test_the_day_is_told_in_two_lines(home: AtHome) -> None:
    assert home.run("water").fine().lines == ["0 of 1600 mL today", "Next glass around 10:10."]


def test_a_number_is_a_drink_and_it_can_be_taken_back(home: AtHome) -> None:
    assert home.run("water 250").fine().lines[:2] == ["250 mL, noted.", "250 of 1600 mL today"]
    assert home.run("water 100").fine().lines[1] == "350 of 1600 mL today"
    assert home.run("water undo").fine().lines[:2] == ["100 mL, taken back.", "250 of 1600 mL today"]
    home.run("water undo").fine()
    home.run("water undo").refused(Exit.USAGE, "nothing")


def test_a_goal_that_is_reached_is_a_goal_that_is_reached(home: AtHome) -> None:
    home.run("water 1600").fine()
    assert home.run("water").lines[1] == "That is your goal for today."


def test_in_the_evening_nobody_is_made_to_catch_up(home: AtHome) -> None:
    home.pass_(hours=12, minutes=55)
    assert home.run("water").lines[1] == "Nothing more is asked of you today."


def test_goal_glass_and_waking_hours_are_chosen_one_by_one(home: AtHome) -> None:
    assert "1600 mL" in home.run("water goal").fine().lines[0]
    home.run("water goal 1800 --glass 250").fine()
    told = home.run("water goal --awake 6:00-21:30").fine()
    assert told.lines[0] == "Your goal: 1800 mL of drinks a day, from a glass of 250 mL, between 06:00 and 21:30."
    assert home.run("water goal --json").fine().json == {
        "ml": 1800,
        "glass_ml": 250,
        "waking": {"start": "06:00:00", "end": "21:30:00"},
        "limited": False,
    }


def test_looking_at_the_goal_chooses_none(home: AtHome) -> None:
    home.run("water goal").fine()
    with home.store() as store:
        assert home.almanac(store).agenda().goal is None


def test_a_doctors_limit_ends_every_ask_until_it_is_lifted(home: AtHome) -> None:
    told = home.run("water limited on").fine()
    assert told.lines[0] == "0 mL today"
    assert "limits your fluids" in told.lines[1]
    assert home.run("water 100").fine().lines[1] == "100 mL today"
    found = home.run("water --json").fine().json
    assert (found["goal_ml"], found["ask_ml"], found["ask_at"], found["limited"]) == (None, 0, None, True)
    assert home.run("water limited off").fine().lines[0] == "100 of 1600 mL today"


def test_as_json_it_says_the_same(home: AtHome) -> None:
    found = home.run("water 400 --json").fine().json
    week = found.pop("week")
    assert found == {
        "today_ml": 400,
        "goal_ml": 1600,
        "share": 0.25,
        "ask_ml": 0,
        "ask_at": "2026-03-02T11:00:00Z",
        "limited": False,
        "glass_ml": 200,
    }
    assert list(week) == [f"2026-02-{day}" for day in range(24, 29)] + ["2026-03-01", "2026-03-02"]
    assert list(week.values()) == [0] * 6 + [400]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("0", ["1 to 2000", "0"]),
        ("2001", ["1 to 2000", "2001"]),
        ("-- -5", ["1 to 2000"]),
        ("2.5", ["mL", "undo", "goal"]),
        ("udno", ["mL", "undo", "goal"]),
        ("250 300", ["'300'"]),
        ("goal 400", ["500 to 3500", "400"]),
        ("goal much", ["whole number"]),
        ("goal --glass 300", ["50 to 250", "300"]),
        ("goal --awake 7-22", ["--awake", "07:30-22:00", "'7-22'"]),
        ("goal --awake 07:00-07:00", ["--awake"]),
        ("goal --awake 07:00", ["--awake"]),
        ("limited", ["STATE is missing"]),
        ("limited perhaps", ["perhaps", "on"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_one_line_and_changes_nothing(home: AtHome, line: str, parts: list[str]) -> None:
    home.run(f"water {line}").refused(Exit.USAGE, *parts)
    with home.store() as store:
        assert store.diary.drinks() == []
        assert home.almanac(store).agenda().goal is None


def test_the_demos_water_is_nobodys(home: AtHome) -> None:
    home.run("water 300 --demo").fine()
    assert home.run("water --demo --json").json["today_ml"] == 300
    assert home.run("water --json").json["today_ml"] == 0
