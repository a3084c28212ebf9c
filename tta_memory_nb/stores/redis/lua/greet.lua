-- What a client sends first on every new connection. Tells the time, and notices that the server is not the one that it was.
-- ARGV: instant (not used), the highest counter that the client has seen.
--
-- The field `incarnation` of the namespace names the run of the server, and its role in the replication, that the records
-- were written in. A server that was restarted or has become the primary is another one, and it may have come back older: from a
-- snapshot, or as a replica that lacked the last writes. Whoever notices this first raises the counter to the server's time, beyond
-- every number that was ever given, and begins a new epoch. `incarnations` holds of each such beginning `number:counter,`: the number
-- that it began with, and the counter that the server had come back with. Of the writes with a higher number than that counter,
-- the server may have lost any. A client that has seen a higher number than the counter has the server count on from there, as if
-- it were another one: numbers are never given twice.
--
-- `restarts` holds the numbers of the beginnings that no connection has outlived. When a client first hears of one of these, it has seen
-- no number of the new incarnation yet; so those that it has seen are of earlier ones, also numbers beyond that beginning: the
-- clock of the machine that the server comes back on may be behind, and messages are numbered by the instant.
--
-- Returns seconds, microseconds, whether the user may ask for them, the counter ('' if there is none), `incarnations`, `restarts`,
-- whether a new incarnation could not be noted because the server cannot write now, and which keys the server has evicted.
local call, pcalled = redis.call, redis.pcall
local VALUES, ORDER, EXPIRIES, META, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time, may_ask = pcalled('TIME'), 1
if time.err then
  -- To a user without the right to ask, the id of an entry in a stream tells the time in milliseconds.
  may_ask = 0
  local key = string.sub(VALUES, 1, -7) .. 'time'
  local id = pcalled('XADD', key, '*', 'is', '')
  pcalled('UNLINK', key)
  if type(id) == 'table' then
    time = {'', ''}
  else
    local millis = tonumber(string.match(id, '^%d+'))
    time = {string.format('%.0f', math.floor(millis / 1000)), string.format('%.0f', millis % 1000 * 1000)}
  end
end
for i, kind in ipairs({'hash', 'zset', 'zset', 'hash', 'zset'}) do
  local found = call('TYPE', KEYS[i]).ok
  -- Another program uses the name. Verbs meet the error, and a clear makes room.
  if found ~= 'none' and found ~= kind then return {time[1], time[2], may_ask, '0', '', '', 0, ''} end
end
local meta = call('HMGET', META, 'seq', 'incarnation', 'incarnations', 'format', 'restarts')
local seq, known, beginnings, restarts = tonumber(meta[1]), meta[2], meta[3] or '', meta[5] or ''
local has_values, has_order = call('EXISTS', VALUES) == 1, call('EXISTS', ORDER) == 1
local lacks_meta = not seq and has_values
local known_formats = '|1|1+index|1+history|1+index+history|'
if (not seq and not lacks_meta) or (meta[4] and not string.find(known_formats, '|' .. meta[4] .. '|', 1, true)) then
  return {time[1], time[2], may_ask, '', beginnings, restarts, 0, ''}
end
seq = seq or 0

local function part(section, pattern)
  local info = pcalled('INFO', section)
  return string.sub(type(info) == 'string' and string.match(info, pattern) or '', 1, 20)
end
local here = part('server', 'run_id:(%x+)') .. part('replication', 'master_replid:(%x+)')

-- The server may have evicted one of the keys.
local came_back_with, evicted = seq, ''
if lacks_meta then
  evicted = 'meta'
elseif has_order and not has_values then
  evicted, came_back_with = 'values', 0  -- nothing is left of the records
end
local lacks_order = has_values and not has_order and call('HLEN', VALUES) > call('ZCARD', LOG)
if lacks_order then evicted = evicted .. (evicted == '' and '' or ', ') .. 'order' end
local lacks_expiries = has_values and call('EXISTS', EXPIRIES) == 0 and call('HEXISTS', META, 'expiring') == 1
if lacks_expiries then evicted = evicted .. (evicted == '' and '' or ', ') .. 'expiries' end
-- The log may also be empty because every deleted record was written again. Replicas start over in either case.
local lacks_log = call('EXISTS', LOG) == 0 and call('HEXISTS', META, 'logged') == 1

