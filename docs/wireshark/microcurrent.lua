-- Wireshark dissectors for the Open Microcurrent Profile (OMP) and for the 55 AA frames of the Dr-05.
--
-- Use: tshark -X lua_script:microcurrent.lua -r session.btsnoop, or copy it into Wireshark's personal plugins folder
-- (Help > About > Folders). Fields are called omp.* and frame55aa.*, as in the filter `frame55aa.checksum_good == 0`.
-- Wireshark finds characteristics by their UUIDs, so the discovery has to be in the recording.
--
-- The names of the fields are those of protocols/omp_codec.py and protocols/frames.py; a test compares them.

local hex = base.HEX
local dec = base.DEC

-- ---- OMP ------------------------------------------------------------------------------------------------------------

local omp = Proto("omp", "Open Microcurrent Profile")

local STATES = { [0] = "idle", "ready", "running", "paused", "contact lost", "ramping down", "fault", "charging" }
local FAULTS = { [0] = "none", "over-current", "over-temperature", "electrode short", "battery low", "internal" }
local WAVEFORMS = { [0] = "pulsed DC", "biphasic square", "sine" }
local COLOURS = { [0] = "red", "amber", "blue" }
local RESULTS = {
    [0x01] = "success", [0x02] = "not supported", [0x03] = "invalid parameter", [0x04] = "failed",
    [0x05] = "control not permitted", [0x06] = "wrong state", [0x07] = "no contact", [0x08] = "charging",
    [0x09] = "time limit reached",
}
local OPCODES = {
    [0x00] = "none", [0x01] = "Request Control", [0x02] = "Set Target Current", [0x03] = "Set Waveform",
    [0x04] = "Start", [0x05] = "Pause", [0x06] = "Resume", [0x07] = "Stop", [0x08] = "Keep Alive",
    [0x09] = "Set Ramp", [0x0A] = "Set Light", [0x0B] = "Identify", [0x0C] = "Acknowledge Fault",
    [0x0D] = "Report Records", [0x0E] = "Abort Report", [0x0F] = "Delete Records",
}

-- name, kind, title, base, names of its values
local OMP_FIELDS = {
    { "major", "u8", "Major version" },
    { "minor", "u8", "Minor version" },
    { "max_current_ua", "u16", "Highest target (µA)" },
    { "current_step_ua", "u16", "Step of the target (µA)" },
    { "max_session_s", "u16", "Longest run (s)" },
    { "max_ramp_ua_per_s", "u16", "Steepest ramp (µA/s)" },
    { "channels", "u8", "Channels" },
    { "waveforms", "u8", "Waveforms", hex },
    { "extras", "u8", "Extras", hex },
    { "zones", "u8", "Zones cleared", hex },
    { "reserved", "u16", "Reserved", hex },
    { "mark", "u8", "Answer", hex },
    { "opcode", "u8", "Opcode", hex, OPCODES },
    { "result", "u8", "Result", hex, RESULTS },
    { "nonce", "u32", "Nonce", hex },
    { "target_ua", "u16", "Target (µA)" },
    { "waveform", "u8", "Waveform", dec, WAVEFORMS },
    { "frequency_dhz", "u16", "Frequency (0.1 Hz)" },
    { "longest_s", "u16", "Longest run (s)" },
    { "valid_ms", "u16", "Valid for (ms)" },
    { "ramp_ua_per_s", "u16", "Ramp (µA/s)" },
    { "colour", "u8", "Colour", dec, COLOURS },
    { "percent", "u8", "Brightness (%)" },
    { "beeps", "u8", "Beeps" },
    { "from_session_id", "u32", "From session" },
    { "records", "u16", "Records" },
    { "state", "u8", "State", dec, STATES },
    { "fault", "u8", "Fault", dec, FAULTS },
    { "seconds_left", "u16", "Seconds left" },
    { "keep_alive_ms_left", "u16", "Keep-alive left (ms)" },
    { "session_id", "u32", "Session" },
    { "sequence", "u16", "Sequence" },
    { "ms_since_start", "u32", "Time since switched on (ms)" },
    { "delivered_ua", "u16", "Delivered peak (µA)" },
    { "impedance_10_ohm", "u16", "Impedance (10 ohms)" },
    { "contact", "u8", "Contact (0 to 100)" },
    { "temperature_c_100", "i16", "Skin (0.01 °C)" },
    { "crc", "u16", "Checksum", hex },
    { "index", "u16", "Piece" },
    { "total", "u16", "Pieces" },
    { "piece", "bytes", "Part of the record" },
    { "left_over", "bytes", "Bytes that have no place in the layout" },
    { "crc_good", "bool", "Checksum is right" },
}
local MAKE = {
    u8 = ProtoField.uint8, u16 = ProtoField.uint16, u32 = ProtoField.uint32, i16 = ProtoField.int16,
    bytes = ProtoField.bytes, bool = ProtoField.bool,
}
local SIZES = { u8 = 1, u16 = 2, i16 = 2, u32 = 4 }

