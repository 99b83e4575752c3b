"""What is heard of a session by somebody with closed eyes, how it is heard, and that nothing waits for it."""

from __future__ import annotations

import asyncio
import io
import math
import threading
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from companion.account import Lines
from companion.attention import BELLS, GAP_S, Attention, Errands
from companion.commands.doctor import Grade, sound
from companion.cues import HALF_FROM_S, Cue, Cues, Turns
from companion.demo import run_at_speed
from companion.integrations.notifications import Desktop
from companion.integrations.sound import NOTES, RATE_HZ, Speaker, play_on_windows, tone
from companion.session.model import Output, Phase, Reason, Summary, View
from companion.settings.schema import Settings, Sound
from tests.companion.staging import full_face, view_of

PLAN = full_face()
HERE = view_of(PLAN, "left-cheekbone")
OFF = {"output": Output.OFF, "intensity_percent": 0}


def ended(reason: Reason) -> View:
    return replace(HERE, phase=Phase.FINISHED, summary=Summary(reason, {}, 0, 0.0, 0.0), **OFF)


@dataclass
class Heard:
    """Everything that would be heard or shown; ``works`` is whether player and notifier do."""

    bells: list[float] = field(default_factory=list)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    works: bool = True
    programs: frozenset[str] = frozenset({"paplay", "notify-send"})

    def bell(self) -> None:
        self.bells.append(asyncio.get_running_loop().time())

    def run(self, argv: Sequence[str], _environ: Mapping[str, str]) -> bool:
        self.ran.append(tuple(argv))
        return self.works

    def speaker(self, platform: str = "linux", **environ: str) -> Speaker:
        return Speaker(platform, environ, self.run, lambda name: name if name in self.programs else None)

    def attention(self, cues: str = "bell", speaker: Speaker | None = None) -> Attention:
        desktop = Desktop("linux", {}, self.run)
        at_once: Callable[[Callable[[], None]], None] = lambda job: job()  # noqa: E731 - short
        attention = Attention(self.bell, speaker or self.speaker(), desktop, sounds=at_once, notes=at_once)
        attention.cues = cues
        return attention


def in_virtual_time(test: Callable[[], object]) -> None:
    async def main() -> None:
        await test()  # type: ignore[misc] - each is a coroutine function

    run_at_speed(main(), math.inf)


# --- which cue, and when ----------------------------------------------------------------------------------------------


def test_every_turn_of_a_session_has_its_cue_once() -> None:
    after = view_of(PLAN, "right-cheekbone")
    moving = {"phase": Phase.MOVING, **OFF}
    story: list[tuple[View, Cue | None]] = [
        (replace(HERE, phase=Phase.WAITING, **OFF), None),
        (replace(HERE, phase=Phase.READY, step_index=0, **OFF), None),
        (replace(HERE, **moving), Cue.NEXT),
        (replace(HERE, moving_remaining_s=1.0, **moving), None),
        (replace(HERE, output=Output.STARTING), Cue.BEGIN),
        (HERE, None),
        (replace(HERE, ask_sensation=True), Cue.ASKED),
        (replace(HERE, ask_sensation=True, step_elapsed_s=20.0), None),
        (HERE, None),
        (replace(HERE, phase=Phase.PAUSED, output=Output.STOPPING), Cue.PAUSED),
        (replace(HERE, phase=Phase.PAUSED, **OFF), None),
        (replace(HERE, output=Output.STARTING), Cue.BEGIN),
        (replace(after, **moving), Cue.NEXT),
        (replace(after, phase=Phase.LINK_LOST, **OFF), Cue.LOST),
        (replace(after, phase=Phase.PAUSED, **OFF), Cue.PAUSED),
        (replace(after, phase=Phase.STOPPING, output=Output.STOPPING), None),
        (ended(Reason.STOPPED), Cue.ENDED),
    ]
    turns = Turns()
    for number, (view, cue) in enumerate(story):
        assert turns.follow(view) is cue, number
    assert Turns().follow(ended(Reason.COMPLETED)) is Cue.DONE


def test_h3_nothing_is_heard_of_a_stop_before_it_is_confirmed() -> None:
    turns = Turns()
    turns.follow(HERE)
    assert turns.follow(replace(HERE, phase=Phase.STOPPING, output=Output.STOPPING)) is None
    assert turns.follow(ended(Reason.STOPPED)) is Cue.ENDED


