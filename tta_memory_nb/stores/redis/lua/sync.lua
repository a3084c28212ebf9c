-- ARGV: now, epoch, since, log since, floor, older, most bytes, known ('1' or '0').
-- What has changed since a mirror looked last, and `older` more records from below its floor.
--
-- `known` says that the mirror has every value that was written up to `since`: of records that were
-- only read since, the place is enough.
local most = tonumber(ARGV[7])
local meta = call('HMGET', META, 'seq', 'epoch', 'trimmed')
if not meta[1] then return {'', 0, 1, 0, 0, 0, {}, {}, {}, 1} end
local seq = tonumber(meta[1])
local since, log_since, floor = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local reset = ARGV[2] ~= meta[2] or since > seq or log_since < tonumber(meta[3] or 0)
if reset then since, log_since, floor = seq, seq, whole(seq + 1) end
local used, more = 0, 0

-- Key, place, blob of rows of keys and places; '' for a value that is known.
local function filled(rows, known)
  local out, keys = {}, {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  if #keys == 0 then return out, true end
  local blobs = call('HMGET', VALUES, unpack(keys))
  for i, blob in ipairs(blobs) do
    if used > most and #out > 0 then return out, false end
    if blob then
      if known and version_of(blob) <= since then blob = '' end
      used = used + #blob
      out[#out + 1] = keys[i]
      out[#out + 1] = rows[2 * i]
      out[#out + 1] = blob
    end
  end
  return out, true
end

local changed, gone, older = {}, {}, {}
local cursor, log_cursor, bottom = seq, seq, 0
if not reset and math.min(since, log_since) < seq then
  local rows = call('ZRANGEBYSCORE', ORDER, '(' .. whole(since), '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
  local all
  changed, all = filled(rows, ARGV[8] == '1')
  if #rows == 2 * MOST or not all then
    more = 1
    cursor = tonumber(changed[#changed - 1])
  end
  rows = call('ZRANGEBYSCORE', LOG, '(' .. whole(log_since), '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
  if #rows == 2 * MOST then
    more = 1
    log_cursor = tonumber(rows[#rows])
  end
  local keys = {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  local blobs = #keys > 0 and call('HMGET', VALUES, unpack(keys)) or {}
  for i, key in ipairs(keys) do
    local blob = blobs[i]
    local place = blob and not is_tombstone(blob) and call('ZSCORE', ORDER, key)
    gone[#gone + 1] = key
    gone[#gone + 1] = place or 0
    gone[#gone + 1] = place and blob or ''
  end
end
local wanted = tonumber(ARGV[6])
if floor ~= '' and wanted > 0 and (reset or more == 0) then
  local rows = call('ZREVRANGEBYSCORE', ORDER, '(' .. floor, '-inf', 'WITHSCORES', 'LIMIT', 0, wanted)
  local all
  older, all = filled(rows, false)
  if all and #rows < 2 * wanted then bottom = 1 end
end
return {meta[2], seq, reset and 1 or 0, more, cursor, log_cursor, changed, gone, older, bottom}