local omp_field, omp_kind = {}, {}
for _, each in ipairs(OMP_FIELDS) do
    local name, kind, title, shown, values = each[1], each[2], each[3], each[4], each[5]
    if kind == "bytes" or kind == "bool" then
        omp_field[name] = MAKE[kind]("omp." .. name, title)
    else
        omp_field[name] = MAKE[kind]("omp." .. name, title, shown or dec, values)
    end
    omp_kind[name] = kind
end
omp.fields = omp_field

local omp_short = ProtoExpert.new("omp.short", "Shorter than its layout", expert.group.MALFORMED, expert.severity.ERROR)
local omp_crc_bad = ProtoExpert.new("omp.crc_bad", "Wrong checksum", expert.group.CHECKSUM, expert.severity.ERROR)
local omp_refused = ProtoExpert.new("omp.refused", "Refused", expert.group.RESPONSE_CODE, expert.severity.WARN)
omp.experts = { omp_short, omp_crc_bad, omp_refused }

local REQUESTS = {
    [0x01] = { "nonce" }, [0x02] = { "target_ua" }, [0x03] = { "waveform", "frequency_dhz" }, [0x04] = { "longest_s" },
    [0x05] = {}, [0x06] = {}, [0x07] = {}, [0x08] = { "valid_ms" }, [0x09] = { "ramp_ua_per_s" },
    [0x0A] = { "colour", "percent" }, [0x0B] = { "beeps" }, [0x0C] = {}, [0x0D] = { "from_session_id" }, [0x0E] = {},
    [0x0F] = { "from_session_id" },
}
local ANSWERS = { [0x01] = { "nonce" }, [0x0D] = { "records" }, [0x0F] = { "records" } }

-- Adds the fields of a layout from `at` on; returns where they end, or nil when the bytes end before.
local function add(tree, buffer, at, names)
    for _, name in ipairs(names) do
        local length = SIZES[omp_kind[name]]
        if at + length > buffer:len() then
            tree:add_proto_expert_info(omp_short)
            return nil
        end
        tree:add_le(omp_field[name], buffer(at, length))
        at = at + length
    end
    return at
end

local function rest(tree, buffer, at)
    if at and at < buffer:len() then
        tree:add(omp_field.left_over, buffer(at))
    end
end

local function features(tree, buffer)
    rest(tree, buffer, add(tree, buffer, 0, {
        "major", "minor", "max_current_ua", "current_step_ua", "max_session_s", "max_ramp_ua_per_s", "channels",
        "waveforms", "extras", "zones", "reserved",
    }))
    return "features"
end

local function control_point(tree, buffer)
    if buffer(0, 1):uint() == 0x80 then
        local at = add(tree, buffer, 0, { "mark", "opcode", "result" })
        if not at then
            return "answer, cut"
        end
        local opcode, result = buffer(1, 1):uint(), buffer(2, 1):uint()
        if result == 0x01 then
            at = add(tree, buffer, at, ANSWERS[opcode] or {})
        else
            tree:add_proto_expert_info(omp_refused, RESULTS[result] or "unknown result")
        end
        rest(tree, buffer, at)
        return (OPCODES[opcode] or "unknown opcode") .. ": " .. (RESULTS[result] or "unknown result")
    end
    local at = add(tree, buffer, 0, { "opcode" })
    local opcode = buffer(0, 1):uint()
    rest(tree, buffer, add(tree, buffer, at, REQUESTS[opcode] or {}))
    return OPCODES[opcode] or "unknown opcode"
