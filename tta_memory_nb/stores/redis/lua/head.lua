-- The beginning of every script but the two for one record. payload.py describes the header of a record, keys.py the
-- keys. The first arguments of a write are: now, write_id, settled_below, client, deadline.
--
-- The recency of a record is a value of the counter `seq`, which every write and every read increments. The
-- counter starts at the server's time in microseconds, so a namespace whose keys were deleted never uses a
-- value again, and stays far below 2^53.

local call, byte, char, sub = redis.call, string.byte, string.char, string.sub
local pack, unpacked = struct.pack, struct.unpack
local VALUES, ORDER, EXPIRIES, META, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- The server's time decides. A client that may not ask for it sends what it takes for it.
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] + time[2] / 1000000
end
local NOW = string.format('%.17g', now)

-- The format number of the records that these scripts read and write, and what it is of a namespace with an index on the
-- server, or that keeps changes: see keys.py.
local FORMAT, FORMATS = '1', '|1|1+index|1+history|1+index+history|'
local function is_unknown(format)
  return format and format ~= FORMAT and not string.find(FORMATS, '|' .. format .. '|', 1, true)
end

-- The most values to pass to `unpack`, whose results have to fit on Lua's stack.
local MOST = 1000

local function whole(number) return string.format('%.0f', number) end

-- Another program may have written anything. A record whose header is damaged exists, never expires and is as old as can
-- be; clients show it as unreadable, and anybody may delete or replace it.
local function number_at(blob, at)
  local number = #blob >= 37 and unpacked('>d', blob, at) or 0
  return number == number and number or 0
end
local function updated_of(blob) return number_at(blob, 10) end
local function expires_of(blob) return number_at(blob, 18) end
local function version_of(blob) return number_at(blob, 26) end
local function is_tombstone(blob) return #blob >= 37 and byte(blob, 1) % 2 == 1 end

-- Whether the text follows 8 bytes more, the seconds to slide by: see payload.py. The expiry of such a record may have been
-- changed since it was written.
local function slides(blob)
  local flags = #blob >= 45 and byte(blob, 1) or 0
  return flags >= 32 and flags < 48
end

local function is_live(blob)
  if not blob or is_tombstone(blob) then return false end
  local expires = expires_of(blob)
  return expires == 0 or expires > now
end
