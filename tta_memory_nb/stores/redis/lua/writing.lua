-- ---- the counters, and each write once: a client may send it again when the answer was lost
--
-- What is known of a client is `n:a,b,`: its writes up to n are settled, a and b were applied as well.

local client = 'client:' .. ARGV[4]
local seq, evicted, max, start, done

-- Nobody waits any more for an answer to what comes after its deadline: its client has written it to
-- its journal, and sends it again when it may no longer overtake what others write.
local function is_late()
  local deadline = tonumber(ARGV[5])
  if deadline == 0 then return false end
  local time = call('TIME')
  return time[1] * 1000000 + time[2] > deadline
end

-- Reads the counters; gives an error when the write is not to be carried out. Nothing was changed then.
local function open()
  local meta = call('HMGET', META, 'seq', 'evicted', 'max', client, 'format')
  if meta[5] and meta[5] ~= FORMAT then return redis.error_reply('FORMAT ' .. meta[5]) end
  if is_late() then return redis.error_reply('LATE the time for this write is over') end
  seq = tonumber(meta[1])
  if not seq then
    local time = redis.pcall('TIME')  -- which not every user may ask for
    seq = time.err and math.floor(now * 1000000) or time[1] * 1000000 + time[2]
    call('HSET', META, 'epoch', whole(seq), 'format', FORMAT)
  end
  evicted, max, start, done = tonumber(meta[2] or 0), tonumber(meta[3]), seq, meta[4]
end

local function is_done(op)
  if not done then return false end
  local settled, applied = string.match(done, '^(%d+):(.*)$')
  return tonumber(op) <= tonumber(settled) or string.find(',' .. applied, ',' .. op .. ',', 1, true) ~= nil
end

