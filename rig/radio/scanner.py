"""The scanner of the bleak backend: advertising reports in, bleak's devices and advertisement data out.

Knows bleak's scanner contract. Refuses to know connections.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_str
from bumble import hci

from rig.radio.adapter import Adapter, Report
from rig.radio.advertising import decode


class BumbleScanner(BaseBleakScanner):
    """Scans on the adapter of its class.

    An active scan asks for the scan response and gives one detection an advertising event, with both merged; a passive
    one gives what is advertised alone. bleak's ``bluez`` and ``cb`` options are accepted and have no meaning here.
    """

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None = None,
        service_uuids: list[str] | None = None,
        scanning_mode: Literal["active", "passive"] = "active",
        **_kwargs: Any,
    ) -> None:
        full = [normalize_uuid_str(uuid) for uuid in service_uuids] if service_uuids is not None else None
        super().__init__(detection_callback, full)
        self._active = scanning_mode == "active"
        self._running = False
        self._unanswered: dict[str, Report] = {}  # advertisements that wait for their scan response
        self._heard: dict[str, tuple[bytes, bytes]] = {}

    async def start(self) -> None:
        """Start to scan; what an earlier scan has seen is forgotten.

        Raises:
            BleakError: this scanner is scanning already.
        """
        if self._running:
            raise BleakError("Scanner is already running")
        self.seen_devices = {}
        self._unanswered.clear()
        self._heard.clear()
        self._running = True
        try:
            await self.adapter.start_scan(self, self._on_report, active=self._active)
        except BaseException:
            self._running = False
            raise

    async def stop(self) -> None:
        """Stop to scan; nothing happens when it does not scan."""
        if self._running:
            self._running = False
            await self.adapter.stop_scan(self)

    def _on_report(self, report: Report) -> None:
        address = report.address.to_string(with_type_qualifier=False)
        _, response = self._heard.get(address, (b"", b""))
        if _is_scan_response(report):
            if not self._active:
                return  # somebody else's active scan
            advertisement = self._unanswered.pop(address, None)
            data = bytes(advertisement.data) if advertisement is not None else self._heard.get(address, (b"", b""))[0]
            self._detected(address, report, data, bytes(report.data))
            return
        if not (self._active and _is_scannable(report)):
            self._detected(address, report, bytes(report.data), response if self._active else b"")
            return
        # Hold it back for its scan response, which follows at once; when none has come by the next advertisement, there
        # will be none for this one.
        missed = self._unanswered.pop(address, None)
        if missed is not None:
            self._detected(address, missed, bytes(missed.data), response)
        self._unanswered[address] = report

    def _detected(self, address: str, report: Report, data: bytes, response: bytes) -> None:
        self._heard[address] = (data, response)
        heard = decode(data, response)
        if heard.local_name is not None:
            self.adapter.names[address] = heard.local_name
        if not self.is_allowed_uuid(heard.service_uuids):
            return
        details = {"address": report.address}
        advertisement = AdvertisementData(
            local_name=heard.local_name,
            manufacturer_data=heard.manufacturer_data,
            service_data=heard.service_data,
            service_uuids=heard.service_uuids,
            tx_power=heard.tx_power,
            rssi=report.rssi,
            platform_data=(report.address, details),
        )
        name = heard.local_name or self.adapter.names.get(address)
        device: BLEDevice = self.create_or_update_device(address, address, name, details, advertisement)
        self.call_detection_callbacks(device, advertisement)


def _is_scan_response(report: Report) -> bool:
    if isinstance(report, hci.HCI_LE_Advertising_Report_Event.Report):
        return report.event_type == hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP
    return bool(report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE)


def _is_scannable(report: Report) -> bool:
    if isinstance(report, hci.HCI_LE_Advertising_Report_Event.Report):
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        return report.event_type in (kinds.ADV_IND, kinds.ADV_SCAN_IND)
    return bool(report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCANNABLE_ADVERTISING)
