-- Reads records, and makes each one the most recently used, in the order of the keys. ARGV: now, then keys.
-- Returns for one key its recency as 8 bytes followed by its blob, or the counter if there is no record. Returns for several
-- keys the counter before and after, and recency (0: no record) and blob of each. A record with a flag that only later
-- versions know, or with a damaged header, is returned with a recency of 0 (one key) or -1 and keeps its own.
--
-- A server that cannot write now (no room left, a failed snapshot, too few replicas, a read-only replica) is still read
-- from: then the counter stays, and a record comes with the recency that it has, for one key as a negative number.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
if #ARGV == 2 then
  local blob = redis.call('HGET', KEYS[1], ARGV[2])
  local flags = blob and (#blob < 37 and 16 or string.byte(blob, 1)) or 1
  local slides = flags >= 32 and flags < 48 and #blob >= 45
  if flags > 15 and not slides then return struct.pack('>d', 0) .. blob end
  if flags % 2 == 0 then
    local expires = struct.unpack('>d', blob, 18)
    if expires == 0 or not (expires <= now) then
      local seq = redis.pcall('HINCRBY', KEYS[4], 'seq', 1)
      if type(seq) == 'table' and type(redis.pcall('HDEL', KEYS[4], '')) ~= 'table' then
        -- There is no room. A script that has begun with a command that frees may go on; these two need no room.
        seq = redis.pcall('HINCRBY', KEYS[4], 'seq', 1)
      end
      if type(seq) == 'table' then
        return struct.pack('>d', -tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or 1)) .. blob
      end
      redis.call('ZADD', KEYS[2], string.format('%.0f', seq), ARGV[2])
      if slides then  -- begins its time again, where that is worth it: see Entry.renew
        local span = struct.unpack('>d', blob, 38)
        if span > 0 and now + span - expires >= span / 64 then
          blob = string.sub(blob, 1, 17) .. struct.pack('>d', now + span) .. string.sub(blob, 26)
          redis.call('HSET', KEYS[1], ARGV[2], blob)
          redis.call('ZADD', KEYS[3], string.format('%.17g', now + span), ARGV[2])
        end
      end
      return struct.pack('>d', seq) .. blob
    end
  end
  return tonumber(redis.call('HGET', KEYS[4], 'seq') or 0)
end
local meta = redis.call('HMGET', KEYS[4], 'seq', 'format')
if meta[2] and meta[2] ~= '1' and not string.find('|1+index|1+history|1+index+history|', '|' .. meta[2] .. '|', 1, true) then
  return redis.error_reply('FORMAT ' .. meta[2])
end
local start = tonumber(meta[1] or 0)
local seq, out, writes = start, {}, nil
for i = 2, #ARGV do
  local key = ARGV[i]
  local blob = redis.call('HGET', KEYS[1], key)
  local recency = 0
  local flags = blob and (#blob < 37 and 16 or string.byte(blob, 1)) or 1
  local slides = flags >= 32 and flags < 48 and #blob >= 45
  if flags > 15 and not slides then
    recency = -1
  elseif flags % 2 == 0 then
    local expires = struct.unpack('>d', blob, 18)
    if expires == 0 or not (expires <= now) then
      -- The first write is one that frees, so that a server without room allows the others.
      if writes == nil then writes = type(redis.pcall('HDEL', KEYS[4], '')) ~= 'table' end
      if writes then
        seq = seq + 1
        recency = seq
        redis.call('ZADD', KEYS[2], string.format('%.0f', seq), key)
        if slides then  -- as above
          local span = struct.unpack('>d', blob, 38)
          if span > 0 and now + span - expires >= span / 64 then
            blob = string.sub(blob, 1, 17) .. struct.pack('>d', now + span) .. string.sub(blob, 26)
            redis.call('HSET', KEYS[1], key, blob)
            redis.call('ZADD', KEYS[3], string.format('%.17g', now + span), key)
          end
        end
      else
        recency = tonumber(redis.call('ZSCORE', KEYS[2], key) or 1)
      end
    end
  end
  out[#out + 1] = recency
  out[#out + 1] = recency ~= 0 and blob or ''
end
if seq > start then redis.call('HSET', KEYS[4], 'seq', string.format('%.0f', seq)) end
return {start, seq, out}