-- Lists anew when records expire and, if the order of use is lacking, the records by their last writes: that they were read
-- since then is lost.
local function list()
  local cursor = '0'
  repeat
    local page = call('HSCAN', VALUES, cursor, 'COUNT', 1000)
    cursor = page[1]
    local order, expiries = {}, {}
    for i = 1, #page[2], 2 do
      local key, blob = page[2][i], page[2][i + 1]
      if #blob < 37 or string.byte(blob, 1) % 2 == 0 then
        local expires, version = 0, 0
        if #blob >= 37 then expires, version = struct.unpack('>dd', blob, 18) end
        order[#order + 1] = version == version and string.format('%.0f', version) or 0
        order[#order + 1] = key
        if expires ~= 0 and expires == expires then
          expiries[#expiries + 1] = string.format('%.17g', expires)
          expiries[#expiries + 1] = key
        end
      end
    end
    if lacks_order and #order > 0 then call('ZADD', ORDER, unpack(order)) end
    if #expiries > 0 then call('ZADD', EXPIRIES, unpack(expiries)) end
  until cursor == '0'
end

local is_other = here ~= '' and here ~= known
local seen = tonumber(ARGV[2]) or 0
local is_new = is_other or lacks_log or evicted ~= '' or seen > seq
-- The first write is one that frees: see make_way in writing.lua.
local can_write = is_new and type(pcalled('HDEL', META, '')) ~= 'table'
if can_write then
  local began = math.max(seq + 1, seen + 1, (tonumber(time[1]) or 0) * 1000000 + (tonumber(time[2]) or 0))
  local number = string.format('%.0f', began)
  local count = select(2, string.gsub(beginnings, ',', ','))
  if count >= 16 then
    -- Of the two oldest beginnings, the later one also stands for the other.
    local _, first, second, lower, rest = string.match(beginnings, '^(%d+):(%d+),(%d+):(%d+),(.*)$')
    if rest then
      beginnings = second .. ':' .. (tonumber(first) < tonumber(lower) and first or lower) .. ',' .. rest
    end
  end
  if lacks_meta then came_back_with = began - 1 end  -- nothing is lost but the capacity and the counters
  beginnings = beginnings .. number .. ':' .. string.format('%.0f', came_back_with) .. ','
  if not has_values then call('UNLINK', ORDER, EXPIRIES, LOG) end
  -- The changes that are kept lead back from the present records only.
  if has_order and not has_values and call('HEXISTS', META, 'history_first') == 1 then
    call('UNLINK', string.sub(VALUES, 1, -7) .. 'changes')
    local next_one = tonumber(call('HGET', META, 'history_last')) + 1
    call('HSET', META, 'history_first', string.format('%.0f', next_one), 'history_since',
      tonumber(time[1]) and time[1] + 1 or call('HGET', META, 'history_at'))
  end
  -- Of an index on the server, nothing that is left counts.
  if not has_values and call('HEXISTS', META, 'index') == 1 then call('HSET', META, 'index', number) end
  if lacks_order or lacks_expiries or lacks_meta then list() end
  call('HSET', META, 'seq', number, 'epoch', number, 'incarnations', beginnings)
  if is_other then
    restarts = string.match(restarts .. number .. ',', ('%d*,?'):rep(16) .. '$')  -- the last 16
    call('HSET', META, 'restarts', restarts)
  end
  if lacks_meta then call('HSET', META, 'format', '1') end
  if call('EXISTS', EXPIRIES) == 1 then call('HSET', META, 'expiring', 1) else call('HDEL', META, 'expiring') end
  if here ~= '' then call('HSET', META, 'incarnation', here) end
  call('HDEL', META, 'logged')
  seq = began
end
return {time[1], time[2], may_ask, string.format('%.0f', seq), beginnings, restarts, is_new and not can_write and 1 or 0, evicted}
