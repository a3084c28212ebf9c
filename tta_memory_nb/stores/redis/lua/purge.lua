-- Replays a `clear` that a client made in an outage: deletes up to 1000 of the records that are not newer, see
-- replay.lua. ARGV: now, write_id, settled_below, client, deadline, base, at, from.
-- Returns the recency at which the next call has to go on, '' at the end.
make_way()
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return '' end
local base, at = tonumber(ARGV[6]), tonumber(ARGV[7])
local rows = call('ZRANGEBYSCORE', ORDER, '(' .. ARGV[8], '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
local keys, gone = {}, {}
for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
if #keys > 0 then
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if blob and not (version_of(blob) > base and updated_of(blob) > at) then
      gone[#gone + 1] = keys[i]
    end
  end
end
if #gone > 0 then
  forget(gone, DELETED)
  trim()
end
local next_from = rows[#rows] or ''
if next_from == '' then
  seq = seq + 1
  if at > tonumber(call('HGET', META, 'cleared') or 0) then
    call('HSET', META, 'cleared', ARGV[7], 'cleared_seq', whole(seq))
  end
  mark_done(ARGV[2], ARGV[3])
end
done = done or '0:'
close()
return next_from
