-- Sums the sizes of up to `most` records. ARGV: now, from, most.
-- Returns the bytes of their texts before and after compression, and the recency at which the next call has to go on, ''
-- at the end.
local rows = call('ZRANGEBYSCORE', ORDER, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local keys, bytes, stored = {}, 0, 0
for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
if #keys == 0 then return {0, 0, ''} end
for _, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
  if is_live(blob) then
    bytes = bytes + (#blob >= 37 and unpacked('>I4', blob, 34) or 0)
    stored = stored + math.max(0, #blob - 37)
  end
end
return {bytes, stored, rows[#rows]}
