-- What has changed since a replica was synced last, and `older` more records, from below its `oldest_held`. ARGV: now,
-- epoch, since, log since, oldest_held, older, most bytes, known ('1' or '0'); then for a partial replica the prefix
-- and the infix of its keys, and the first and last instant of the last write ('' for any).
--
-- `known`: the replica has every value that was written up to `since`. Of a record that was only read since then, the
-- recency is enough.
-- Returns epoch, counter, whether the replica has to start over, whether there is more to sync, the two cursors to go on
-- from, key, recency, blob of the changed, of the deleted or restored, and of the older records, the recency of the oldest
-- record that was looked at, whether that was the last one, and key, header and span of the changed records whose expiry may have
-- changed although their value has not.
local most = tonumber(ARGV[7])
local prefix, infix, from, to = ARGV[9] or '', ARGV[10] or '', tonumber(ARGV[11] or ''), tonumber(ARGV[12] or '')
local by_key = prefix ~= '' or infix ~= ''
if not meta[1] then return {'', 0, 1, 0, 0, 0, {}, {}, {}, '', 1, {}} end
local seq = tonumber(meta[1])
local since, log_since, oldest_held = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local reset = ARGV[2] ~= meta[2] or since > seq or log_since < tonumber(meta[3] or 0)
if reset then since, log_since, oldest_held = seq, seq, whole(seq + 1) end
local used, more, expiries = 0, 0, {}

-- Picks rows of key and recency whose key the replica holds, at most `wanted`; returns them, and how many values of
-- `rows` were looked at.
local function picked(rows, wanted)
  if not by_key then return rows, #rows end
  local out = {}
  for i = 1, #rows, 2 do
    local key = rows[i]
    if sub(key, 1, #prefix) == prefix and (infix == '' or string.find(key, infix, 1, true)) then
      out[#out + 1] = key
      out[#out + 1] = rows[i + 1]
      if #out == 2 * wanted then return out, i + 1 end
    end
  end
  return out, #rows
end

-- Adds blobs to rows of key and recency, '' for a value that the replica knows. If the limit of bytes was reached,
-- also returns the recency of the last row that was filled. `in_time`: leaves out records whose last write is not
-- between the two instants.
local function filled(rows, known, in_time)
  local out, keys = {}, {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  if #keys == 0 then return out end
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if used > most and #out > 0 then return out, rows[2 * i - 2] end
    if blob == '' then blob = '\0' end  -- '' means something else here; either is unreadable
    if blob then
      local updated = in_time and updated_of(blob)
      if not updated or ((not from or updated >= from) and (not to or updated <= to)) then
        if known and version_of(blob) <= since then
          if slides(blob) then
            expiries[#expiries + 1] = keys[i]
            expiries[#expiries + 1] = sub(blob, 1, 45)
          end
          blob = ''
        end
        used = used + #blob
        out[#out + 1] = keys[i]
        out[#out + 1] = rows[2 * i]
        out[#out + 1] = blob
      end
    end
  end
  return out
end

local changed, gone, older = {}, {}, {}
local cursor, log_cursor, reached, bottom = seq, seq, '', 0
if not reset and math.min(since, log_since) < seq then
  local rows = call('ZRANGEBYSCORE', ORDER, '(' .. whole(since), '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
  local last
  changed, last = filled(picked(rows, MOST), ARGV[8] == '1')
  if #rows == 2 * MOST or last then
    more = 1
    cursor = tonumber(last or rows[#rows])
  end
  rows = call('ZRANGEBYSCORE', LOG, '(' .. whole(log_since), '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
  if #rows == 2 * MOST then
    more = 1
    log_cursor = tonumber(rows[#rows])
  end
  local keys = {}
  rows = picked(rows, MOST)
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  local blobs = #keys > 0 and call('HMGET', VALUES, unpack(keys)) or {}
  for i, key in ipairs(keys) do
    local blob = blobs[i] == '' and '\0' or blobs[i]
    local recency = blob and not is_tombstone(blob) and call('ZSCORE', ORDER, key)
    gone[#gone + 1] = key
    gone[#gone + 1] = recency or 0
    gone[#gone + 1] = recency and blob or ''
  end
end
local wanted = tonumber(ARGV[6])
if oldest_held ~= '' and wanted > 0 and (reset or more == 0) then
  -- To look at keys only is quick.
  local visits = by_key and 10 * MOST or wanted
  local rows = call('ZREVRANGEBYSCORE', ORDER, '(' .. oldest_held, '-inf', 'WITHSCORES', 'LIMIT', 0, visits)
  local some, looked = picked(rows, wanted)
  local last
  older, last = filled(some, false, from or to)
  reached = last or rows[looked] or ''
  if not last and looked == #rows and #rows < 2 * visits then bottom = 1 end
end
return {meta[2], seq, reset and 1 or 0, more, cursor, log_cursor, changed, gone, older, reached, bottom, expiries}
