"""The attribute table of a live connection: the device's own handles wherever they can be meant, else a layout."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from protocols.gatt import uuid
from rig.capture.gatt import Attribute
from rig.capture.handle_map import HandleMap
from rig.capture.live_table import LiveTable

WIDE = "c0ffee01-1111-4222-8333-444455556666"

Described = tuple[int, str, list[str], Sequence[tuple[int, str]]]  # handle, UUID, properties, descriptors


def services(*described: tuple[int, str, Sequence[Described]]) -> BleakGATTServiceCollection:
    """Services as a backend of bleak makes them."""
    collection = BleakGATTServiceCollection()
    for handle, name, characteristics in described:
        service = BleakGATTService(None, handle, uuid(name))
        collection.add_service(service)
        for at, kind, properties, descriptors in characteristics:
            found = BleakGATTCharacteristic(None, at, uuid(kind), properties, lambda: 20, service)  # type: ignore[arg-type]
            collection.add_characteristic(found)
            for place, what in descriptors:
                collection.add_descriptor(BleakGATTDescriptor(None, place, uuid(what), found))
    return collection


def handles(table: LiveTable) -> list[tuple[int, str, str]]:
    return [(attribute.handle, attribute.kind, attribute.uuid) for attribute in table.attributes]


USUAL = (
    (1, "1800", [(2, "2a00", ["read"], [])]),
    (
        9,
        "ffe0",
        [
            (10, "ffe1", ["write", "notify"], [(12, "2902"), (14, "2901")]),
            (20, WIDE, ["read"], [(22, WIDE)]),
        ],
    ),
)


def test_handles_of_declarations_are_kept_and_the_value_follows() -> None:
    table = LiveTable(services(*USUAL))
    assert not table.has_own_handles
    assert table.attributes == (
        Attribute(1, "service", "1800", "1800", target=8),
        Attribute(2, "characteristic", "2803", "1800", "2a00", 0x02, target=3),
        Attribute(3, "value", "2a00", "1800", "2a00", 0x02),
        Attribute(9, "service", "ffe0", "ffe0", target=22),
        Attribute(10, "characteristic", "2803", "ffe0", "ffe1", 0x18, target=11),
        Attribute(11, "value", "ffe1", "ffe0", "ffe1", 0x18),
        Attribute(12, "descriptor", "2902", "ffe0", "ffe1"),
        Attribute(14, "descriptor", "2901", "ffe0", "ffe1"),
        Attribute(20, "characteristic", "2803", "ffe0", WIDE, 0x02, target=21),
        Attribute(21, "value", WIDE, "ffe0", WIDE, 0x02),
        Attribute(22, "descriptor", WIDE, "ffe0", WIDE),
    )


def test_it_is_the_table_of_a_handle_map_of_the_same_services() -> None:
    found = services(*USUAL)
    [mapped] = HandleMap.of_services(found).tables
    assert LiveTable(found).attributes == mapped.attributes


def test_the_order_in_which_a_backend_lists_services_does_not_matter() -> None:
    assert LiveTable(services(*reversed(USUAL))).attributes == LiveTable(services(*USUAL)).attributes


def test_handles_of_values_are_understood_where_they_cannot_be_those_of_declarations() -> None:
    listed = services((1, "ffe0", [(3, "ffe1", ["notify"], [(4, "2902")]), (6, "ffe2", ["read"], [])]))
    table = LiveTable(listed)
    assert not table.has_own_handles
    assert handles(table) == [
        (1, "service", "ffe0"),
        (2, "characteristic", "2803"),
        (3, "value", "ffe1"),
        (4, "descriptor", "2902"),
        (5, "characteristic", "2803"),
        (6, "value", "ffe2"),
    ]
    assert table.value_handle(listed.characteristics[3]) == 3
    assert table.cccd_handle(listed.characteristics[3]) == 4


@pytest.mark.parametrize(
    "listed",
    [
        services((0, "ffe0", [(1, "ffe1", ["notify", "write"], [(2, "2902")]), (3, "ffe2", ["read"], [(4, "2901")])])),
        services((5, "ffe0", [(5, "ffe1", ["notify", "write"], [(1, "2902")]), (6, "ffe2", ["read"], [(7, "2901")])])),
        services(
            (
                65530,
                "ffe0",
                [(65531, "ffe1", ["notify", "write"], [(65533, "2902")]), (65534, "ffe2", ["read"], [(65536, "2901")])],
            )
        ),
    ],
    ids=["too close together", "in no order", "beyond the last"],
)
def test_handles_that_make_no_table_are_replaced_by_a_layout(listed: BleakGATTServiceCollection) -> None:
    table = LiveTable(listed)
    assert table.has_own_handles
    assert handles(table) == [
        (1, "service", "ffe0"),
        (2, "characteristic", "2803"),
        (3, "value", "ffe1"),
        (4, "descriptor", "2902"),
        (5, "characteristic", "2803"),
        (6, "value", "ffe2"),
        (7, "descriptor", "2901"),
    ]
    first, second = listed.characteristics.values()
    assert (table.value_handle(first), table.cccd_handle(first)) == (3, 4)
    assert (table.value_handle(second), table.cccd_handle(second)) == (6, None)
    assert [table.descriptor_handle(descriptor) for descriptor in listed.descriptors.values()] == [4, 7]


def test_a_cccd_that_the_system_hides_is_where_a_handle_is_missing() -> None:
    listed = services((1, "ffe0", [(2, "ffe1", ["indicate"], [(4, "2901")]), (6, "ffe2", ["notify"], [])]))
    table = LiveTable(listed)
    assert not table.has_own_handles
    assert (5, "descriptor", "2902") in handles(table)
    assert table.cccd_handle(listed.characteristics[2]) == 5
    assert table.cccd_handle(listed.characteristics[6]) == 8


def test_where_no_handle_is_missing_there_is_no_cccd() -> None:
    listed = services((1, "ffe0", [(2, "ffe1", ["notify"], []), (4, "ffe2", ["notify"], [])]), (6, "ffe3", []))
    table = LiveTable(listed)
    assert [table.cccd_handle(found) for found in listed.characteristics.values()] == [None, None]
    assert table.attributes[-1] == Attribute(6, "service", "ffe3", "ffe3", target=6)


def test_a_layout_of_our_own_has_room_for_hidden_cccds() -> None:
    listed = services((0, "ffe0", [(1, "ffe1", ["notify"], []), (2, "ffe2", ["read"], [])]), (3, "ffe3", []))
    table = LiveTable(listed)
    assert handles(table) == [
        (1, "service", "ffe0"),
        (2, "characteristic", "2803"),
        (3, "value", "ffe1"),
        (4, "descriptor", "2902"),
        (5, "characteristic", "2803"),
        (6, "value", "ffe2"),
        (7, "service", "ffe3"),
    ]


def test_a_device_without_services_has_an_empty_table() -> None:
    table = LiveTable(services())
    assert table.attributes == ()
    assert not table.has_own_handles


def test_every_property_that_bleak_names_has_its_bit() -> None:
    listed = services(
        (
            1,
            "ffe0",
            [(2, "ffe1", ["broadcast", "read", "authenticated-signed-writes", "reliable-write", "what is this"], [])],
        )
    )
    assert LiveTable(listed).attributes[1].properties == 0x01 | 0x02 | 0x40 | 0x80
