-- Appends messages to a session, and gives them their keys. ARGV: now, write_id, settled_below, client, deadline, user and session of
-- the keys, then header and text of each message.
-- The number in a key is that of the write, and at least the server's time in microseconds. So it is higher than each that was given
-- before, and messages of all machines, also those of an outage, are in the order of their instants.
-- Returns what put.lua returns; the same again if this write had been applied before, or false.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
refused = not_compared()
if refused then return refused end
local count = (#ARGV - 6) / 2
seq = math.max(seq, math.floor(now * 1000000))
local function key_of(number) return ARGV[6] .. string.format(':%016.0f', number) end
local i = 1
while i <= count do  -- an import may have brought keys of a later instant
  if call('HEXISTS', VALUES, key_of(seq + i)) == 1 then seq, i = seq + i, 0 end
  i = i + 1
end
local first = seq + 1
for from = 1, count, 500 do  -- some at a time: see MOST
  local keys, heads, texts = {}, {}, {}
  for j = from, math.min(from + 499, count) do
    local n = #keys + 1
    keys[n], heads[n], texts[n] = key_of(seq + n), ARGV[5 + 2 * j], ARGV[6 + 2 * j]
  end
  put(keys, heads, texts, false)
end
local last, before, out = seq, evicted, {}
while max and call('ZCARD', ORDER) > max do
  for _, each in ipairs(evict(2 * MOST, true)) do out[#out + 1] = each end
end
sweep(100)  -- last, as in put.lua
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq, first, last, evicted - before, evicted, max or -1, {}, out, {}})
