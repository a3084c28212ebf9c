-- Replays the writes that a client made in an outage. ARGV: now, 0, settled_below, client, deadline, base, since, then
-- writes: write_id, kind, at, count, author ('' if unknown), and for each record, for 'set' and 'append' key, header, text; for 'delete' its key; for 'apply' key, what to do
-- ('set' or 'delete'; deletions come last), header, text; for 'touch' key and time to live; for 'take', which deletes one version only, key and version; for 'restore', which leaves alone what has been written since, key, recency,
-- header, text.
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
local WIDTHS = {set = 3, append = 3, delete = 1, apply = 4, touch = 2, take = 2, restore = 4}
while frees and i <= #ARGV do
  local kind = ARGV[i + 1]
  frees = kind == 'delete' or kind == 'take' or (kind == 'apply' and ARGV[i + 6] ~= 'set')
  i = i + 5 + ARGV[i + 3] * WIDTHS[kind]
end
if frees then
  make_way()
else
  refused = not_compared()
  if refused then return refused end
end
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

-- The version that each record has got that was set or restored; 0 for a record that was not.
local versions, refusals = {}, {}

local apply = {}

-- Writes records, some at a time: see MOST.
local function set(first, count, width, at, known)
  local keys, heads, texts, over = {}, {}, {}, {}
  for j = 0, count - 1 do
    local next_one = first + (j + 1) * width
    local key, head, text = ARGV[next_one - width], ARGV[next_one - 2], ARGV[next_one - 1]
    local blob, instant, expires = call('HGET', VALUES, key), instant_of(head, at), expires_of(head)
    if is_newer(blob, instant) then
      -- It stays.
    elseif is_forgotten(blob, instant) then
      versions[known + j + 1] = -1
    elseif expires ~= 0 and expires <= now then
      over[#over + 1] = {key, instant}
    else
      local n = #keys + 1
      keys[n], heads[n], texts[n] = key, head, text
      versions[known + j + 1] = seq + n
    end
  end
  if #keys > 0 then put(keys, heads, texts, false) end
  for _, each in ipairs(over) do remove({each[1]}, nil, each[2], true) end
end

function apply.set(first, count, at, known) set(first, count, WIDTHS.set, at, known) end

apply.append = apply.set

local function delete(first, count, width, at)
  local keys = {}
  for i = first, first + (count - 1) * width, width do
    if not is_newer(call('HGET', VALUES, ARGV[i]), at) then keys[#keys + 1] = ARGV[i] end
  end
  if #keys > 0 then remove(keys, nil, at, true) end
end

function apply.delete(first, count, at) delete(first, count, 1, at) end

-- The only write that may have more records than fit on Lua's stack.
function apply.apply(first, count, at, known)
  local width, sets = WIDTHS.apply, 0
  while sets < count and ARGV[first + sets * width + 1] == 'set' do sets = sets + 1 end
  for j = sets, count - 1, 500 do delete(first + j * width, math.min(500, count - j), width, at) end
  for j = 0, sets - 1, 500 do set(first + j * width, math.min(500, sets - j), width, at, known + j) end
end

-- What was written since has an expiry of its own.
function apply.touch(first, count, at)
  for i = first, first + 2 * count - 2, 2 do
    local key, ttl = ARGV[i], tonumber(ARGV[i + 1])
    local blob = call('HGET', VALUES, key)
    if is_live(blob) and #blob >= 37 and byte(blob, 1) % 32 < 16 and not is_newer(blob, at) then
      touch(key, blob, ttl and at + ttl, ttl, at)
      seq = seq + 1
      call('ZADD', ORDER, whole(seq), key)
    end
  end
end

function apply.take(first, count, at)
  local keys, pinned = {}, {}
  for j = 1, count do keys[j], pinned[j] = ARGV[first + 2 * j - 2], tonumber(ARGV[first + 2 * j - 1]) end
  remove(keys, pinned, at, false, UNDONE)
end

-- Numbers before those of the writes of this script, for records whose place in the order of use only the client knew: it
-- sends them in their order.
local reserved

function apply.restore(first, count, at, known)
  for j = 0, count - 1 do
    local key, recency, head, text = unpack(ARGV, first + 4 * j, first + 4 * j + 3)
    local blob = call('HGET', VALUES, key)
    if is_forgotten(blob, at) then
      versions[known + j + 1] = -1
    elseif not is_live(blob) and not is_newer(blob, at) then
      if recency == '0' then
        reserved = reserved + 1
        recency = whole(reserved)
      end
      versions[known + j + 1] = restore(key, recency, head, text) or 0
    end
  end
end

-- Finds the versions of records that were set or restored before, when the answer was lost.
local function recall(first, count, width, known)
  for j = 0, count - 1 do
    local next_one = first + (j + 1) * width
    local at, text = sub(ARGV[next_one - 2], 10, 17), ARGV[next_one - 1]
    local blob = call('HGET', VALUES, ARGV[first + j * width])
    if is_live(blob) and sub(blob, 10, 17) == at and sub(blob, 38) == text then
      versions[known + j + 1] = version_of(blob)
    end
  end
end

-- Gives messages the keys that their caller knows. The server has appended them under keys of its own before, in a write whose
-- answer was lost; whoever has deleted one since has deleted it under either key.
local function adopt(first, count, known)
  local wanted, missing = {}, 0
  for j = 0, count - 1 do
    if versions[known + j + 1] == 0 then
      local head, text = ARGV[first + 3 * j + 1], ARGV[first + 3 * j + 2]
      local same = sub(head, 10, 17) .. text
      wanted[same] = wanted[same] or {}
      table.insert(wanted[same], j)
      missing = missing + 1
    end
  end
  local owner = string.match(ARGV[first], '^(.*:)')
  local from = '(' .. whole(base)
  while missing > 0 do
    local rows = call('ZRANGEBYSCORE', ORDER, from, '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
    for n = 1, #rows, 2 do
      local key = rows[n]
      local blob = sub(key, 1, #owner) == owner and string.find(key, '^%d+$', #owner + 1) and call('HGET', VALUES, key)
      local found = is_live(blob) and wanted[sub(blob, 10, 17) .. sub(blob, 38)]
      if found and #found > 0 then
        local j = table.remove(found, 1)
        local at = first + 3 * j
        forget({key}, DELETED)
        put({ARGV[at]}, {ARGV[at + 1]}, {ARGV[at + 2]}, false)
        versions[known + j + 1] = seq
        missing = missing - 1
      end
    end
    if #rows < 2 * MOST then break end
    from = '(' .. rows[#rows]
  end
end

-- Has the server give higher numbers from now on than those of messages that were appended in the outage, also of those that have
-- expired since. A clock that is more than a day ahead does not count.
local function count_on(first, count)
  local most = math.floor(now * 1000000) + 86400000000
  for j = first, first + 3 * (count - 1), 3 do
    local given = tonumber(string.match(ARGV[j], ':(%d+)[^:]*$'))
    if given and given <= most then seq = math.max(seq, given) end
  end
end

i, reserved = 8, seq
while i <= #ARGV do
  local kind, count = ARGV[i + 1], tonumber(ARGV[i + 3])
  i = i + 5
  if kind == 'restore' then
    for j = i + 1, i + 4 * count, 4 do
      if ARGV[j] == '0' then seq = seq + 1 end
    end
  end
  i = i + count * WIDTHS[kind]
end

local number = 0
i = 8
while i <= #ARGV do
  local write_id, kind, at, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  author = ARGV[i + 4]
  i, number = i + 5, number + 1
  local width, known = WIDTHS[kind], #versions
  local puts = (kind == 'set' or kind == 'append' or kind == 'restore') and count or 0
  if kind == 'apply' then
    while puts < count and ARGV[i + puts * width + 1] == 'set' do puts = puts + 1 end
  end
  for j = 1, puts do versions[known + j] = 0 end
  if kind == 'append' then count_on(i, count) end
  if is_done(write_id) then
    recall(i, puts, width, known)
    if kind == 'append' then adopt(i, count, known) end
  else
    -- One write that is refused, by a missing right or a key of another kind, must not stop the others.
    local went, refusal = pcall(apply[kind], i, count, at, known)
    if went then
      mark_done(write_id, ARGV[3])
      evict(2 * MOST, false)  -- each time: a later write may make room again
    else
      refusals[#refusals + 1] = number
      refusals[#refusals + 1] = type(refusal) == 'table' and refusal.err or tostring(refusal)
      for j = 1, puts do versions[known + j] = 0 end
    end
  end
  i = i + count * width
end
sweep(100)  -- last, as in put.lua
done = done or '0:'
make_way()  -- also where nothing was written: a server without room has to say which writes it has refused
close()
return {start, seq, evicted, max or -1, versions, refusals}
