-- ARGV: now, epoch, since, log since, floor, older, most bytes, known ('1' or '0'); then, of the part that
-- is asked for: what its keys begin with, what they have in them, and between which instants it was
-- updated last ('' for any; nothing of this for the whole).
-- What has changed since a mirror looked last, and `older` more records from below its floor.
--
-- `known` says that the mirror has every value that was written up to `since`: of records that were
-- only read since, the place is enough.
local most = tonumber(ARGV[7])
local prefix, infix, from, to = ARGV[9] or '', ARGV[10] or '', tonumber(ARGV[11] or ''), tonumber(ARGV[12] or '')
local by_key = prefix ~= '' or infix ~= ''
if not meta[1] then return {'', 0, 1, 0, 0, 0, {}, {}, {}, '', 1} end
local seq = tonumber(meta[1])
local since, log_since, floor = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local reset = ARGV[2] ~= meta[2] or since > seq or log_since < tonumber(meta[3] or 0)
if reset then since, log_since, floor = seq, seq, whole(seq + 1) end
local used, more = 0, 0

-- Of rows of keys and places those whose key belongs to the part, at most so many; and how much of the
-- rows that took.
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

-- Key, place, blob of such rows, '' for a value that is known; and the place of the last one before there
-- was no room any more, if that happened. `in_time`: leave out what was not updated between the instants.
local function filled(rows, known, in_time)
  local out, keys = {}, {}
  for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
  if #keys == 0 then return out end
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if used > most and #out > 0 then return out, rows[2 * i - 2] end
    if blob then
      local updated = in_time and unpacked('>d', blob, 10)
      if not updated or ((not from or updated >= from) and (not to or updated <= to)) then
        if known and version_of(blob) <= since then blob = '' end
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
    local blob = blobs[i]
    local place = blob and not is_tombstone(blob) and call('ZSCORE', ORDER, key)
    gone[#gone + 1] = key
    gone[#gone + 1] = place or 0
    gone[#gone + 1] = place and blob or ''
  end
end
local wanted = tonumber(ARGV[6])
if floor ~= '' and wanted > 0 and (reset or more == 0) then
  -- Looking at keys alone is quick.
  local visits = by_key and 10 * MOST or wanted
  local rows = call('ZREVRANGEBYSCORE', ORDER, '(' .. floor, '-inf', 'WITHSCORES', 'LIMIT', 0, visits)
  local some, looked = picked(rows, wanted)
  local last
  older, last = filled(some, false, from or to)
  reached = last or rows[looked] or ''
  if not last and looked == #rows and #rows < 2 * visits then bottom = 1 end
end
return {meta[2], seq, reset and 1 or 0, more, cursor, log_cursor, changed, gone, older, reached, bottom}