end

local function status(tree, buffer)
    local names = { "state", "fault", "target_ua", "seconds_left", "keep_alive_ms_left", "session_id" }
    rest(tree, buffer, add(tree, buffer, 0, names))
    return "status: " .. (STATES[buffer(0, 1):uint()] or "unknown state")
end

-- CRC-16/CCITT-FALSE: polynomial 1021, start FFFF, nothing reflected, nothing added at the end.
local function ccitt(buffer, length)
    local crc = 0xFFFF
    for at = 0, length - 1 do
        crc = bit.bxor(crc, bit.lshift(buffer(at, 1):uint(), 8))
        for _ = 1, 8 do
            crc = bit.band(crc, 0x8000) ~= 0 and bit.bxor(bit.lshift(crc, 1), 0x1021) or bit.lshift(crc, 1)
            crc = bit.band(crc, 0xFFFF)
        end
    end
    return crc
end

local function telemetry(tree, buffer)
    local at = add(tree, buffer, 0, {
        "sequence", "ms_since_start", "delivered_ua", "impedance_10_ohm", "contact", "temperature_c_100", "state", "crc",
    })
    if not at then
        return "telemetry, cut"
    end
    local good = ccitt(buffer, 14) == buffer(14, 2):le_uint()
    tree:add(omp_field.crc_good, buffer(14, 2), good):set_generated()
    if not good then
        tree:add_proto_expert_info(omp_crc_bad)
    end
    rest(tree, buffer, at)
    return string.format("telemetry: %d µA", buffer(6, 2):le_uint())
end

local function session_record(tree, buffer)
    local at = add(tree, buffer, 0, { "session_id", "index", "total" })
    if at and at < buffer:len() then
        tree:add(omp_field.piece, buffer(at))
    end
    return "session record"
end

local function omp_uuid(number)
    return string.format("5a3f%04x-8c1e-4b6e-9d2a-6f0d1c7a9e42", number)
end

local function characteristic(number, name, dissect)
    local proto = Proto("omp_" .. name, "OMP " .. name:gsub("_", " "))
    function proto.dissector(buffer, pinfo, tree)
        if buffer:len() == 0 then
            return 0
        end
        local branch = tree:add(omp, buffer())
        local said = dissect(branch, buffer)
        branch:append_text(", " .. said)
        pinfo.cols.protocol = "OMP"
        pinfo.cols.info:append(" | " .. said)
        return buffer:len()
    end
    DissectorTable.get("bluetooth.uuid"):add(omp_uuid(number), proto)
end

characteristic(0x0002, "features", features)
characteristic(0x0003, "control_point", control_point)
characteristic(0x0004, "status", status)
characteristic(0x0005, "telemetry", telemetry)
characteristic(0x0006, "session_record", session_record)

-- ---- 55 AA ----------------------------------------------------------------------------------------------------------

local frames = Proto("frame55aa", "55 AA frame")

local TYPES = { [0x31] = "action", [0x32] = "set", [0x33] = "get", [0x66] = "report" }
local WHO = { [0x00] = "refused", [0x01] = "accepted", [0x02] = "request" }

local f = {
    header = ProtoField.uint16("frame55aa.header", "Header", hex),
    len = ProtoField.uint8("frame55aa.len", "Length"),
    device_id = ProtoField.uint16("frame55aa.device_id", "Device", hex),
    type = ProtoField.uint8("frame55aa.type", "Type", hex, TYPES),
    state = ProtoField.uint8("frame55aa.state", "State", hex, WHO),
    func = ProtoField.uint8("frame55aa.func", "Function", hex),
    para = ProtoField.bytes("frame55aa.para", "Parameters"),
    crc = ProtoField.uint16("frame55aa.crc", "Checksum", hex),
    order = ProtoField.string("frame55aa.order", "Byte order of the checksum"),
    checksum_good = ProtoField.bool("frame55aa.checksum_good", "Checksum is right"),
    other = ProtoField.bytes("frame55aa.other", "Not a frame"),
}
frames.fields = f

