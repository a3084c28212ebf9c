-- Deletes and writes records in one step, if others are as expected. ARGV: now, write_id, settled_below, client, deadline, the
-- numbers of expectations and of deletions; then key and version of each record that is expected ('' for no record), the keys to
-- delete, and key, header and text of each record to write.
-- Returns the counter before, after the deletions and at the end, the recency of the first and the last record, the evictions by this
-- write and in all, the capacity (-1: none), the records that were replaced and evicted, for each record that kept its created_at
-- its number and that instant, and the records that were deleted; the same again if this write had been applied before, or
-- false. If something is not as expected, returns only a list of its keys, each with 1 if there is a record, else 0.
local first_delete = 8 + 2 * tonumber(ARGV[6])
local first_put = first_delete + tonumber(ARGV[7])
if first_put > #ARGV and first_put > first_delete then make_way() end
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
refused = first_put <= #ARGV and not_compared()
if refused then return refused end
local conflicts = {}
for i = 8, first_delete - 1, 2 do
  local blob = call('HGET', VALUES, ARGV[i])
  local live = is_live(blob)
  if (live and whole(version_of(blob)) or '') ~= ARGV[i + 1] then
    conflicts[#conflicts + 1] = ARGV[i]
    conflicts[#conflicts + 1] = live and 1 or 0
  end
end
if #conflicts > 0 then return {conflicts} end

local function extend(list, more)
  for _, each in ipairs(more) do list[#list + 1] = each end
end

-- So many records at a time, see MOST.
local STEP = 500
local deleted, replaced, kept = {}, {}, {}
for i = first_delete, first_put - 1, STEP do
  extend(deleted, remove({unpack(ARGV, i, math.min(i + STEP, first_put) - 1)}, nil, now))
end
local after_deletes = seq
local number = 0
for i = first_put, #ARGV, 3 * STEP do
  local keys, heads, texts = {}, {}, {}
  for j = i, math.min(i + 3 * STEP, #ARGV + 1) - 1, 3 do
    local n = #keys + 1
    keys[n], heads[n], texts[n] = ARGV[j], ARGV[j + 1], ARGV[j + 2]
  end
  local some_replaced, some_kept = put(keys, heads, texts, true)
  extend(replaced, some_replaced)
  for j = 1, #some_kept, 2 do some_kept[j] = some_kept[j] + number end
  extend(kept, some_kept)
  number = number + #keys
end
local last, before, out = seq, evicted, {}
while max and call('ZCARD', ORDER) > max do extend(out, evict(2 * MOST, true)) end
sweep(100)  -- last, as in put.lua
mark_done(ARGV[2], ARGV[3])
close()
return remember({
  start, after_deletes, seq, after_deletes + 1, last, evicted - before, evicted, max or -1, replaced, out, kept, deleted,
})
