-- Replays the writes that a client made in an outage. ARGV: now, 0, settled_below, client, deadline, base, since, then
-- writes: write_id, kind, at, count, and for 'set' key, header, text of each record, for 'delete' keys.
-- Returns the counter before and after, the evictions in all, the capacity (-1: none), the version of each record that
-- was set (0: it was not; -1: nobody can tell whether it was deleted later), and number and error of each write that was refused.
--
-- `base` is the counter as the client saw it last. A record that was written before that is older than the replayed
-- writes. Of what other clients have written and deleted since, the newest instant wins, in whatever order clients come
-- back. So a deletion leaves a tombstone here even if there is no record, for an older write that comes later.
local refused = open()
if refused then return refused end
local base = tonumber(ARGV[6])
local since = tonumber(ARGV[7])
local frees, i = true, 8
while frees and i <= #ARGV do
  frees = ARGV[i + 1] == 'delete'
  i = i + 4 + ARGV[i + 3]
end
if frees then make_way() end
local facts = call('HMGET', META, 'cleared', 'cleared_seq', 'trimmed', 'trimmed_at')
for n = 1, 4 do facts[n] = tonumber(facts[n] or 0) or 0 end
local cleared_at, cleared_seq, trimmed, trimmed_at = unpack(facts)

local function is_newer(blob, at)
  if blob and version_of(blob) > base and updated_of(blob) > at then return true end
  return (not blob or is_tombstone(blob)) and cleared_seq > base and cleared_at > at
end

-- Whether a record that is not there may have been deleted after an instant, by a tombstone that is forgotten.
local function is_forgotten(blob, at) return not blob and trimmed > base and trimmed_at >= at end

-- The instant of a record that is set: of the record, if it was taken in the outage, and not by an import or an undo.
local function instant_of(head, at)
  local updated = updated_of(head)
  return updated >= since and updated <= at and updated or at
end

-- The version that each record has got; 0 for a record that was not set.
local versions, refusals = {}, {}

local function apply(kind, first, count, width, at, known)
  local keys, heads, texts, over = {}, {}, {}, {}
  for j = 0, count - 1 do
    local key, head = ARGV[first + j * width], ARGV[first + j * width + 1]
    local blob, instant = call('HGET', VALUES, key), kind == 'set' and instant_of(head, at) or at
    if is_newer(blob, instant) then
      -- It stays.
    elseif kind == 'delete' then
      keys[#keys + 1] = key
    elseif is_forgotten(blob, instant) then
      versions[known + j + 1] = -1
    elseif expires_of(head) ~= 0 and expires_of(head) <= now then
      over[#over + 1] = {key, instant}
    else
      local n = #keys + 1
      keys[n], heads[n], texts[n] = key, head, ARGV[first + j * width + 2]
      versions[known + j + 1] = seq + n
    end
  end
  if kind == 'delete' then
    if #keys > 0 then remove(keys, nil, at, true) end
  elseif #keys > 0 then
    put(keys, heads, texts, false)
  end
  for _, each in ipairs(over) do remove({each[1]}, nil, each[2], true) end
end

-- Finds the versions of records that were set before, when the answer was lost.
local function recall(first, count, known)
  for j = 0, count - 1 do
    local at, text = sub(ARGV[first + j * 3 + 1], 10, 17), ARGV[first + j * 3 + 2]
    local blob = call('HGET', VALUES, ARGV[first + j * 3])
    if is_live(blob) and sub(blob, 10, 17) == at and sub(blob, 38) == text then
      versions[known + j + 1] = version_of(blob)
    end
  end
end

local number = 0
i = 8
while i <= #ARGV do
  local write_id, kind, at, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  i, number = i + 4, number + 1
  local width, known = 1, #versions
  if kind == 'set' then
    width = 3
    for j = 1, count do versions[known + j] = 0 end
  end
  if is_done(write_id) then
    if kind == 'set' then recall(i, count, known) end
  else
    -- One write that is refused, by a missing right or a key of another kind, must not stop the others.
    local went, refusal = pcall(apply, kind, i, count, width, at, known)
    if went then
      mark_done(write_id, ARGV[3])
    else
      refusals[#refusals + 1] = number
      refusals[#refusals + 1] = type(refusal) == 'table' and refusal.err or tostring(refusal)
      if kind == 'set' then
        for j = 1, count do versions[known + j] = 0 end
      end
    end
  end
  i = i + count * width
end
evict(2 * MOST, false)
sweep(100)  -- last, as in put.lua
done = done or '0:'
close()
return {start, seq, evicted, max or -1, versions, refusals}