local frame_crc_bad =
    ProtoExpert.new("frame55aa.crc_bad", "Wrong checksum in either byte order", expert.group.CHECKSUM, expert.severity.ERROR)
local frame_low_first = ProtoExpert.new(
    "frame55aa.low_first", "Low byte first: the published firmware refuses it", expert.group.CHECKSUM, expert.severity.WARN)
local frame_cut = ProtoExpert.new("frame55aa.cut", "The frame goes on elsewhere", expert.group.REASSEMBLE, expert.severity.NOTE)
frames.experts = { frame_crc_bad, frame_low_first, frame_cut }

-- CRC-16/MODBUS: polynomial 8005 reflected, start FFFF.
local function modbus(buffer, from, length)
    local crc = 0xFFFF
    for at = from, from + length - 1 do
        crc = bit.bxor(crc, buffer(at, 1):uint())
        for _ = 1, 8 do
            crc = bit.band(crc, 1) ~= 0 and bit.bxor(bit.rshift(crc, 1), 0xA001) or bit.rshift(crc, 1)
        end
    end
    return crc
end

-- Adds one frame that begins at `at`; returns its length and what it says.
local function add_frame(tree, buffer, at)
    local len = buffer(at + 2, 1):uint()
    local whole = len + 5
    if len < 5 or len > 8 then
        return nil
    end
    if at + whole > buffer:len() then
        local branch = tree:add(frames, buffer(at))
        branch:add(f.other, buffer(at))
        branch:add_proto_expert_info(frame_cut)
        return buffer:len() - at, "cut"
    end
    local branch = tree:add(frames, buffer(at, whole))
    branch:add(f.header, buffer(at, 2))
    branch:add(f.len, buffer(at + 2, 1))
    branch:add(f.device_id, buffer(at + 3, 2))
    branch:add(f.type, buffer(at + 5, 1))
    branch:add(f.state, buffer(at + 6, 1))
    branch:add(f.func, buffer(at + 7, 1))
    if len > 5 then
        branch:add(f.para, buffer(at + 8, len - 5))
    end
    local place = buffer(at + 3 + len, 2)
    branch:add(f.crc, place)
    local wanted = modbus(buffer, at + 2, len + 1)
    local high, low = place:uint() == wanted, place:le_uint() == wanted
    branch:add(f.checksum_good, place, high or low):set_generated()
    if high then
        branch:add(f.order, place, "high byte first"):set_generated()
    elseif low then
        branch:add(f.order, place, "low byte first"):set_generated()
        branch:add_proto_expert_info(frame_low_first)
    else
        branch:add_proto_expert_info(frame_crc_bad)
    end
    local said = string.format("%s %02x, %s", TYPES[buffer(at + 5, 1):uint()] or "unknown type",
        buffer(at + 7, 1):uint(), WHO[buffer(at + 6, 1):uint()] or "unknown state")
    branch:append_text(", " .. said)
    return whole, said
end

function frames.dissector(buffer, pinfo, tree)
    local at, said = 0, {}
    -- Other devices use the same UUIDs for other things: those are left to whoever knows them.
    if buffer:len() < 3 or buffer(0, 2):uint() ~= 0x55AA then
        return 0
    end
    while at < buffer:len() do
        local length, what
        if at + 3 <= buffer:len() and buffer(at, 2):uint() == 0x55AA then
            length, what = add_frame(tree, buffer, at)
        end
        if not length then
            tree:add(frames, buffer(at)):add(f.other, buffer(at))
            break
        end
        at = at + length
        said[#said + 1] = what
    end
    pinfo.cols.protocol = "55 AA"
    pinfo.cols.info:append(" | " .. table.concat(said, "; "))
    return buffer:len()
end

local UARTS = {
    "ffe1", "ffe2", "fff1", "fff2",
    "6e400002-b5a3-f393-e0a9-e50e24dcca9e", "6e400003-b5a3-f393-e0a9-e50e24dcca9e",
    "49535343-1e4d-4bd9-ba61-23c647249616", "49535343-8841-43f4-a8d4-ecbe34729bb3",
}
for _, uuid in ipairs(UARTS) do
    DissectorTable.get("bluetooth.uuid"):add(uuid, frames)
end
