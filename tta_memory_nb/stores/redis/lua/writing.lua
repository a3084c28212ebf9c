-- ---- the counters, and idempotency: a client may send a write again when its answer was lost
--
-- The field `client:...` holds `n:a-b,c-d,`: the writes of this client up to number n are settled (applied, or given up
-- for good), and of the later ones those from a to b and from c to d were applied.

local client = 'client:' .. ARGV[4]
local seq, evicted, max, start, done
-- Where the namespace has an index on the server: what the names of the shadows of records begin with, and the keys of the
-- sets of keys whose records the index does not have as they are now, or without a vector. See redisearch/index.py.
local shadows, PENDING, BARE

-- Whether a write arrives after its deadline. Its client has written it to its journal by then, and replays it
-- later; applied now, it could overwrite what other clients have written meanwhile.
local function is_late()
  local deadline = tonumber(string.match(ARGV[5], '^[^:]*'))
  if deadline == 0 then return false end
  local time = call('TIME')
  return time[1] * 1000000 + time[2] > deadline
end

-- Reads the counters. Returns an error if the write has to be refused; nothing was changed then.
local function open()
  local meta = call('HMGET', META, 'seq', 'evicted', 'max', client, 'format')
  if is_unknown(meta[5]) then return redis.error_reply('FORMAT ' .. meta[5]) end
  if meta[5] and meta[5] ~= FORMAT then
    if string.find(meta[5], '+index', 1, true) then
      local prefix = sub(VALUES, 1, -7)
      shadows = prefix .. 'i' .. (call('HGET', META, 'index') or '') .. ':'
      PENDING, BARE = prefix .. 'pending', prefix .. 'bare'
    end
    if is_keeping(meta[5]) then read_history() end
  end
  -- Whoever knows that changes are kept says who makes this one.
  if ARGV[4] ~= '' and (history or string.find(ARGV[5], ':', 1, true)) then
    author = string.match(ARGV[5], '^[^:]*:[^:]*:(.+)$')
    if (author == nil) ~= (history == nil) then
      return redis.error_reply('HISTORY the namespace keeps changes: '
        .. (history and history.bounds or call('HGET', META, 'history') or 'none'))
    end
    author = author or ''
  end
  if is_late() then return redis.error_reply('LATE the time for this write is over') end
  seq = tonumber(meta[1])
  if not seq then
    local time = redis.pcall('TIME')  -- a user may lack the right to call it
    seq = time.err and math.floor(now * 1000000) or time[1] * 1000000 + time[2]
    -- If there was a namespace of this name before, nothing is left of it: see greet.lua.
    call('HSET', META, 'epoch', whole(seq), 'format', FORMAT, 'incarnations', whole(seq) .. ':0,')
    local function part(section, pattern)
      local info = redis.pcall('INFO', section)
      return string.sub(type(info) == 'string' and string.match(info, pattern) or '', 1, 20)
    end
    local here = part('server', 'run_id:(%x+)') .. part('replication', 'master_replid:(%x+)')
    if here ~= '' then call('HSET', META, 'incarnation', here) end
  end
  evicted, max, start, done = tonumber(meta[2] or 0), tonumber(meta[3]), seq, meta[4]
end

-- Whether a client has compared a write with another list of tombstones than there is, of which the field `tombstones` has the number.
-- Its number follows the deadline. Returns the error that has the client read the list and try again.
local function not_compared()
  local number = call('HGET', META, 'tombstones')
  if not number or number == string.match(ARGV[5], '^[^:]*:([^:]*)') then return false end
  return redis.error_reply('STONES the list of tombstones has the number ' .. number)
end

local function is_done(write_id)
  if not done then return false end
  local number, settled, applied = tonumber(write_id), string.match(done, '^(%d+):(.*)$')
  if number <= tonumber(settled) then return true end
  for from, to in string.gmatch(applied, '(%d+)-(%d+)') do
    if number >= tonumber(from) and number <= tonumber(to) then return true end
  end
  return false
end

