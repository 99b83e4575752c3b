"""Print the frames of a Dr-05 and its host in a recording: type, state, function, parameters, order of the checksum.

tshark -r session.btsnoop -Y btatt.value -T fields -e frame.time_relative -e btatt.opcode -e btatt.value \\
    | python docs/examples/frames_of_a_recording.py
"""

import sys

from protocols.frames import FrameDecoder, Garbage

decoders = {"host": FrameDecoder(), "device": FrameDecoder()}
for line in sys.stdin:
    seconds, opcode, value = line.rstrip("\n").split("\t")
    if int(opcode, 16) not in {0x12, 0x52, 0x1B}:  # write request, write command, notification (Vol 3 Part F 3.4.8)
        continue
    who = "device" if int(opcode, 16) == 0x1B else "host"
    for item in decoders[who].feed(bytes.fromhex(value), float(seconds)):
        if isinstance(item, Garbage):
            print(f"{float(seconds):10.3f}  {who:6}  not a frame: {item.data.hex(' ')} ({item.reason})")
        else:
            order = item.order.name.lower() if item.order else "neither"
            what = f"{item.type:02X} {item.state:02X} {item.func:02X} {item.para.hex(' '):8}"
            print(f"{float(seconds):10.3f}  {who:6}  {what}  checksum {order}")