def test_the_half_of_a_zone_is_told_once_at_its_moment_and_waits_out_a_pause() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        heard: list[tuple[float, Cue]] = []
        cues = Cues(lambda cue: heard.append((loop.time() - begun, cue)))
        begun = loop.time()
        seconds = HERE.step.seconds
        cues.follow(replace(HERE, step_elapsed_s=0.0))
        await asyncio.sleep(5.0)
        cues.follow(replace(HERE, phase=Phase.PAUSED, step_elapsed_s=5.0, **OFF))
        await asyncio.sleep(100.0)
        cues.follow(replace(HERE, step_elapsed_s=5.0))
        await asyncio.sleep(seconds / 2 - 5.0 + 0.001)
        cues.follow(replace(HERE, step_elapsed_s=seconds / 2 - 0.001))  # a clock that lags a little behind
        await asyncio.sleep(seconds)
        halves = [at for at, cue in heard if cue is Cue.HALF]
        assert halves == [pytest.approx(100.0 + seconds / 2)]
        assert [cue for _, cue in heard] == [Cue.BEGIN, Cue.PAUSED, Cue.BEGIN, Cue.HALF]

    in_virtual_time(test)


@pytest.mark.parametrize(
    "changes",
    [
        {"output": Output.STARTING},
        {"step": replace(HERE.step, seconds=HALF_FROM_S - 1), "step_elapsed_s": 0.0},
        {"phase": Phase.MOVING, **OFF},
        {"phase": Phase.GUIDING, "waits_for_confirm": True, **OFF},
    ],
    ids=["output not on yet", "too short", "moving", "waits for the person"],
)
def test_where_no_time_runs_or_little_there_is_no_half(changes: dict[str, object]) -> None:
    async def test() -> None:
        heard: list[Cue] = []
        cues = Cues(heard.append)
        cues.follow(replace(HERE, **{"step_elapsed_s": 1.0, **changes}))  # type: ignore[arg-type] - fields by name
        await asyncio.sleep(1000.0)
        assert Cue.HALF not in heard

    in_virtual_time(test)


def test_after_the_end_nothing_more_is_heard() -> None:
    async def test() -> None:
        heard: list[Cue] = []
        cues = Cues(heard.append)
        cues.follow(replace(HERE, step_elapsed_s=1.0))
        cues.end()
        await asyncio.sleep(1000.0)
        assert heard == [Cue.BEGIN]

    in_virtual_time(test)


# --- how it is heard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cue", list(Cue))
def test_the_bell_rings_as_often_as_the_cue_says_with_a_gap(cue: Cue) -> None:
    async def test() -> None:
        heard = Heard()
        heard.attention().cue(cue)
        assert len(heard.bells) == 1, "the first at once"
        await asyncio.sleep(60.0)
        gaps = [after - before for before, after in zip(heard.bells, heard.bells[1:], strict=False)]
        assert gaps == [pytest.approx(GAP_S)] * (BELLS[cue] - 1)
        assert heard.ran == []

    in_virtual_time(test)


def test_a_new_cue_ends_the_one_before_it_and_the_end_ends_all() -> None:
    async def test() -> None:
        heard = Heard()
        attention = heard.attention()
        attention.cue(Cue.PAUSED)
        attention.cue(Cue.BEGIN)
        await asyncio.sleep(60.0)
        assert len(heard.bells) == 2
        attention.cue(Cue.PAUSED)
        attention.end()
        await asyncio.sleep(60.0)
        assert len(heard.bells) == 3

    in_virtual_time(test)


def test_off_is_silent() -> None:
    async def test() -> None:
        heard = Heard()
        for cue in Cue:
            heard.attention("off").cue(cue)
        await asyncio.sleep(60.0)
        assert heard.bells == []
        assert heard.ran == []

    in_virtual_time(test)


