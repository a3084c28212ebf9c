-- Writes one record. Most writes of an agent are calls of this script.
-- ARGV: now, write_id, settled_below, client, deadline, key, header, text.
--
-- Returns the counter if it has only been incremented; else a list of the counter and the created_at that the record
-- has kept ('' for none), and 1 if the client has to call trim.lua. A shorter list: the case is not simple, and the client has to call put.lua; {0} if that is so because the
-- namespace has an index on the server. False: this write had been applied before.
-- The deadline may be followed by the number of the list of tombstones that the record was compared with, and by the author of the
-- change: see not_compared and open in writing.lua, and changes.lua.
local META, key, head = KEYS[4], ARGV[6], ARGV[7]
local field = 'client:' .. ARGV[4]
local deadline, author, changes, number, noted_at = tonumber(ARGV[5]), nil, nil, nil, nil
-- A client that knows of tombstones or changes says more than the deadline.
local meta = deadline and redis.call('HMGET', META, 'seq', 'max', field, 'format', 'tombstones')
  or redis.call('HMGET', META, 'seq', 'max', field, 'format', 'tombstones', 'history_last', 'history_at')
local seq, done, write_id, settled_below = tonumber(meta[1]), meta[3], tonumber(ARGV[2]), tonumber(ARGV[3])
if not deadline then
  local text, compared, by = string.match(ARGV[5], '^(%d+):?(%d*):?(.*)$')
  deadline, author = tonumber(text), by ~= '' and by or nil
  if meta[5] and compared ~= meta[5] then return {} end
elseif meta[5] then
  return {}  -- put.lua says with which tombstones the record has to be compared
end
-- Not simple, so left to put.lua: the first write of all, a capacity, another format, a client that does not know whether changes are
-- kept, and a new client where there are many.
local keeps = meta[4] == '1+history'
if not seq or meta[2] or keeps ~= (author ~= nil) or (meta[4] and meta[4] ~= '1' and not keeps) then
  return meta[4] and string.find(meta[4], '+index', 1, true) and {0} or {}
end
if keeps then
  changes, number, noted_at = string.sub(KEYS[1], 1, -7) .. 'changes', tonumber(meta[6]) + 1, tonumber(meta[7])
end
local settled, applied = 0, ''
if done then
  settled, applied = string.match(done, '^(%d+):(.*)$')
  settled = tonumber(settled)
  if write_id <= settled then return false end
  for from, to in string.gmatch(applied, '(%d+)-(%d+)') do
    if write_id >= tonumber(from) and write_id <= tonumber(to) then return false end
  end
elseif redis.call('HLEN', META) > 500 then
  return {}
end
local now = tonumber(ARGV[1])
if deadline > 0 then
  local time = redis.call('TIME')  -- a client that may not call TIME sends no deadline
  local micros = time[1] * 1000000 + time[2]
  if micros > deadline then return redis.error_reply('LATE the time for this write is over') end
  now = now or micros / 1000000
end
local old = redis.call('HGET', KEYS[1], key)
local flags = string.byte(head, 1)
local is_new = flags % 32 >= 16
local created = string.sub(head, is_new and 10 or 2, is_new and 17 or 9)
local expires = struct.unpack('>d', head, 18)
local kept, was_deleted, loses_expiry = '', false, false
if old then
  if #old < 37 then return {} end
  local old_expires = struct.unpack('>d', old, 18)
  if author and old_expires ~= 0 and old_expires <= now then return {} end  -- it has expired, which is a change of its own
  if string.byte(old, 1) % 2 == 1 then
    was_deleted = true
  elseif is_new and (old_expires == 0 or old_expires > now) then
    local first = struct.unpack('>d', old, 2)
    if first > -1e11 and first < 1e12 then  -- not that of a damaged header
      created = string.sub(old, 2, 9)
      kept = created
    end
  end
  loses_expiry = old_expires ~= 0 and expires == 0
end
seq = seq + 1
local recency = string.format('%.0f', seq)
redis.call('HSET', KEYS[1], key, string.char(is_new and flags - 16 or flags) .. created .. string.sub(head, 10, 25)
  .. struct.pack('>d', seq) .. string.sub(head, 34, 37) .. ARGV[8])
redis.call('ZADD', KEYS[2], recency, key)
-- After what needs room: a server without room allows everything after a command that frees.
if was_deleted then redis.call('ZREM', KEYS[5], key) end
if loses_expiry and redis.call('ZREM', KEYS[3], key) > 0 and redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('HDEL', META, 'expiring')  -- see keep_for_ever in writing.lua
end
if expires ~= 0 then
  redis.call('ZADD', KEYS[3], expires, key)
  redis.call('HSET', META, 'expiring', 1)
end
-- Writes that are sent together come in order, so each settles all before it.
settled = math.max(settled, settled_below - 1)
if applied == '' and write_id == settled + 1 then
  settled = write_id
else  -- as mark_done of writing.lua
  local first, last, rest = write_id, write_id, {}
  for from, to in string.gmatch(applied, '(%d+)-(%d+)') do
    from, to = tonumber(from), tonumber(to)
    if to + 1 == first then first = from
    elseif from == last + 1 then last = to
    elseif from <= settled + 1 then settled = math.max(settled, to)
    else rest[#rest + 1] = string.format('%.0f-%.0f,', from, to) end
  end
  if first <= settled + 1 then
    settled = math.max(settled, last)
  else
    rest[#rest + 1] = string.format('%.0f-%.0f,', first, last)
  end
  applied = table.concat(rest)
end
local state = string.format('%.0f', settled) .. ':' .. applied
if author then
  noted_at = math.max(noted_at, now)
  redis.call('HSET', changes, number, struct.pack('>dBI4I2', noted_at, 1, #key, #author) .. key .. author
    .. (old and not was_deleted and old or ''))
  redis.call('HSET', META, 'seq', recency, field, state, 'history_last', number, 'history_at', noted_at)
else
  redis.call('HSET', META, 'seq', recency, field, state)
end
if not done or write_id % 64 == 0 then
  redis.call('HSET', META, 'seen:' .. ARGV[4], string.format('%.6f', now))
end
if author and number % 256 == 0 then return {seq, kept, 1} end
if kept ~= '' then return {seq, kept} end
return seq
