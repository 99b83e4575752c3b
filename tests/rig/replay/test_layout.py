"""What a device has to offer so that a transcript can be played on it."""

from __future__ import annotations

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.layout import layout_of, subscribed_before, without_effect

SERVICE, OTHER_SERVICE = uuid("ffe0"), uuid("fff0")
FIRST, SECOND = uuid("ffe1"), uuid("ffe2")


def transcript(
    *said: tuple[By, Does, Place] | tuple[By, Does, Place, bytes],
    services: tuple[Service, ...] = (),
    mtu: int | None = None,
) -> Transcript:
    exchanges = tuple(Exchange(0, line[0], line[1], line[2], line[3] if len(line) > 3 else None) for line in said)
    return Transcript("made up", exchanges, services, mtu=mtu)


def test_services_that_were_discovered_are_offered_as_they_were() -> None:
    services = (
        Service(SERVICE, (Characteristic(FIRST, Property.READ), Characteristic(SECOND, Property.NOTIFY))),
        Service(OTHER_SERVICE, ()),
    )
    layout = layout_of(transcript(("app", "write", Place(SERVICE, FIRST), b""), services=services))
    assert layout.services == services
    assert layout.names == ((FIRST, SECOND), ())
    assert layout.places[FIRST] == Place(SERVICE, FIRST)


def test_services_that_nobody_discovered_are_made_of_what_was_done_with_them() -> None:
    layout = layout_of(
        transcript(
            ("app", "write_command", Place(SERVICE, FIRST), b""),
            ("app", "read", Place(OTHER_SERVICE, SECOND)),
            ("app", "write", Place(SERVICE, FIRST), b""),
            ("device", "indication", Place(SERVICE, SECOND), b""),
        )
    )
    assert layout.services == (
        Service(
            SERVICE,
            (
                Characteristic(FIRST, Property.WRITE_WITHOUT_RESPONSE | Property.WRITE),
                Characteristic(SECOND, Property.INDICATE),
            ),
        ),
        Service(OTHER_SERVICE, (Characteristic(SECOND, Property.READ),)),
    )


def test_a_subscription_that_discovery_did_not_promise_can_be_made_all_the_same() -> None:
    plain = (Service(SERVICE, (Characteristic(FIRST, Property.READ),)),)
    place = Place(SERVICE, FIRST)
    notifying = layout_of(transcript(("app", "subscribe", place), services=plain))
    assert notifying.services[0].characteristics[0].properties == Property.READ | Property.NOTIFY
    indicating = layout_of(
        transcript(("app", "subscribe", place), ("device", "indication", place, b""), services=plain)
    )
    assert indicating.services[0].characteristics[0].properties == Property.READ | Property.INDICATE


def test_what_has_the_same_uuid_is_told_apart_by_service_and_number() -> None:
    known = Characteristic(FIRST, Property.READ)
    services = (Service(SERVICE, (known, known)), Service(OTHER_SERVICE, (known,)), Service(SERVICE, (known,)))
    layout = layout_of(transcript(services=services))
    assert [layout.places[name] for here in layout.names for name in here] == [
        Place(SERVICE, FIRST),
        Place(SERVICE, FIRST, nth=1),
        Place(OTHER_SERVICE, FIRST),
        Place(SERVICE, FIRST, nth=2),
    ]
    assert len(layout.places) == 4


def test_the_third_of_a_uuid_needs_the_two_before_it() -> None:
    layout = layout_of(transcript(("app", "read", Place(SERVICE, FIRST, nth=2))))
    assert [len(service.characteristics) for service in layout.services] == [3]
    assert [known.properties for known in layout.services[0].characteristics] == [
        Property(0),
        Property(0),
        Property.READ,
    ]


def test_descriptors_that_are_used_are_there() -> None:
    place = Place(SERVICE, FIRST, descriptor=uuid("2901"))
    layout = layout_of(transcript(("app", "read", place), ("app", "write", place, b"")))
    assert layout.descriptors == {FIRST: (uuid("2901"),)}


def test_the_mtu_is_the_recorded_one_and_never_too_small_for_what_was_said() -> None:
    place = Place(SERVICE, FIRST)
    assert layout_of(transcript(mtu=64)).mtu == 64
    assert layout_of(transcript()).mtu == 247
    assert layout_of(transcript(("device", "notification", place, bytes(100)), mtu=23)).mtu == 103
    assert layout_of(transcript(mtu=1000)).mtu == 517


def test_what_was_subscribed_to_before_the_recording_began_is_known_by_what_came() -> None:
    first, second = Place(SERVICE, FIRST), Place(SERVICE, SECOND)
    recorded = transcript(
        ("app", "subscribe", first),
        ("device", "notification", first, b""),
        ("device", "notification", second, b""),
        ("app", "subscribe", second),
        ("app", "unsubscribe", first),
        ("app", "unsubscribe", first),
    )
    assert subscribed_before(recorded) == {second}
    assert without_effect(recorded) == {3, 5}


def test_a_refused_subscription_is_none() -> None:
    place = Place(SERVICE, FIRST)
    refused = Exchange(0, "app", "subscribe", place, error=0x05)
    again = Exchange(1, "app", "subscribe", place)
    assert without_effect(Transcript("made up", (refused, again))) == frozenset()
