"""Print how far apart the notifications of each characteristic are, for a capture of any size: count, median, longest.

python docs/examples/intervals_of_a_capture.py tests/captures/pongbot-mcp__btsnoop_hci.log.last.gz
"""

import sys
from collections import defaultdict

import numpy as np

import rig.capture
from rig.capture import att

times = defaultdict(list)  # (link, UUID) to arrays of seconds
for window in rig.capture.open(sys.argv[1]).att_windows():
    notifications = window.table[window["opcode"] == att.HANDLE_VALUE_NOTIFICATION]
    for link, uuid in np.unique(notifications[["link", "uuid"]]):
        rows = notifications[(notifications["link"] == link) & (notifications["uuid"] == uuid)]
        times[int(link), window.uuids[uuid] or "?"].append(rows["seconds"] + rows["nanoseconds"] / 1e9)
for (link, uuid), parts in sorted(times.items()):
    gaps = np.diff(np.concatenate(parts))
    if len(gaps):
        median, longest = np.median(gaps), gaps.max()
        print(f"link {link}  {uuid:36}  {len(gaps) + 1:6}  median {median:9.3f} s  longest {longest:9.3f} s")