local function mark_done(write_id, settled_below)
  local number, settled, applied = tonumber(write_id), string.match(done or '0:', '^(%d+):(.*)$')
  settled = math.max(tonumber(settled), tonumber(settled_below) - 1)
  -- Neighbours become one range, so a long replay leaves few of them.
  local first, last, kept = number, number, {}
  for from, to in string.gmatch(applied, '(%d+)-(%d+)') do
    from, to = tonumber(from), tonumber(to)
    if to + 1 == first then first = from
    elseif from == last + 1 then last = to
    elseif from <= settled + 1 then settled = math.max(settled, to)
    else kept[#kept + 1] = whole(from) .. '-' .. whole(to) .. ',' end
  end
  if first <= settled + 1 then
    settled = math.max(settled, last)
  else
    kept[#kept + 1] = whole(first) .. '-' .. whole(last) .. ','
  end
  if not done or number % 64 == 0 then
    call('HSET', META, 'seen:' .. ARGV[4], NOW)
  end
  -- A client that closes takes its fields with it. Of those that did not, forget the ones that have not written for
  -- three days; for an hour where there are many. Each new client looks at a part of them.
  if not done then
    local clients = call('HLEN', META) / 2
    if clients > 250 then
      local forget_before = now - (clients > 1000 and 3600 or 259200)
      local scan = call('HSCAN', META, call('HGET', META, 'scan') or '0', 'MATCH', 'seen:*', 'COUNT', 200)
      for i = 1, #scan[2], 2 do
        if tonumber(scan[2][i + 1]) < forget_before then
          call('HDEL', META, scan[2][i], 'client:' .. sub(scan[2][i], 6))
        end
      end
      call('HSET', META, 'scan', scan[1])
    end
  end
  done = whole(settled) .. ':' .. table.concat(kept)
end

-- Begins a script that frees room, or that has nothing to write but these counters, with a command that frees: then a
-- server without room allows all that follow.
local function make_way() call('HDEL', META, '') end

local function close()
  call('HSET', META, 'seq', whole(seq), 'evicted', whole(evicted), client, done)
  save_changes()
end

-- ---- answers: a client that has lost one sends its write again, and gets the same one

local ANSWERS = KEYS[6]
local MOST_BYTES = 65536

local function remember(answer)
  for _, write_id in ipairs(redis.pcall('HKEYS', ANSWERS)) do
    if tonumber(write_id) < tonumber(ARGV[3]) then redis.pcall('HDEL', ANSWERS, write_id) end
  end
  local packed = cmsgpack.pack(answer)
  -- It holds what was deleted, which would take up the room that a deletion is to free.
  if #packed > MOST_BYTES then return answer end
  redis.pcall('HSET', ANSWERS, ARGV[2], packed)
  redis.pcall('EXPIRE', ANSWERS, 300)
  return answer
end

-- Returns the answer of a write that was applied before; false if it is not kept any more.
local function remembered()
  local answer = redis.pcall('HGET', ANSWERS, ARGV[2])
  return type(answer) == 'string' and cmsgpack.unpack(answer)
end

-- ---- deletions

-- Has records never expire. The field `expiring` says whether EXPIRIES exists, so that greet.lua notices when the server has
-- evicted it.
local function keep_for_ever(keys)
  if call('ZREM', EXPIRIES, unpack(keys)) > 0 and call('EXISTS', EXPIRIES) == 0 then call('HDEL', META, 'expiring') end
end

local function expire(pairs)
  call('ZADD', EXPIRIES, unpack(pairs))
  call('HSET', META, 'expiring', 1)
end

-- Removes keys from everything but the values, and logs the deletion for the replicas of other clients.
local function unlist(keys)
  local log = {}
  for _, key in ipairs(keys) do
    seq = seq + 1
    log[#log + 1] = whole(seq)
    log[#log + 1] = key
  end
  call('ZREM', ORDER, unpack(keys))
  keep_for_ever(keys)
  if shadows then
    local names = {}
    -- RediSearch takes the byte 0 for the end of a name.
    local escaped = {['\0'] = '%00', ['%'] = '%25'}
    for i, key in ipairs(keys) do names[i] = shadows .. string.gsub(key, '[%z%%]', escaped) end
    call('UNLINK', unpack(names))
    call('SREM', PENDING, unpack(keys))
    call('SREM', BARE, unpack(keys))
  end
  call('ZADD', LOG, unpack(log))
  call('HSET', META, 'logged', 1)  -- so that greet.lua notices when the server has evicted the log
end

-- Deletes existing records without leaving tombstones. `blobs`: what they are, which is only asked for if changes are kept.
local function forget(keys, event, blobs)
  blobs = history and (blobs or call('HMGET', VALUES, unpack(keys)))
  unlist(keys)  -- first, as in `remove`
  call('HDEL', VALUES, unpack(keys))
  for i, key in ipairs(history and keys or {}) do
    if blobs[i] then note_end(event, key, blobs[i]) end
  end
end

-- Deletes at most `most` expired records; returns how many it has deleted. Each leaves a tombstone with the instant of its last
-- write: an older write that a client has made in an outage must not come to life after it.
local function sweep(most)
  local keys = call('ZRANGEBYSCORE', EXPIRIES, '-inf', NOW, 'LIMIT', 0, most)
  if #keys == 0 then return 0 end
  local blobs, first, tombstones = call('HMGET', VALUES, unpack(keys)), seq, {}
  unlist(keys)  -- frees, so it comes first: see make_way
  for i, key in ipairs(keys) do
    local blob = blobs[i]
    if blob and not is_tombstone(blob) then
      tombstones[#tombstones + 1] = key
      tombstones[#tombstones + 1] = pack('>BddddI4', 1, 0, updated_of(blob), 0, first + i, 0)
      note(EXPIRED, key, blob)
    end
  end
  if #tombstones > 0 then
    call('HSET', VALUES, unpack(tombstones))
    call('HINCRBY', META, 'expired', #tombstones / 2)
  end
  return #keys
end

-- Limits the log, and with it the number of tombstones, to 4096 entries or an eighth of the records.
local function trim()
  local excess = call('ZCARD', LOG) - math.max(4096, math.floor(call('ZCARD', ORDER) / 8))
  if excess < 256 then return end
  excess = math.min(excess, MOST)
  local rows = call('ZRANGE', LOG, 0, excess - 1, 'WITHSCORES')
  local keys, tombstones = {}, {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  local latest = tonumber(call('HGET', META, 'trimmed_at') or 0) or 0
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if blob and is_tombstone(blob) then
      tombstones[#tombstones + 1] = keys[i]
      latest = math.max(latest, updated_of(blob))
    end
  end
  if #tombstones > 0 then call('HDEL', VALUES, unpack(tombstones)) end
  call('ZREMRANGEBYRANK', LOG, 0, excess - 1)
  -- The number up to which deletions are forgotten, and the latest of their instants.
  call('HSET', META, 'trimmed', rows[#rows], 'trimmed_at', string.format('%.17g', latest))
end

-- Evicts at most `most` of the least recently used records above the capacity; returns key, recency, blob of each.
local function evict(most, want)
  local out = {}
  if not max or call('ZCARD', ORDER) <= max then return out end
  while sweep(MOST) == MOST do end
  local excess = math.min(call('ZCARD', ORDER) - max, most)
  while excess > 0 do
    local rows = call('ZRANGE', ORDER, 0, math.min(excess, MOST) - 1, 'WITHSCORES')
    local keys = {}
    for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
    local blobs = (want or history) and call('HMGET', VALUES, unpack(keys))
    if want then
      for i, blob in ipairs(blobs) do
        out[#out + 1] = keys[i]
        out[#out + 1] = rows[2 * i]
        out[#out + 1] = blob or ''
      end
    end
    forget(keys, EVICTED, blobs)
    evicted = evicted + #keys
    excess = excess - #keys
  end
  trim()
  return out
end

-- Deletes records and leaves tombstones; returns key, recency, blob of each deleted record.
-- `versions` holds for each key the only version that may be deleted, or is nil. `always`: leaves a tombstone also where
-- there is no record. `event`: what that is to the records.
local function remove(keys, versions, at, always, event)
  local out, gone, tombstones, lost, ended = {}, {}, {}, {}, {}
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    local key = keys[i]
    if is_live(blob) and not (versions and version_of(blob) ~= versions[i]) then
      out[#out + 1] = key
      out[#out + 1] = call('ZSCORE', ORDER, key) or 0
      out[#out + 1] = blob
      gone[#gone + 1] = key
      ended[#ended + 1] = blob
      tombstones[#tombstones + 1] = key
      tombstones[#tombstones + 1] = pack('>BddddI4', 1, 0, at, 0, seq + #gone, 0)
    elseif always and not (blob and is_tombstone(blob) and updated_of(blob) >= at) then
      gone[#gone + 1] = key
      ended[#ended + 1] = blob and not is_tombstone(blob) and blob
      tombstones[#tombstones + 1] = key
      tombstones[#tombstones + 1] = pack('>BddddI4', 1, 0, at, 0, seq + #gone, 0)
    elseif not blob then
      lost[#lost + 1] = key
    end
  end
  if #lost > 0 then call('ZREM', ORDER, unpack(lost)) end  -- listed without a value, by another program
  if #gone > 0 then
    unlist(gone)  -- frees, so it comes first: see make_way. A user who may not call ZREM deletes nothing.
    call('HSET', VALUES, unpack(tombstones))
    for i, key in ipairs(gone) do
      if ended[i] then note_end(event or DELETED, key, ended[i]) end
    end
    trim()
  end
  return out
end

-- ---- writes

local NEVER = string.rep('\0', 8)

-- Writes records with different keys. Returns key, recency, blob of the replaced records (if `want`), and number and
-- created_at of those that have kept the created_at of an earlier record, which the client does not know.
local function put(keys, heads, texts, want)
  local olds = call('HMGET', VALUES, unpack(keys))
  local values, recencies, expiries, lasting, logged = {}, {}, {}, {}, {}
  local replaced, kept = {}, {}
  for i, key in ipairs(keys) do
    local head, old = heads[i], olds[i]
    local flags, created = byte(head, 1), nil
    local live = old and is_live(old)
    if flags % 32 < 16 then
      created = sub(head, 2, 9)
    else
      flags = flags - 16
      created = sub(head, 10, 17)
      local first = live and number_at(old, 2) or 0
      if live and first > -1e11 and first < 1e12 and #old >= 37 then  -- not that of a damaged header
        created = sub(old, 2, 9)
        kept[#kept + 1] = i
        kept[#kept + 1] = created
      end
    end
    local expires = sub(head, 18, 25)
    if old then
      if live and want then
        replaced[#replaced + 1] = key
        replaced[#replaced + 1] = call('ZSCORE', ORDER, key) or 0
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
    recencies[n - 1] = seq
    recencies[n] = key
    if expires ~= NEVER then
      expiries[#expiries + 1] = expires_of(head)
      expiries[#expiries + 1] = key
    end
  end
  call('HSET', VALUES, unpack(values))
  if history then
    for i, key in ipairs(keys) do
      local old = olds[i] and not is_tombstone(olds[i]) and olds[i]
      local live = is_live(old)
      if old and not live then note(EXPIRED, key, old) end
      note(WRITTEN, key, live and old)
    end
  end
  call('ZADD', ORDER, unpack(recencies))
  if #expiries > 0 then expire(expiries) end
  if #lasting > 0 then keep_for_ever(lasting) end
  if #logged > 0 then call('ZREM', LOG, unpack(logged)) end
  if shadows then call('SADD', PENDING, unpack(keys)) end
  return replaced, kept
end

-- Has a record expire at an instant; with none, one that slides after its own time from `from` on. Returns its new header and span,
-- or nil where nothing changes.
local function touch(key, blob, at, ttl, from)
  local sliding = slides(blob)
  local span = sliding and unpacked('>d', blob, 38) or 0
  if at then
    if span > 0 then span = ttl end
  else
    if span <= 0 or from + span - expires_of(blob) < span / 64 then return nil end
    at = from + span
  end
  local flags = byte(blob, 1)
  local head = char(sliding and flags or flags + 32) .. sub(blob, 2, 17) .. pack('>d', at) .. sub(blob, 26, 37)
    .. pack('>d', span)
  call('HSET', VALUES, key, head .. sub(blob, sliding and 46 or 38))
  if expires_of(head) ~= expires_of(blob) then note(TOUCHED, key, blob) end
  expire({expires_of(head), key})
  return head
end

-- Puts a record that was removed back to its place, or for the recency 0 to the new end; returns its version, or nil if
-- it has expired.
local function restore(key, recency, head, text)
  local expires = expires_of(head)
  if expires ~= 0 and expires <= now then return nil end
  seq = seq + 1
  -- The record keeps its version, so that the change that wrote it can still be undone as well.
  local version = version_of(head)
  if version == 0 then version = seq end
  if tonumber(recency) == 0 then recency = whole(seq) end
  local old = history and call('HGET', VALUES, key)
  call('HSET', VALUES, key, sub(head, 1, 25) .. pack('>d', version) .. sub(head, 34, 37) .. text)
  if old and not is_tombstone(old) then note(EXPIRED, key, old) end
  note(RESTORED, key)
  call('ZADD', ORDER, recency, key)
  if expires ~= 0 then expire({expires, key}) else keep_for_ever({key}) end
  call('ZADD', LOG, whole(seq), key)
  if shadows then call('SADD', PENDING, key) end
  return version
end
