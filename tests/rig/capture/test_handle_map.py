"""Handle maps: what one capture or one connection told, for captures that lack it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from hypothesis import given
from hypothesis import strategies as st

from rig.capture.gatt import Attribute, GattTracker
from rig.capture.handle_map import HandleMap, MapTable
from rig.capture.layers.links import LOCAL, REMOTE, Address
from rig.capture.records import CaptureError
from tests.rig.capture.att_talk import HEART_RATE, PEER, link, named

OTHER = Address("C0:00:00:00:00:02", is_random=True)


def heart_rate() -> HandleMap:
    tracker = GattTracker()
    named(tracker, link(), *HEART_RATE)
    return HandleMap.of(tracker, [link()], {PEER.text: "Belt"})


def valid() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(heart_rate().to_json()))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_map_of_a_capture_names_a_capture_without_discovery(tmp_path: Path) -> None:
    heart_rate().save(tmp_path / "belt.json")
    tracker = GattTracker(HandleMap.load(tmp_path / "belt.json"))
    assert named(tracker, link(), "< 1b 0800 48", "> 12 0900 0100") == [(8, "2a37"), (9, "2902")]
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[9] == Attribute(9, "descriptor", "2902", "180d", "2a37")
    assert table.attributes[8].properties == 0x10
    assert not table.complete  # of this capture, nothing is known to be


def test_a_map_is_json_that_people_can_read() -> None:
    text = heart_rate().to_json()
    declaration = '{"handle": "0x0007", "kind": "characteristic", "uuid": "2a37", "value": "0x0008"'
    assert f'      {declaration}, "properties": ["notify"]}},\n' in text
    assert '      {"handle": "0x0006", "kind": "service", "uuid": "180d", "end": "0x0009"},\n' in text
    data = json.loads(text)
    assert (data["version"], data["tables"][0]["address"], data["tables"][0]["name"]) == (1, PEER.text, "Belt")


def test_includes_secondary_services_and_what_is_only_half_known_survive_a_file() -> None:
    tracker = GattTracker()
    lines = (
        "> 10 0100 ffff 0128", "< 11 06 0100 0600 0018",
        "> 08 0100 0600 0228", "< 09 06 0200 1000 1200",
        "> 04 0300 0400", "< 05 01 0300 0328 0400 f1ff 0600 0129",
        "> 08 0100 ffff 002a", "< 09 05 2000 414243",
        "< 10 0100 ffff 0028", "> 11 06 0100 0300 f0ff",
    )  # fmt: skip
    named(tracker, link(), *lines)
    once = HandleMap.of(tracker)
    again = HandleMap.from_json(once.to_json())
    assert again == once
    assert [table.is_local for table in again.tables] == [False, True]
    remembering = GattTracker(again)
    reads = ("> 0a 1000", "< 0b 0a18", "> 0a 0300", "< 0b 12 0400 f1ff", "< 0a 0100")
    assert named(remembering, link(), *reads)[1::2] == [(0x10, "180a"), (3, "2803")]
    assert named(remembering, link(), "> 0b f0ff") == [(1, "fff0")]


def test_an_empty_map_is_a_map() -> None:
    assert HandleMap.of(GattTracker()).tables == ()
    assert HandleMap.from_json(HandleMap().to_json()).tables == ()


# --- whose table ------------------------------------------------------------------------------------------------------


def of(*addresses: Address | None) -> HandleMap:
    return HandleMap(
        MapTable((Attribute(1, "value", f"f{number:03x}"),), address) for number, address in enumerate(addresses)
    )


@pytest.mark.parametrize(
    ("addresses", "peer", "expected"),
    [
        ([PEER, OTHER], PEER, "f000"),
        ([PEER, OTHER], OTHER, "f001"),
        ([PEER, OTHER], None, ""),
        ([PEER, OTHER], Address("C0:00:00:00:00:03"), ""),
        ([PEER], OTHER, "f000"),
        ([PEER], None, "f000"),
        ([None], PEER, "f000"),
        ([None, OTHER], PEER, "f000"),
        ([None, OTHER], OTHER, "f001"),
        ([None, None], PEER, ""),
        ([], PEER, ""),
    ],
)
def test_a_table_goes_by_address_and_an_only_one_to_every_link(
    addresses: list[Address | None], peer: Address | None, expected: str
) -> None:
    tracker = GattTracker(of(*addresses))
    assert named(tracker, link(1, peer), "< 1b 0100 00") == [(1, expected)]
    assert named(tracker, link(1, peer), "> 1b 0100 00") == [(1, "")]


def test_on_the_air_an_only_table_is_the_peripherals() -> None:
    on = link(1, None, on_air=True)
    assert named(GattTracker(of(PEER)), on, "< 1b 0100 00", "> 1b 0100 00") == [(1, "f000"), (1, "")]


def test_a_map_that_would_be_taken_without_end_is_taken_as_often_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rig.capture.gatt.MAX_ATTRIBUTES", 25)
    tracker = GattTracker(heart_rate())
    taken = [named(tracker, link(number, None), "< 1b 0800 00")[0][1] for number in range(6)]
    assert taken == ["2a37", "2a37", "", "", "", ""]


def test_the_recording_hosts_own_table_is_for_local_servers_alone() -> None:
    tables = HandleMap([MapTable((Attribute(1, "value", "f000"),), is_local=True)])
    assert named(GattTracker(tables), link(), "< 1b 0100 00", "> 1b 0100 00") == [(1, ""), (1, "f000")]
    assert tables.attributes_for(link(), LOCAL) == tables.tables[0].attributes


def test_what_the_capture_tells_goes_before_the_map_and_a_contradiction_ends_it() -> None:
    tracker = GattTracker(heart_rate())
    on = link(1, None)
    assert named(tracker, on, "> 04 0800 0800", "< 05 01 0800 0129", "> 0a 0800", "> 0a 0900")[2:] == [
        (8, "2901"), (9, "2902"),
    ]  # fmt: skip
    assert named(tracker, on, "> 10 0600 ffff 0028", "< 11 06 0600 0900 f0ff", "> 0a 0600", "> 0a 0900")[2:] == [
        (6, "fff0"), (9, ""),
    ]  # fmt: skip


# --- from a live connection -------------------------------------------------------------------------------------------


def live_services() -> BleakGATTServiceCollection:
    services = BleakGATTServiceCollection()
    full = "0000{}-0000-1000-8000-00805f9b34fb".format
    for handle, uuid in ((6, full("180d")), (1, full("1800"))):
        services.add_service(BleakGATTService(None, handle, uuid))
    for handle, uuid, properties, service in (
        (2, full("2a00"), ["read"], 1),
        (7, full("2a37"), ["notify", "write-without-response", "odd one"], 6),
    ):
        of_service = services.services[service]
        assert of_service is not None
        services.add_characteristic(
            BleakGATTCharacteristic(None, handle, uuid, cast("Any", properties), lambda: 20, of_service)
        )
    described = services.characteristics[7]
    services.add_descriptor(BleakGATTDescriptor(None, 9, full("2902"), described))
    return services


def test_a_connected_bleak_client_gives_a_map_too() -> None:
    handle_map = HandleMap.of_services(live_services(), address=PEER, name="Belt")
    [table] = handle_map.tables
    assert (table.address, table.name) == (PEER, "Belt")
    assert list(table.attributes) == [
        Attribute(1, "service", "1800", "1800", "", 0, 5),
        Attribute(2, "characteristic", "2803", "1800", "2a00", 0x02, 3),
        Attribute(3, "value", "2a00", "1800", "2a00", 0x02),
        Attribute(6, "service", "180d", "180d", "", 0, 9),
        Attribute(7, "characteristic", "2803", "180d", "2a37", 0x14, 8),
        Attribute(8, "value", "2a37", "180d", "2a37", 0x14),
        Attribute(9, "descriptor", "2902", "180d", "2a37"),
    ]
    assert HandleMap.from_json(handle_map.to_json()) == handle_map


def test_a_client_without_services_gives_an_empty_map() -> None:
    assert HandleMap.of_services(BleakGATTServiceCollection()).tables == ()


def test_an_address_that_became_known_late_is_in_the_map() -> None:
    tracker = GattTracker()
    on = link(1, None)
    named(tracker, on, *HEART_RATE)
    on.addresses[REMOTE] = PEER
    assert HandleMap.of(tracker).tables[0].address is None
    assert HandleMap.of(tracker, [on]).tables[0].address == PEER


# --- files that are none ----------------------------------------------------------------------------------------------


def broken(path: str, value: object) -> str:
    """A valid map in which one field is another: ``tables.0.attributes.0.handle``."""
    data = valid()
    at: Any = data
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        at = at[part]
    at[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a handle map: not JSON (Expecting value in line 1, column 1)"),
        ('{"a": 1', "line 1, column 8"),
        ("[]", "`format` has to be 'microcurrent handle map'"),
        ('{"format": "x"}', "`format` has to be"),
        ("[" * 100_000, "nested too deeply"),
        (broken("version", 2), "version: this program reads version 1, the file has 2"),
        (broken("version", value=True), "the file has True"),
        (broken("tables", {}), "tables: has to be a list"),
        (broken("tables.0", 1), "tables[0]: has to be an object"),
        (broken("tables.0.address", "AA:BB"), "tables[0].address: has to look like AA:BB:CC:DD:EE:FF, not 'AA:BB'"),
        (broken("tables.0.address", 7), "tables[0].address: has to look like"),
        (broken("tables.0.address_type", "rnd"), "tables[0].address_type: has to be 'public' or 'random', not 'rnd'"),
        (broken("tables.0.server", "me"), "tables[0].server: has to be 'peer' or 'host', not 'me'"),
        (broken("tables.0.name", 1), "tables[0].name: has to be text"),
        (broken("tables.0.attributes", None), "tables[0].attributes: has to be a list"),
        (broken("tables.0.attributes.3", []), "tables[0].attributes[3]: has to be an object"),
        (broken("tables.0.attributes.0.handle", "0x0"), "attributes[0].handle: has to be a handle from 0x0001"),
        (broken("tables.0.attributes.0.handle", "0x10000"), "attributes[0].handle: has to be a handle"),
        (broken("tables.0.attributes.0.handle", "0xfg"), "attributes[0].handle: has to be a handle"),
        (broken("tables.0.attributes.0.handle", 65536), "attributes[0].handle: has to be a handle"),
        (broken("tables.0.attributes.0.handle", value=True), "attributes[0].handle: has to be a handle"),
        (broken("tables.0.attributes.1.handle", 1), "attributes[1].handle: 0x0001 is there twice"),
        (broken("tables.0.attributes.0.kind", "thing"), "attributes[0].kind: has to be one of service, include"),
        (broken("tables.0.attributes.0.kind", []), "attributes[0].kind: has to be one of"),
        (broken("tables.0.attributes.0.uuid", "18"), "attributes[0].uuid: has to be four hex digits or a dashed"),
        (broken("tables.0.attributes.2.uuid", ""), "attributes[2].uuid: has to be four hex digits"),
        (broken("tables.0.attributes.0.uuid", "x" * 8 + "-0000-1000-8000-00805f9b34fb"), "attributes[0].uuid"),
        (broken("tables.0.attributes.5.end", "0x0002"), "attributes[5].end: 0x0002 lies before the service's first"),
        (broken("tables.0.attributes.0.end", 0), "attributes[0].end: has to be a handle"),
        (broken("tables.0.attributes.0.secondary", 1), "attributes[0].secondary: has to be true or false"),
        (broken("tables.0.attributes.1.properties", ["fly"]), "attributes[1].properties: 'fly' is none of broadcast"),
        (broken("tables.0.attributes.1.properties", [[]]), "attributes[1].properties: [] is none of"),
        (broken("version", 10**3999).replace("0" * 3999, "0" * 9999), "not a handle map"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(CaptureError) as caught:
        HandleMap.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert problem in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 200


def test_two_tables_for_one_address_are_one_too_many() -> None:
    data = valid()
    data["tables"].append(data["tables"][0])
    with pytest.raises(CaptureError, match=r"tables\[1\]\.address: a second table for C0:11"):
        HandleMap.from_json(json.dumps(data))


def test_files_that_cannot_be_read_or_are_no_text_are_said_to_be_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CaptureError, match="cannot be read: No such file"):
        HandleMap.load(tmp_path / "none.json")
    with pytest.raises(CaptureError, match="cannot be read: Is a directory"):
        HandleMap.load(tmp_path)
    (tmp_path / "bytes").write_bytes(b"btsnoop\0\xff\xfe")
    with pytest.raises(CaptureError, match="at byte 8: is not a handle map: not text"):
        HandleMap.load(tmp_path / "bytes")
    monkeypatch.setattr("rig.capture.handle_map.MAX_FILE_BYTES", 10)
    (tmp_path / "large").write_bytes(b" " * 11)
    with pytest.raises(CaptureError, match="is too large for a handle map"):
        HandleMap.load(tmp_path / "large")


def test_a_map_saved_by_an_editor_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_text(heart_rate().to_json(), encoding="utf-8-sig")
    assert HandleMap.load(tmp_path / "bom.json") == heart_rate()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70000) | st.text(max_size=6) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["format", "version", "tables", "tables.0"]
    + [f"tables.0.{name}" for name in ("address", "address_type", "name", "server", "attributes")]
    + [f"tables.0.attributes.{at}.{name}" for at in range(9) for name in ("handle", "kind", "uuid", "end", "value")]
    + [f"tables.0.attributes.{at}.{name}" for at in range(9) for name in ("properties", "secondary", "includes")]
)


@given(FIELDS, JSON)
def test_no_value_of_any_field_gets_past_the_reader_as_anything_but_a_map_or_one_line(
    field: str, value: object
) -> None:
    try:
        handle_map = HandleMap.from_json(broken(field, value))
    except CaptureError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
        return
    assert HandleMap.from_json(handle_map.to_json()) == handle_map
    tracker = GattTracker(handle_map)
    named(tracker, link(), *HEART_RATE)


def test_maps_compare_by_what_they_hold() -> None:
    assert heart_rate() == heart_rate()
    assert heart_rate() != HandleMap()
    assert heart_rate() != SimpleNamespace(tables=heart_rate().tables)
