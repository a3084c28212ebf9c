-- Has records expire later, and makes them the most recently used. ARGV: now, write_id, settled_below, client, deadline, the time to
-- live in seconds ('' to begin that of records that slide again), then keys.
-- Returns the counter before and after, and of each record that exists its key, recency, header and span ('' if its expiry is what it
-- was); the same again if this write had been applied before, or false.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
local ttl, rows = tonumber(ARGV[6]), {}
for i = 7, #ARGV do
  local key = ARGV[i]
  local blob = call('HGET', VALUES, key)
  if is_live(blob) and #blob >= 37 and byte(blob, 1) % 32 < 16 then
    local changed = touch(key, blob, ttl and now + ttl, ttl, now)
    seq = seq + 1
    call('ZADD', ORDER, whole(seq), key)
    rows[#rows + 1] = key
    rows[#rows + 1] = seq
    rows[#rows + 1] = changed or ''
  end
end
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq, rows})
