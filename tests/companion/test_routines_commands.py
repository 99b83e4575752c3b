"""`companion routines new` and `preview`: a file of one's own, and how a routine would go for person and device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from companion import cli
from companion.care.skin import GENTLE_FROM
from companion.commands import routines as command
from companion.commands.start import USUAL_DEMO, DemoKey
from companion.config import DATA_VARIABLE, CompanionError, Exit
from companion.dates import Calendar
from companion.routines.library import PACKAGED, Library
from companion.routines.model import load
from companion.routines.zones import ZONES
from companion.store.database import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "data"
    monkeypatch.setenv(DATA_VARIABLE, str(place))
    return place


Captured = pytest.CaptureFixture[str]


def store(folder: Path) -> Store:
    return Store.open(folder, Calendar.system())


def refusal(what: str, *arguments: str) -> CompanionError:
    with pytest.raises(CompanionError) as raised:
        getattr(command, what)(*arguments)
    assert "\n" not in str(raised.value)
    return raised.value


# --- a new one --------------------------------------------------------------------------------------------------------


def test_a_new_routine_is_one_that_the_check_accepts_and_the_library_lists(folder: Path, capsys: Captured) -> None:
    assert command.make("my-evening") == Exit.FINISHED
    path = folder / "routines" / "my-evening.toml"
    assert str(path) in capsys.readouterr().out
    assert command.check(path) == Exit.FINISHED
    assert "a routine, 1 min 44 s guided" in capsys.readouterr().out
    routine = Library([path.parent]).get("my-evening")
    assert (routine.name, routine.title) == ("my-evening", "My evening")


def test_the_template_tells_every_zone_and_stays_right_with_its_comments_taken_out(folder: Path) -> None:
    command.make("mine")
    text = (folder / "routines" / "mine.toml").read_text("utf-8")
    assert all(zone in text for zone in ZONES)
    assert max(map(len, text.splitlines())) <= 120
    opened = text.replace("# cooling = true", "cooling = true").replace("# [limits]", "[limits]")
    for line in ("session_seconds = 300", "zone_seconds = 60", "passes = 3", "seconds_per_pass = 16", "mode = 1"):
        assert f"# {line}" in text
        opened = opened.replace(f"# {line}", line)
    for line in ("[[steps]]", 'kind = "massage"', 'optional = "massage"', 'zones = ["left-cheek", "right-cheek"]'):
        opened = opened.replace(f"# {line}", line)
    routine = load(opened)
    assert (routine.needs.cooling, routine.limits.zone_seconds) == (True, 60)
    assert [step.kind for step in routine.steps] == ["prepare", "treat", "massage", "care"]


@pytest.mark.parametrize("source", Library().names())
def test_a_new_routine_from_another_keeps_its_steps_and_comments(folder: Path, source: str) -> None:
    command.make("mine", source)
    path = folder / "routines" / "mine.toml"
    mine, theirs = load(path), Library().get(source)
    assert (mine.name, mine.title) == ("mine", "Mine")
    assert (mine.steps, mine.needs, mine.limits) == (theirs.steps, theirs.needs, theirs.limits)
    comments = [line for line in (PACKAGED / f"{source}.toml").read_text("utf-8").splitlines() if line.startswith("#")]
    assert set(comments) <= set(path.read_text("utf-8").splitlines())


def test_a_copy_of_ones_own_is_made_from_ones_own(folder: Path) -> None:
    command.make("first")
    command.make("second", "first")
    assert Library([folder / "routines"]).get("second").title == "Second"


def test_a_copy_whose_name_cannot_be_found_is_not_made(folder: Path) -> None:
    command.make("odd")
    path = folder / "routines" / "odd.toml"
    path.write_text(path.read_text("utf-8").replace('name = "odd"', '"na\\u006De" = "odd"'), "utf-8")
    assert load(path).name == "odd"
    assert refusal("make", "mine", "odd").exit_code is Exit.USAGE
    assert not (folder / "routines" / "mine.toml").exists()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_what_is_made_is_nobody_elses_business(folder: Path) -> None:
    command.make("mine")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (folder, folder / "routines", folder / "routines" / "mine.toml")
    }
    assert modes == {"data": 0o700, "routines": 0o700, "mine.toml": 0o600}


@pytest.mark.parametrize("name", ["", "../mine", "Mine", "my evening", "mine.toml", "-x", "a" * 41, "full-face\n"])
def test_a_name_that_is_none_is_refused_and_nothing_is_made(folder: Path, name: str) -> None:
    assert refusal("make", name).exit_code is Exit.USAGE
    assert not folder.exists()


@pytest.mark.parametrize("name", ["full-face", "mine"])
def test_a_name_that_is_taken_is_refused_and_the_file_stays_as_it_is(folder: Path, name: str) -> None:
    command.make("mine")
    before = Library([folder / "routines"]).path(name).read_bytes()
    error = refusal("make", name)
    assert "there is a routine of that name" in str(error)
    assert error.exit_code is Exit.USAGE
    assert Library([folder / "routines"]).path(name).read_bytes() == before


def test_a_source_that_is_not_there_or_wrong_is_named(folder: Path) -> None:
    assert 'did you mean "full-face"?' in str(refusal("make", "mine", "ful-face"))
    (folder / "routines").mkdir(parents=True)
    (folder / "routines" / "broken.toml").write_text("format = ", "utf-8")
    assert "broken.toml, line 1" in str(refusal("make", "mine", "broken"))
    assert not (folder / "routines" / "mine.toml").exists()


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    folder.write_text("a file in the way", "utf-8")
    error = refusal("make", "mine")
    assert "could not be written" in str(error)
    assert error.exit_code is Exit.FAULT


# --- a preview --------------------------------------------------------------------------------------------------------


def told(capsys: Captured, target: str, device: DemoKey = "dr05") -> list[str]:
    capsys.readouterr()
    assert command.preview(target, device) == Exit.FINISHED
    return capsys.readouterr().out.splitlines()


def row(lines: list[str], label: str) -> str:
    return " ".join(next(line for line in lines if f"  {label}  " in f"{line}  ").split())


def test_a_preview_tells_steps_levels_and_times_for_this_person_and_device(folder: Path, capsys: Captured) -> None:
    lines = told(capsys, "full-face")
    assert lines[0] == "Full face with Dr-05: 12 min guided, 10 min 56 s of it with output."
    assert lines[1] == "You have not chosen a comfortable maximum yet, so the 30 % of a first session count."
    assert row(lines, "Left cheek") == "treat Left cheek 52 s 24 % from the corner of the mouth up to the ear"
    assert row(lines, "Forehead").startswith("treat Forehead 52 s 15 %")
    assert row(lines, "Gel") == "prepare Gel until you say so"
    assert "Steam optional, and only when you ask for it" in [" ".join(line.split()) for line in lines]


def test_a_preview_follows_the_comfortable_maximum_and_the_first_sessions_cap(folder: Path, capsys: Captured) -> None:
    with store(folder) as kept:
        kept.set_comfortable(60)
    lines = told(capsys, "full-face")
    assert lines[1] == "This would be your first session, which stays at or below 30 %."
    with store(folder) as kept:
        kept.set_comfortable(20)
    assert row(told(capsys, "full-face"), "Left cheek").startswith("treat Left cheek 52 s 16 %")


def test_a_preview_tells_what_is_left_out_and_why(folder: Path, capsys: Captured) -> None:
    with store(folder) as kept:
        kept.set_zones(neck=True, no_go={"chin"})
    lines = [" ".join(line.split()) for line in told(capsys, "jaw-and-neck")]
    left_out = lines[lines.index("Left out") + 1 :]
    assert left_out[:3] == [
        "Chin one of the zones that you never treat",
        "Left neck side Dr-05 is not cleared for the neck",
        "Right neck side Dr-05 is not cleared for the neck",
    ]
    assert not [line for line in lines if line.startswith("treat Chin")]


def test_a_preview_is_as_gentle_as_today_has_to_be(folder: Path, capsys: Captured) -> None:
    whole = told(capsys, "five-minute-lift")
    with store(folder) as kept:
        kept.diary.check_skin(1, GENTLE_FROM, 1)
    eased = told(capsys, "five-minute-lift")
    assert "Your skin is red today, so this session is half as strong and half as long." in eased
    assert row(whole, "Left cheek").startswith("treat Left cheek 50 s 24 %")
    assert row(eased, "Left cheek").startswith("treat Left cheek 27 s 12 %")


def test_a_preview_is_for_the_person_it_is_asked_for(folder: Path, capsys: Captured) -> None:
    with store(folder) as kept:
        kept.people.add("Kim")
    with Store.open(folder, Calendar.system(), person="Kim") as kims:
        kims.set_zones(neck=False, no_go={"chin"})
    assert "Chin" not in "".join(line for line in told(capsys, "jaw-and-neck") if "never treat" in line)
    assert command.preview("jaw-and-neck", person="Kim") == Exit.FINISHED
    assert "Chin             one of the zones that you never treat" in capsys.readouterr().out
    with pytest.raises(CompanionError, match="nobody is called 'Lee'"):
        command.preview("jaw-and-neck", person="Lee")


def test_the_command_line_leads_here(folder: Path, capsys: Captured) -> None:
    assert cli.main(["routines", "new", "mine", "--from", "pulse-cleanse"]) == Exit.FINISHED
    assert cli.main(["routines", "preview", "mine", "--device", "foreo"]) == Exit.FINISHED
    assert "Mine with FOREO" in capsys.readouterr().out
    assert cli.main(["routines", "preview", "full-face"]) == Exit.FINISHED
    assert cli.main(["routines", "new"]) == Exit.USAGE
    assert "NAME is missing" in capsys.readouterr().err
    assert cli.main(["routines", "preview", "mine", "--device", "toaster"]) == Exit.USAGE
    assert "--device" in capsys.readouterr().err


def test_a_preview_is_with_the_usual_device_of_the_demo_where_none_is_named(folder: Path, capsys: Captured) -> None:
    named = told(capsys, "full-face", USUAL_DEMO)
    assert named[0].startswith("Full face with OMP device: ")
    assert command.preview("full-face") == Exit.FINISHED
    assert capsys.readouterr().out.splitlines() == named
    assert cli.main(["routines", "preview", "full-face"]) == Exit.FINISHED
    assert capsys.readouterr().out.splitlines() == named
    assert cli.main(["routines", "preview", "--help"]) == Exit.FINISHED
    assert f"with {USUAL_DEMO} (the usual)" in capsys.readouterr().out


def test_a_preview_without_output_says_so(folder: Path, capsys: Captured) -> None:
    lines = told(capsys, "cool-down")
    assert lines[0] == "Cool down with Dr-05: 4 min guided, without any output."
    assert row(lines, "Left cheek") == "cool Left cheek 1 min 15 °C"
    assert not [line for line in lines if "%" in line]


def test_a_preview_takes_another_device_and_a_file(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    assert told(capsys, "pulse-cleanse", "foreo")[0].startswith("Pulse cleanse with FOREO")
    command.make("mine")
    path = folder / "routines" / "mine.toml"
    assert told(capsys, str(path)) == told(capsys, "mine")


@pytest.mark.parametrize(
    ("target", "device", "message"),
    [
        ("light-and-lift", "dr05", "Light and lift needs a device with light, and Dr-05 has none"),
        ("cool-down", "foreo", "Cool down needs a device that cools"),
        ("full-face", "foreo", "Full face needs a microcurrent device"),
        ("ful-face", "dr05", 'did you mean "full-face"?'),
        ("gone.toml", "dr05", "gone.toml: cannot be read"),
    ],
    ids=["light", "cooling", "current", "name", "file"],
)
def test_what_cannot_be_done_is_told_in_a_line(folder: Path, target: str, device: str, message: str) -> None:
    error = refusal("preview", target, device)
    assert message in str(error)
    assert error.exit_code is Exit.USAGE
