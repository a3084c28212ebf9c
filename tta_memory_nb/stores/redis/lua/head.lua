-- Begins every script but the two for one record. payload.py says what a header holds, keys.py what the
-- keys are. A write's first arguments are: now, op, floor, client, deadline.
--
-- A place in the order of recency is a number of the counter `seq`, which every write and every
-- read takes from. It starts at the server's time in microseconds, so that it never repeats one
-- from before everything was deleted, and stays far below 2^53.

local call, byte, char, sub = redis.call, string.byte, string.char, string.sub
local pack, unpacked = struct.pack, struct.unpack
local VALUES, ORDER, EXPIRIES, META, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = tonumber(ARGV[1])

-- The layout of the records that these scripts know, see keys.py.
local FORMAT = '1'

-- What may be told to `unpack`, whose results must fit on Lua's stack.
local MOST = 1000

local function whole(number) return string.format('%.0f', number) end
local function expires_of(blob) return (unpacked('>d', blob, 18)) end
local function version_of(blob) return (unpacked('>d', blob, 26)) end
local function is_tombstone(blob) return byte(blob, 1) % 2 == 1 end

local function is_live(blob)
  if not blob or is_tombstone(blob) then return false end
  local expires = expires_of(blob)
  return expires == 0 or expires > now
end
