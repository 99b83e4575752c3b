"""Print every notification in a capture: time, link, handle, what the handle means, value.

python docs/examples/notifications_of_a_capture.py tests/captures/BLETools__btsnoop_hci.log
"""

import sys

from rig.capture import att
from rig.capture.reading import Reading
from rig.capture.text import seconds

with Reading(sys.argv[1]) as capture:
    for pdu in capture.pdus():
        handle, uuid = capture.tracker.name(pdu)  # by the discovery seen so far
        if pdu.pdu[0] == att.HANDLE_VALUE_NOTIFICATION:
            print(
                f"{seconds(pdu.time_ns)}  link {pdu.link.number}  {handle:#06x} {uuid or '?':8}  {pdu.pdu[3:].hex(' ')}"
            )