def test_a_tone_is_played_by_the_systems_player_from_a_file_that_is_gone_afterwards() -> None:
    heard = Heard()
    files: list[Path] = []

    def play(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
        files.append(Path(argv[-1]))
        assert files[-1].read_bytes() == tone(Cue.HALF)
        return heard.run(argv, environ)

    async def test() -> None:
        attention = heard.attention("sound", replace(heard.speaker(), run=play))
        attention.cue(Cue.HALF)
        attention.cue(Cue.HALF)
        attention.end()

    asyncio.run(test())
    assert [argv[0] for argv in heard.ran] == ["paplay", "paplay"]
    assert files[0] == files[1]
    assert heard.bells == []
    assert not files[0].parent.exists()


@pytest.mark.parametrize("lack", ["fails", "no player", "by ssh"])
async def test_where_no_tone_can_be_heard_the_bell_rings_instead(lack: str) -> None:
    heard = Heard(works=lack != "fails", programs=frozenset() if lack == "no player" else frozenset({"paplay"}))
    speaker = heard.speaker(**({"SSH_CONNECTION": "10.0.0.2 1 10.0.0.1 22"} if lack == "by ssh" else {}))
    attention = heard.attention("sound", speaker)
    attention.cue(Cue.HALF)
    await asyncio.sleep(0)
    assert len(heard.bells) == 1
    tried = len(heard.ran)
    assert tried == (1 if lack == "fails" else 0)
    attention.cue(Cue.HALF)
    assert len(heard.bells) == 2, "at once from now on"
    assert len(heard.ran) == tried
    attention.end()


async def test_a_player_or_notifier_that_raises_is_nobodys_trouble() -> None:
    def fall(_argv: Sequence[str], _environ: Mapping[str, str]) -> bool:
        raise OSError("no such thing")

    heard = Heard()
    at_once: Callable[[Callable[[], None]], None] = lambda job: job()  # noqa: E731 - short
    speaker = Speaker("linux", {}, fall, lambda name: name)
    attention = Attention(heard.bell, speaker, Desktop("linux", {}, fall), sounds=at_once, notes=at_once)
    attention.cues = "sound"
    attention.cue(Cue.HALF)
    attention.notify("Time for yourself", "Full face")
    await asyncio.sleep(0)
    assert len(heard.bells) == 1
    attention.end()


def test_nobody_waits_for_an_errand_and_what_is_out_of_date_is_left_out() -> None:
    errands = Errands(1)
    hangs, goes_on, done = threading.Event(), threading.Event(), threading.Event()
    ran: list[str] = []

    def first() -> None:
        hangs.set()
        goes_on.wait(10.0)
        ran.append("first")

    errands(first)
    assert hangs.wait(10.0), "it runs beside whoever gave it"
    errands(lambda: ran.append("out of date"))
    errands(lambda: (ran.append("newest"), done.set()))  # type: ignore[func-returns-value] - two things in one
    assert ran == []
    goes_on.set()
    assert done.wait(10.0)
    assert ran == ["first", "newest"]
    errands.end()
    errands(lambda: ran.append("after the end"))
    assert errands._thread is not None
    errands._thread.join(10.0)
    assert not errands._thread.is_alive()
    assert ran == ["first", "newest"]


@pytest.mark.parametrize("cue", list(Cue))
def test_a_tone_is_a_short_wav_file_that_begins_and_ends_in_silence(cue: Cue) -> None:
    with wave.open(io.BytesIO(tone(cue))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
    assert 0.1 <= len(samples) / RATE_HZ <= 0.8
    assert abs(samples[0]) < 200
    assert abs(samples[-1]) < 400
    assert 5000 < max(samples) < 32767 * 0.31


def test_no_two_cues_sound_alike_and_every_one_has_its_bells() -> None:
    assert len(set(NOTES.values())) == len(Cue)
    assert set(BELLS) == set(NOTES) == set(Cue)


@pytest.mark.parametrize(
    ("platform", "programs", "player"),
    [
        ("linux", ("aplay", "paplay", "pw-play"), "pw-play"),
        ("linux", ("aplay",), "aplay"),
        ("linux", ("afplay",), None),
        ("darwin", ("afplay",), "afplay"),
        ("win32", (), "Windows"),
    ],
    ids=str,
)
def test_the_player_is_the_best_that_is_there(platform: str, programs: tuple[str, ...], player: str | None) -> None:
    assert Heard(programs=frozenset(programs)).speaker(platform).player == player


def test_windows_plays_by_its_own_means() -> None:
    played: list[Path] = []
    speaker = Speaker("win32", {}, windows=lambda path: played.append(path) is None)
    assert speaker.play(Path("half.wav"))
    assert played == [Path("half.wav")]


@pytest.mark.skipif("sys.platform == 'win32'")
def test_elsewhere_windows_plays_nothing() -> None:
    assert not play_on_windows(Path("half.wav"))


# --- plain lines and the doctor ---------------------------------------------------------------------------------------


def test_the_bell_beside_plain_lines_is_one_character_and_no_line() -> None:
    out = io.StringIO()
    lines = Lines(out, flush=True)
    lines.say("Left cheek")
    lines.ring()
    assert out.getvalue() == "Left cheek\n\a"


@pytest.mark.parametrize(
    ("cues", "programs", "environ", "grade", "words"),
    [
        ("bell", set(), {}, Grade.OK, "bell"),
        ("off", set(), {}, Grade.OK, "off, as you set it"),
        ("sound", {"pw-play"}, {}, Grade.OK, "pw-play"),
        ("sound", set(), {}, Grade.WARN, "install one of pw-play, paplay, aplay"),
        ("sound", {"pw-play"}, {"SSH_CONNECTION": "x"}, Grade.WARN, "ssh"),
    ],
    ids=str,
)
def test_the_doctor_says_in_one_line_what_is_heard(
    cues: str, programs: set[str], environ: dict[str, str], grade: Grade, words: str
) -> None:
    chosen = Settings(sound=Sound(cues))  # type: ignore[arg-type] - one of the three
    found = sound(chosen, Heard(programs=frozenset(programs)).speaker(**environ))
    assert found.grade is grade
    assert words in found.text
    assert "\n" not in found.text
