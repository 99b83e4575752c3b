"""Advertising data: what is said is what is heard, and no bytes at all make the decoder fail."""

from __future__ import annotations

from uuid import UUID

import pytest
from bumble.core import AdvertisingData
from hypothesis import given
from hypothesis import strategies as st

from protocols.gatt import uuid
from rig.devices.model import Advertisement
from rig.radio.advertising import Heard, decode, encode

SHORT = st.integers(0x1000, 0xFFFF).map(uuid)
FULL = st.uuids().map(str)


@st.composite
def advertisements(draw: st.DrawFn) -> Advertisement:
    services = draw(st.lists(SHORT, max_size=3, unique=True)) + draw(st.lists(FULL, max_size=1))
    return Advertisement(
        name=draw(st.text("abcäöü 0123-", max_size=10)),
        service_uuids=tuple(services),
        service_data=tuple(draw(st.dictionaries(SHORT, st.binary(max_size=4), max_size=1)).items()),
        manufacturer_data=tuple(
            draw(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=5), max_size=1)).items()
        ),
    )


def _fits(advertisement: Advertisement, tx_power: int | None) -> tuple[bytes, bytes] | None:
    try:
        return encode(advertisement, tx_power)
    except ValueError:
        return None


@given(advertisements(), st.none() | st.integers(-127, 20))
def test_what_is_encoded_is_decoded_again(advertisement: Advertisement, tx_power: int | None) -> None:
    parts = _fits(advertisement, tx_power)
    if parts is None:
        return
    assert all(len(part) <= 31 for part in parts)
    heard = decode(*parts)
    assert sorted(heard.service_uuids) == sorted(advertisement.service_uuids)
    heard.service_uuids.clear()
    assert heard == Heard(
        local_name=advertisement.name or None,
        tx_power=tx_power,
        service_data=dict(advertisement.service_data),
        manufacturer_data=dict(advertisement.manufacturer_data),
    )


def test_most_examples_fit_so_the_test_above_is_about_something() -> None:
    assert _fits(Advertisement("0123456789", (uuid("ffe0"), uuid("180f")), (), ((1, b"12345"),)), 0) is not None
    assert _fits(Advertisement("x" * 60), None) is None


@given(st.binary(max_size=62))
def test_no_bytes_make_the_decoder_fail(data: bytes) -> None:
    for service in decode(data).service_uuids:
        assert str(UUID(service)) == service


@given(advertisements())
def test_bumbles_parser_reads_the_same_name(advertisement: Advertisement) -> None:
    try:
        first, second = encode(advertisement)
    except ValueError:
        return
    parsed = AdvertisingData.from_bytes(first + second)
    assert (parsed.get(AdvertisingData.COMPLETE_LOCAL_NAME) or "") == advertisement.name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes.fromhex("03 08 61 62"), Heard(local_name="ab")),
        (bytes.fromhex("02 0a f8"), Heard(tx_power=-8)),
        (bytes.fromhex("05 04 01 00 00 00"), Heard(service_uuids=[uuid("0001")])),
        (bytes.fromhex("03 02 0f 18 03 03 0f 18"), Heard(service_uuids=[uuid("180f")])),
        (bytes.fromhex("07 20 01 00 00 00 aa bb"), Heard(service_data={uuid("0001"): b"\xaa\xbb"})),
        (bytes.fromhex("04 ff 4c 00 01"), Heard(manufacturer_data={0x004C: b"\x01"})),
        (bytes.fromhex("02 01 06 00 00 00"), Heard()),
        (bytes.fromhex("09 09 61 62"), Heard()),  # longer than the data
    ],
)
def test_structures_as_the_specification_has_them(data: bytes, expected: Heard) -> None:
    assert decode(data) == expected