local function mark_done(op, floor)
  local settled, applied = 0, ''
  if done then
    settled, applied = string.match(done, '^(%d+):(.*)$')
    settled = tonumber(settled)
  end
  settled = math.max(settled, tonumber(floor) - 1)
  local number = tonumber(op)
  if number == settled + 1 then settled = number else applied = applied .. op .. ',' end
  if #applied > 2000 or number == settled then
    local kept = {}
    for each in string.gmatch(applied, '%d+') do
      if tonumber(each) > settled then kept[#kept + 1] = each .. ',' end
    end
    applied = table.concat(kept)
  end
  if not done or number % 64 == 0 then
    call('HSET', META, 'seen:' .. ARGV[4], ARGV[1])
  end
  -- Clients come and go. One that has been away for three days is not known any more.
  if not done and call('HLEN', META) > 500 then
    local all = call('HGETALL', META)
    for i = 1, #all, 2 do
      if sub(all[i], 1, 5) == 'seen:' and tonumber(all[i + 1]) < now - 259200 then
        call('HDEL', META, all[i], 'client:' .. sub(all[i], 6))
      end
    end
  end
  done = whole(settled) .. ':' .. applied
end

local function close()
  call('HSET', META, 'seq', whole(seq), 'evicted', whole(evicted), client, done)
end

-- ---- taking out

-- Takes keys out of everything but the values, and tells the mirrors of other clients.
local function unlist(keys)
  local log = {}
  for _, key in ipairs(keys) do
    seq = seq + 1
    log[#log + 1] = whole(seq)
    log[#log + 1] = key
  end
  call('ZREM', ORDER, unpack(keys))
  call('ZREM', EXPIRIES, unpack(keys))
  call('ZADD', LOG, unpack(log))
end

-- Deletes records, which must be there, without a trace but in the log: expired and evicted ones.
local function forget(keys)
  call('HDEL', VALUES, unpack(keys))
  unlist(keys)
end

-- Deletes what has expired, a part of it; gives how many records that were.
local function sweep(most)
  local keys = call('ZRANGEBYSCORE', EXPIRIES, '-inf', ARGV[1], 'LIMIT', 0, most)
  if #keys > 0 then forget(keys) end
  return #keys
end

-- Keeps the log, and with it the number of tombstones, in proportion.
local function trim()
  local excess = call('ZCARD', LOG) - math.max(4096, math.floor(call('ZCARD', ORDER) / 8))
  if excess < 256 then return end
  excess = math.min(excess, MOST)
  local rows = call('ZRANGE', LOG, 0, excess - 1, 'WITHSCORES')
  local keys, dead = {}, {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if blob and is_tombstone(blob) then dead[#dead + 1] = keys[i] end
  end
  if #dead > 0 then call('HDEL', VALUES, unpack(dead)) end
  call('ZREMRANGEBYRANK', LOG, 0, excess - 1)
  call('HSET', META, 'trimmed', rows[#rows])
end

-- Evicts the least recently used above the capacity, at most so many; gives key, place, blob of each.
local function evict(most, want)
  local out = {}
  if not max or call('ZCARD', ORDER) <= max then return out end
  while sweep(MOST) == MOST do end
  local excess = math.min(call('ZCARD', ORDER) - max, most)
  while excess > 0 do
    local rows = call('ZRANGE', ORDER, 0, math.min(excess, MOST) - 1, 'WITHSCORES')
    local keys = {}
    for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
    if want then
      for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
        out[#out + 1] = keys[i]
        out[#out + 1] = rows[2 * i]
        out[#out + 1] = blob
      end
    end
    forget(keys)
    evicted = evicted + #keys
    excess = excess - #keys
  end
  trim()
  return out
end

-- Deletes records and leaves tombstones; gives key, place, blob of each that was there.
-- `versions` names for each the one write that may be deleted, or is nil.
local function remove(keys, versions, at)
  local out, gone, stones = {}, {}, {}
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    local key = keys[i]
    if is_live(blob) and not (versions and version_of(blob) ~= versions[i]) then
      out[#out + 1] = key
      out[#out + 1] = call('ZSCORE', ORDER, key)
      out[#out + 1] = blob
      gone[#gone + 1] = key
      stones[#stones + 1] = key
      stones[#stones + 1] = pack('>BddddI4', 1, 0, at, 0, seq + #gone, 0)
    end
  end
  if #gone > 0 then
    call('HSET', VALUES, unpack(stones))
    unlist(gone)
    trim()
  end
  return out
end

-- ---- putting in

local NEVER = string.rep('\0', 8)

-- Writes records, each key once. Gives key, place, blob of those that it has replaced, if wanted, and
-- number and created_at of those that were there before, where the client did not know that.
local function put(keys, heads, texts, want)
  local olds = call('HMGET', VALUES, unpack(keys))
  local values, places, expiries, lasting, logged = {}, {}, {}, {}, {}
  local replaced, kept = {}, {}
  for i, key in ipairs(keys) do
    local head, old = heads[i], olds[i]
    local flags, created = byte(head, 1), nil
    local live = old and is_live(old)
    if flags < 16 then
      created = sub(head, 2, 9)
    else
      flags = flags - 16
      created = sub(head, 10, 17)
      if live then
        created = sub(old, 2, 9)
        kept[#kept + 1] = i
        kept[#kept + 1] = created
      end
    end
    local expires = sub(head, 18, 25)
    if old then
      if live and want then
        replaced[#replaced + 1] = key
        replaced[#replaced + 1] = call('ZSCORE', ORDER, key)
        replaced[#replaced + 1] = old
      end
      if expires == NEVER and expires_of(old) ~= 0 then lasting[#lasting + 1] = key end
      if is_tombstone(old) then logged[#logged + 1] = key end
    end
    seq = seq + 1
    local n = 2 * i
    values[n - 1] = key
    values[n] = char(flags) .. created .. sub(head, 10, 25) .. pack('>d', seq) .. sub(head, 34)
      .. texts[i]
    places[n - 1] = seq
    places[n] = key
    if expires ~= NEVER then
      expiries[#expiries + 1] = expires_of(head)
      expiries[#expiries + 1] = key
    end
  end
  call('HSET', VALUES, unpack(values))
  call('ZADD', ORDER, unpack(places))
  if #expiries > 0 then call('ZADD', EXPIRIES, unpack(expiries)) end
  if #lasting > 0 then call('ZREM', EXPIRIES, unpack(lasting)) end
  if #logged > 0 then call('ZREM', LOG, unpack(logged)) end
  return replaced, kept
end
