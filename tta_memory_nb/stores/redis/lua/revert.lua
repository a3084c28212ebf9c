-- Undoes a change. ARGV: now, write_id, settled_below, client, deadline, capacity or '', number of writes,
-- then key and version of each write to undo, then key, recency, header and text of each record to restore.
-- Returns the counter before and after, the capacity before (-1: none), the evictions in all, the records that were
-- taken out, key and version of those that were restored, and the records that were evicted; the same again if this write had been
-- applied before, or false.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
local before = -1
if #ARGV == 7 + 2 * tonumber(ARGV[7]) then make_way() end  -- nothing is to be restored
if ARGV[6] ~= '' then
  before = max or -1
  max = tonumber(ARGV[6])
  call('HSET', META, 'max', ARGV[6])
end
local count = tonumber(ARGV[7])
local keys, versions = {}, {}
for i = 1, count do
  keys[i], versions[i] = ARGV[6 + 2 * i], tonumber(ARGV[7 + 2 * i])
end
local taken = count > 0 and remove(keys, versions, now, false, UNDONE) or {}
local restored = {}
for i = 8 + 2 * count, #ARGV, 4 do
  local key, recency, head, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if not is_live(call('HGET', VALUES, key)) then
    local version = restore(key, recency, head, text)
    if version then
      restored[#restored + 1] = key
      restored[#restored + 1] = version
    end
  end
end
local out = evict(2 * MOST, true)
-- A record that was restored and at once evicted again does not count as an eviction.
local is_restored = {}
for i = 1, #restored, 2 do is_restored[restored[i]] = true end
for i = 1, #out, 3 do
  if is_restored[out[i]] then evicted = evicted - 1 end
end
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq, before, evicted, taken, restored, out})
