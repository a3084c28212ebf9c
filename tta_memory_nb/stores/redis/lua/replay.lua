-- Replays the writes that a client made in an outage. ARGV: now, 0, settled_below, client, deadline, base, then writes:
-- write_id, kind, at, count, and for 'set' key, header, text of each record, for 'delete' keys.
-- Returns the counter before and after, the evictions in all, the capacity (-1: none), the version of each record that
-- was set (0: it was not), and number and error of each write that was refused.
--
-- `base` is the counter as the client saw it last. A record that was written before that is older than the replayed
-- writes. Of records that other clients have written since, the newest instant wins.
local refused = open()
if refused then return refused end
local base = tonumber(ARGV[6])
local frees, i = true, 7
while frees and i <= #ARGV do
  frees = ARGV[i + 1] == 'delete'
  i = i + 4 + ARGV[i + 3]
end
if frees then make_way() end
local cleared = call('HMGET', META, 'cleared', 'cleared_seq')
local cleared_at, cleared_seq = tonumber(cleared[1] or 0), tonumber(cleared[2] or 0)

local function is_newer(blob, at)
  if not blob then return cleared_seq > base and cleared_at > at end
  return version_of(blob) > base and updated_of(blob) > at
end

-- The version that each record has got; 0 for a record that was not set.
local versions, refusals = {}, {}

local function apply(kind, first, count, width, at, known)
  local keys, heads, texts = {}, {}, {}
  for j = 0, count - 1 do
    local key = ARGV[first + j * width]
    if not is_newer(call('HGET', VALUES, key), at) then
      local n = #keys + 1
      keys[n] = key
      if kind == 'set' then
        heads[n], texts[n] = ARGV[first + j * width + 1], ARGV[first + j * width + 2]
        versions[known + j + 1] = seq + n
      end
    end
  end
  if #keys == 0 then return end
  if kind == 'set' then put(keys, heads, texts, false) else remove(keys, nil, at) end
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
i = 7
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
