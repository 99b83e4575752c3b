"""The ten rules of the Open Microcurrent Profile as measurements, numbered as in the profile's specification.

What is measured needs no more than the link, where it can; what needs a look into the device, or a hand at its
electrodes, is measured on a simulated device alone. Refuses to know how either comes to the bench.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from protocols import omp_codec as codec
from protocols.omp_codec import Extra, Opcode, Request, Result, State, Status
from rig.conformance.bench import Bench, gaps_ms, looked_at
from rig.conformance.omp_hand import TARGET_UA, Hand, hand_on, taken
from rig.conformance.rules import Check, Findings, Rule, at_most, between, holds
from rig.devices.omp import ENCRYPTED, SimulatedOmp
from rig.devices.skin import Touch
from rig.timing.measure import Measurement

_Bench = Bench[SimulatedOmp]

_LOOK: Final = "what is put out before and between telemetry is seen on a simulated device alone"
_LINK: Final = "without a link a real device tells nobody what it puts out"
_HANDS: Final = "somebody would have to lift the electrodes to the millisecond"
_CHARGER: Final = "somebody would have to plug its charger in to the millisecond"
_LONG: Final = "over-long writes are unsafe on real hardware"
_BOND: Final = "a real device is paired before it is measured"
_SECOND: Final = "it takes a second bonded central"
_DELETES: Final = "it would delete the records of whoever owns the device"
_POWER: Final = "somebody would have to take the battery out"
_FULL: Final = "a real device is not driven to its highest current"

# --- 1: zero before control and target; every start ramps from zero ---------------------------------------------------

EARLY = holds("early requests are refused", "Set Target and Start without control, and Start without a target.")
IDLE = at_most("output before a target", "µA", 0, "Over the second after these requests.", simulated_only=_LOOK)
FIRST = at_most("output at a start", "µA", 0, "At the moment at which Start is answered.", simulated_only=_LOOK)
RISE = at_most(
    "steepest rise",
    "% of the ramp",
    105,
    "Steepest rise of the delivered current after a start, with the ramp of the features and with half of it.",
    marginal=0.02,
)
RISES = holds("a start is followed by output", "Within the second in which the steepest rise is looked for.")


async def _rule_1(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        began = hand.now
        step = hand.target(TARGET_UA)
        early = [await hand.ask(Opcode.SET_TARGET, step), await hand.ask(Opcode.START, 60)]
        await hand.need(Opcode.REQUEST_CONTROL, 7)
        early.append(await hand.ask(Opcode.START, 60))
        await hand.rest(1.0)
        found.holds(EARLY, early == [Result.NOT_PERMITTED, Result.NOT_PERMITTED, Result.WRONG_STATE])
        if bench.simulated:
            found.take(IDLE, hand.course(began).highest)
    for share in (1, 2):
        async with hand_on(bench) as hand:
            ramp = max(1, hand.features.max_ramp_ua_per_s // share)
            await hand.control()
            await hand.need(Opcode.SET_RAMP, ramp)
            await hand.need(Opcode.KEEP_ALIVE, 5000)
            began = hand.now
            await hand.need(Opcode.START, 60)
            if bench.simulated:
                found.take(FIRST, hand.course(began).highest)
            await hand.rest(4.0)
            found.take(RISE, hand.steepest(began) / ramp * 100)
            found.holds(RISES, hand.course(began).highest > 0)


# --- 2: stop and link loss --------------------------------------------------------------------------------------------

STOPPED = holds("a stop succeeds", "Stop while the output runs is answered with success.")
STOP = at_most("stop to zero", "ms", 100, "From the write of Stop to the last current.")
LINK_LOST = at_most(
    "link loss to zero", "ms", 200, "From the end of the link to the last current.", simulated_only=_LINK
)
SILENCE = at_most(
    "silent link to zero",
    "ms",
    620,
    "From the last packet to the last current: the supervision timeout of 420 ms that Linux asks for, and 200 ms.",
    simulated_only=_LINK,
)


async def _rule_2(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        await hand.run()
        began = hand.now
        found.holds(STOPPED, await hand.ask(Opcode.STOP) is Result.SUCCESS)
        await hand.rest(1.0)
        found.take(STOP, hand.course(began).zero_after_ms(began))
    if bench.simulated:
        async with hand_on(bench) as hand:
            await hand.run()
            began = hand.now
            await hand.link.client.disconnect()
            await hand.rest(1.0)
            found.take(LINK_LOST, hand.course(began).zero_after_ms(began))
        async with hand_on(bench) as hand:
            await hand.run()
            await hand.need(Opcode.KEEP_ALIVE, 5000)
            began = hand.now
            hand.link.peripheral.vanish()
            await hand.rest(2.0)
            found.take(SILENCE, hand.course(began).zero_after_ms(began))


# --- 3: keep-alive ----------------------------------------------------------------------------------------------------

KEPT = holds("a keep-alive keeps the output on", "It is as high until 50 ms before the keep-alive lapses.")
LAPSE = at_most("lapsed keep-alive to zero", "ms", 500, "From the end of the keep-alive to the last current.")
PAUSED = holds("a lapse leaves paused", "The state two seconds after the keep-alive lapsed.")
ALONE = at_most("output from a keep-alive alone", "µA", 0, "Over two seconds after a new Keep Alive.", marginal=0)
RESUMED = holds("resume is taken", "Resume after the new Keep Alive succeeds, and output follows.")
RESUME_FIRST = at_most("output at the resume", "µA", 0, "When Resume is answered.", simulated_only=_LOOK)


async def _rule_3(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        await hand.run()
        high = hand.course(hand.now - 0.3).highest
        await hand.need(Opcode.KEEP_ALIVE, 1000)
        lapses = hand.now + 1.0
        await hand.rest(3.0)
        found.holds(KEPT, hand.course(lapses - 0.3, lapses - 0.05).lowest >= 0.9 * high > 0)
        found.take(LAPSE, hand.course(lapses).zero_after_ms(lapses))
        found.holds(PAUSED, (await hand.status()).state is State.PAUSED)
        # What has not come to zero by now is LAPSE's; here it is what comes back.
        again = hand.now
        before = hand.course(again - 0.2).highest
        await hand.need(Opcode.KEEP_ALIVE, 5000)
        await hand.rest(2.0)
        found.take(ALONE, max(0.0, hand.course(again).highest - before))
        began = hand.now
        resumed = await hand.ask(Opcode.RESUME)
        if bench.simulated:
            found.take(RESUME_FIRST, hand.course(began).highest)
        await hand.rest(1.0)
        found.holds(RESUMED, resumed is Result.SUCCESS and hand.course(began).highest > 0)


# --- 4: contact -------------------------------------------------------------------------------------------------------

LOST = at_most(
    "contact lost to zero",
    "ms",
    100,
    "From an electrode off the skin until the current source itself is at zero: an open circuit carries nothing, but "
    "contact that comes back to a source that is on is a jolt.",
    simulated_only=_HANDS,
)
LOST_STATE = holds("the state is contact lost", "A second after the loss, and until Resume.", simulated_only=_HANDS)
NO_RESUME = holds("no resume without contact", "Resume without contact answers no contact.", simulated_only=_HANDS)
EARLY_RESUME = holds(
    "no resume before 300 ms of contact", "Resume 200 ms after contact is back.", simulated_only=_HANDS
)
UNASKED = at_most(
    "output that nobody asked for", "µA", 0, "Over three seconds with contact back.", simulated_only=_HANDS
)
CONTACT_RESUME = holds("resume is taken with contact", "After three seconds of contact.", simulated_only=_HANDS)
CONTACT_FIRST = at_most("output at the resume", "µA", 0, "When Resume is answered.", simulated_only=_HANDS)


async def _rule_4(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        device = hand.link.device
        await hand.run()
        lifted = hand.now
        device.touch(Touch.LIFTED, lifted)
        await hand.keep(1.0)
        source = looked_at(device.stage.commanded_ua, lifted, hand.now)
        found.take(LOST, source.zero_after_ms(lifted))
        found.holds(LOST_STATE, (await hand.status()).state is State.CONTACT_LOST)
        found.holds(NO_RESUME, await hand.ask(Opcode.RESUME) is Result.NO_CONTACT)
        back = hand.now
        device.touch(Touch.PLACED, back)
        await hand.rest(0.2)
        found.holds(EARLY_RESUME, await hand.ask(Opcode.RESUME) is Result.NO_CONTACT)
        await hand.keep(3.0)
        found.take(UNASKED, hand.course(back).highest)
        found.holds(LOST_STATE, (await hand.status()).state is State.CONTACT_LOST)
        began = hand.now
        found.holds(CONTACT_RESUME, await hand.ask(Opcode.RESUME) is Result.SUCCESS)
        found.take(CONTACT_FIRST, hand.course(began).highest)


# --- 5: never too much ------------------------------------------------------------------------------------------------

OVER = at_most(
    "delivered above the target",
    "µA",
    0,
    "The most by which delivered current exceeds 1.05 times the target and 5 µA, while the target goes up and down.",
)
HIGHEST = at_most(
    "highest delivered",
    "% of the highest target",
    105,
    "With the highest target of the features; 5 µA are taken off first, as from every measurement.",
    marginal=0.02,
    simulated_only=_FULL,
)
DELIVERS = holds("the target is reached", "Delivered current comes to nine tenths of the first target at least.")


async def _rule_5(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        most = hand.target(hand.features.max_current_ua if bench.simulated else TARGET_UA)
        began = hand.now
        await hand.run(most)
        found.holds(DELIVERS, hand.course(began).highest >= 0.9 * most)
        targets = [(began, began, most)]
        for share in (0.25, 0.75, 0.05):
            target, asked = hand.target(round(most * share)), hand.now
            await hand.need(Opcode.SET_TARGET, target)
            targets.append((asked, hand.now, target))
            await hand.keep(6.0)
        course = hand.course(began)
        found.take(OVER, max(0.0, *(level - _allowed(targets, at) for at, level in course.looks)))
        if bench.simulated:
            highest = max(0.0, course.highest - 5)
            found.take(HIGHEST, highest / hand.features.max_current_ua * 100)


def _allowed(targets: list[tuple[float, float, int]], at: float) -> float:
    """What may be delivered at a time: while a new target is under way, the higher of both counts."""
    now = [target for asked, _, target in targets if asked <= at][-1:]
    now += [old for (_, _, old), (asked, answered, _) in pairwise(targets) if asked <= at <= answered]
    return max(now, default=0) * 1.05 + 5


# --- 6: the longest run, and the charger ------------------------------------------------------------------------------

RUNS = holds("a run of 3 s lasts", "There is output in its last 300 ms.")
END = at_most("end of a run to zero", "ms", 100, "From the end of a run of 3 s to the last current.")
OVER_RESUME = holds("a run that is over is not resumed", "Resume answers time limit reached, or wrong state.")
LONGEST = holds("a run is no longer than the features say", "Seconds left after Start with 65,535 s.")
CHARGER = at_most("charger to zero", "ms", 100, "From the charger to the last current.", simulated_only=_CHARGER)
NO_START = holds("no start while charging", "Start on the charger answers charging.", simulated_only=_CHARGER)
CHARGING = at_most("output while charging", "µA", 0, "Over the second after that Start.", simulated_only=_CHARGER)


async def _rule_6(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        await hand.control()
        await hand.need(Opcode.START, 3)
        end = hand.now + 3.0
        await hand.keep(6.0)
        found.holds(RUNS, hand.course(end - 0.3, end).highest > 0)
        found.take(END, hand.course(end).zero_after_ms(end))
        found.holds(OVER_RESUME, await hand.ask(Opcode.RESUME) in (Result.TIME_LIMIT, Result.WRONG_STATE))
    async with hand_on(bench) as hand:
        await hand.control()
        await hand.need(Opcode.START, 0xFFFF)
        found.holds(LONGEST, 0 < (await hand.status()).seconds_left <= hand.features.max_session_s)
    if bench.simulated:
        async with hand_on(bench) as hand:
            await hand.run()
            plugged = hand.now
            hand.link.device.set_charging(charging=True, now=plugged)
            await hand.rest(1.0)
            found.take(CHARGER, hand.course(plugged).zero_after_ms(plugged))
            began = hand.now
            found.holds(NO_START, await hand.ask(Opcode.START, 60) is Result.CHARGING)
            await hand.rest(1.0)
            found.take(CHARGING, hand.course(began).highest)


# --- 7: what is wrong changes nothing ---------------------------------------------------------------------------------

UNKNOWN = holds("unknown opcodes are not supported", "Opcodes 00, 10 and 7F, and an empty write.")
SHORT = holds("short writes are invalid", "Each request with a byte too few.")
LONG = holds("long writes are invalid", "Each request with a byte too many.", simulated_only=_LONG)
RANGE = holds("what is out of range is invalid", "Each parameter just outside its range; a light that is not there.")
UNCHANGED = holds("nothing has changed", "Status, light and output after all of them.")
UNENCRYPTED = holds(
    "an unencrypted link reaches nothing",
    "Reads, writes and subscriptions before pairing give ATT error 0x0F or 0x05.",
    simulated_only=_BOND,
)


async def _rule_7(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        await hand.control()
        before = await hand.status()
        began = hand.now
        for check, data, wanted in _wrong(hand):
            if check.simulated_only and not bench.simulated:
                continue
            answer = await hand.raw(data)
            right = (answer.opcode, answer.result) == (data[0] if data else 0, wanted)
            found.holds(check, right, f"{data.hex(' ')} gives {answer.result.name.lower().replace('_', ' ')}")
        await hand.rest(0.5)
        light = hand.link.device.light_percent if bench.simulated else 0
        same = await hand.status() == before and not light and not hand.course(began).highest
        found.holds(UNCHANGED, same)
    if bench.simulated:
        async with bench.link(paired=False) as link:
            refused = [await link.refused(link.read(each)) for each in (codec.FEATURES, codec.STATUS)]
            refused += [await link.refused(link.subscribe(each)) for each in sorted(ENCRYPTED - {codec.FEATURES})]
            refused.append(await link.refused(link.write(codec.CONTROL_POINT, Request(Opcode.IDENTIFY, (1,)).encode())))
            for code in refused:
                found.holds(UNENCRYPTED, code in (0x0F, 0x05), f"an access gives 0x{code:02x}")


def _wrong(hand: Hand) -> Iterator[tuple[Check, bytes, Result]]:
    """Yield writes that are wrong, with the result that they are owed."""
    yield UNKNOWN, b"", Result.INVALID_PARAMETER
    for opcode in (b"\x00", b"\x10", b"\x7f\x01"):
        yield UNKNOWN, opcode, Result.NOT_SUPPORTED
    for request in Opcode:
        good = Request(request, (0,) * len(codec.REQUEST_LAYOUTS[request])).encode()
        if len(good) > 1:
            yield SHORT, good[:-1], Result.INVALID_PARAMETER
        yield LONG, good + b"\x00", Result.INVALID_PARAMETER
    for out in _out_of_range(hand):
        yield RANGE, out.encode(), Result.INVALID_PARAMETER
    lights = (Extra.RED_LED, Extra.AMBER_LED, Extra.BLUE_LED)
    for number, light in enumerate(lights):
        if light not in hand.features.extras:
            yield RANGE, Request(Opcode.SET_LIGHT, (number, 50)).encode(), Result.NOT_SUPPORTED


def _out_of_range(hand: Hand) -> Iterator[Request]:
    features = hand.features
    shortest, longest = codec.KEEP_ALIVE_MS
    lowest, highest = codec.FREQUENCY_DHZ
    has = int(min(features.waveforms, default=0))
    if features.max_current_ua + features.current_step_ua <= 0xFFFF:
        yield Request(Opcode.SET_TARGET, (features.max_current_ua + features.current_step_ua,))
    if features.current_step_ua > 1:
        yield Request(Opcode.SET_TARGET, (features.current_step_ua + 1,))
    yield Request(Opcode.SET_WAVEFORM, (7, 83))
    yield Request(Opcode.SET_WAVEFORM, (has, lowest - 1))
    yield Request(Opcode.SET_WAVEFORM, (has, highest + 1))
    yield Request(Opcode.START, (0,))
    yield Request(Opcode.KEEP_ALIVE, (shortest - 1,))
    yield Request(Opcode.KEEP_ALIVE, (longest + 1,))
    yield Request(Opcode.SET_RAMP, (0,))
    if features.max_ramp_ua_per_s < 0xFFFF:
        yield Request(Opcode.SET_RAMP, (features.max_ramp_ua_per_s + 1,))
    if Extra.RED_LED in features.extras:
        yield Request(Opcode.SET_LIGHT, (0, 101))
    yield Request(Opcode.SET_LIGHT, (3, 50))


# --- 8: one controller ------------------------------------------------------------------------------------------------

OTHERS = holds(
    "everything else is not permitted", "Every opcode but Stop, of a second central.", simulated_only=_SECOND
)
OTHERS_CHANGE = holds("a second central changes nothing", "State and target after that.", simulated_only=_SECOND)
OTHERS_READ = holds("a second central may read", "It reads a status that says running.", simulated_only=_SECOND)
OTHERS_HEAR = holds("a second central may subscribe", "It hears telemetry.", simulated_only=_SECOND)
OTHERS_STOP = holds("a second central may stop", "Its Stop succeeds.", simulated_only=_SECOND)
OTHERS_ZERO = at_most(
    "output after the stop of a second central",
    "µA",
    0,
    "A second after it; how fast a stop is, rule 2 says.",
    simulated_only=_SECOND,
)


async def _rule_8(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        hand.second_connects()
        await hand.run()
        before = await hand.status()
        for opcode in Opcode:
            if opcode is not Opcode.STOP:
                result = hand.second(opcode, *(1 for _ in codec.REQUEST_LAYOUTS[opcode]))
                said = f"{opcode.name.lower().replace('_', ' ')} gives {result.name.lower().replace('_', ' ')}"
                found.holds(OTHERS, result is Result.NOT_PERMITTED, said)
        after = await hand.status()
        found.holds(OTHERS_CHANGE, (after.state, after.target_ua) == (before.state, before.target_ua))
        hand.second_heard()
        await hand.keep(1.0)
        heard = {each.characteristic for each in hand.second_heard()}
        found.holds(OTHERS_HEAR, codec.TELEMETRY in heard)
        read = hand.link.device.central(1).read(codec.STATUS, hand.now)
        found.holds(OTHERS_READ, Status.decode(read).state is State.RUNNING)
        found.holds(OTHERS_STOP, hand.second(Opcode.STOP) is Result.SUCCESS)
        await hand.rest(1.0)
        found.take(OTHERS_ZERO, hand.course(hand.now).highest)


# --- 9: telemetry -----------------------------------------------------------------------------------------------------

GAPS = at_most("gaps in the sequence", "gaps", 0, "Sequence numbers that are not one more than the one before.")
PERIOD = between("telemetry period", "ms", 90, 110, "Between one measurement and the next, by the device's clock.")
JITTER = Check(
    Measurement(
        "telemetry jitter",
        "ms",
        "How far from 100 ms apart two notifications come; a radio that repeats a packet may break it once in twenty.",
        at_most=60,
        marginal=0.1,
        share=0.95,
    )
)
COUNT = between("measurements in 6 s", "", 55, 62, "Telemetry notifications while the output runs.")


async def _rule_9(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        await hand.run(seconds=1.0)
        began = hand.now
        await hand.keep(6.0)
        came = hand.telemetry(began)
        found.take(COUNT, float(len(came)))
        found.take(GAPS, float(sum((b.sequence - a.sequence) & 0xFFFF != 1 for (_, a), (_, b) in pairwise(came))))
        found.take(PERIOD, *(float(b.ms_since_start - a.ms_since_start) for (_, a), (_, b) in pairwise(came)))
        found.take(JITTER, *(abs(gap - codec.TELEMETRY_PERIOD_MS) for gap in gaps_ms([at for at, _ in came])))


# --- 10: records ------------------------------------------------------------------------------------------------------

REPORTED = holds("a report says how many records follow", "And as many come whole, each of its own session.")
TELLS = holds("a record says what was run", "Its highest target is the one that was set.")
SURVIVES = holds("records survive a loss of power", "Three runs, then the battery is out.", simulated_only=_POWER)
UNREPORTED = holds("what was not reported is not deleted", "Delete before any report.", simulated_only=_DELETES)
DELETED = holds("what was reported is deleted", "Delete after a report of two.", simulated_only=_DELETES)
KEEPS = holds("nothing else is deleted", "The third record is there after that.", simulated_only=_DELETES)
_RUNS_UA: Final = (50, 60, 70)


async def _rule_10(bench: _Bench, found: Findings) -> None:
    async with hand_on(bench) as hand:
        ids, targets = [], [hand.target(each) for each in _RUNS_UA]
        for target in targets:
            await hand.run(target)
            await hand.need(Opcode.STOP)
            ids.append((await hand.status()).session_id)
            await hand.rest(1.0)
        if bench.simulated:
            hand.link.device.power_cycle(hand.now)
            await hand.rest(1.0)
            await hand.link.client.connect()
            hand = await taken(hand.link)  # noqa: PLW2901 - the same device on another link
            await hand.need(Opcode.REQUEST_CONTROL, 8)
            none = await hand.raw(Request(Opcode.DELETE_RECORDS, (0,)).encode())
            found.holds(UNREPORTED, none.parameters == (0,))
        since = len(hand.link.heard)
        report = await hand.raw(Request(Opcode.REPORT_RECORDS, (ids[1],)).encode())
        await hand.rest(2.0)
        records = hand.records(since)
        found.holds(REPORTED, report.parameters == (2,) and [each.session_id for each in records] == ids[1:])
        found.holds(TELLS, [each.highest_target_ua for each in records] == targets[1:])
        if bench.simulated:
            found.holds(SURVIVES, [each.session_id for each in records] == ids[1:])
            deleted = await hand.raw(Request(Opcode.DELETE_RECORDS, (0,)).encode())
            found.holds(DELETED, deleted.parameters == (2,))
            since = len(hand.link.heard)
            await hand.need(Opcode.REPORT_RECORDS, 0)
            await hand.rest(2.0)
            found.holds(KEEPS, [each.session_id for each in hand.records(since)] == ids[:1])


RULES: Final[tuple[Rule[_Bench], ...]] = (
    Rule("rule 1", "zero before control and target; starts ramp", (EARLY, IDLE, FIRST, RISE, RISES), _rule_1),
    Rule("rule 2", "stop and link loss", (STOPPED, STOP, LINK_LOST, SILENCE), _rule_2),
    Rule("rule 3", "keep-alive", (KEPT, LAPSE, PAUSED, ALONE, RESUMED, RESUME_FIRST), _rule_3),
    Rule(
        "rule 4",
        "contact",
        (LOST, LOST_STATE, NO_RESUME, EARLY_RESUME, UNASKED, CONTACT_RESUME, CONTACT_FIRST),
        _rule_4,
    ),
    Rule("rule 5", "never too much", (OVER, HIGHEST, DELIVERS), _rule_5),
    Rule("rule 6", "longest run; charger", (RUNS, END, OVER_RESUME, LONGEST, CHARGER, NO_START, CHARGING), _rule_6),
    Rule("rule 7", "what is wrong changes nothing", (UNKNOWN, SHORT, LONG, RANGE, UNCHANGED, UNENCRYPTED), _rule_7),
    Rule(
        "rule 8",
        "one controller",
        (OTHERS, OTHERS_CHANGE, OTHERS_READ, OTHERS_HEAR, OTHERS_STOP, OTHERS_ZERO),
        _rule_8,
    ),
    Rule("rule 9", "telemetry", (GAPS, PERIOD, JITTER, COUNT), _rule_9),
    Rule("rule 10", "records", (REPORTED, TELLS, SURVIVES, UNREPORTED, DELETED, KEEPS), _rule_10),
)
"""In their order."""
