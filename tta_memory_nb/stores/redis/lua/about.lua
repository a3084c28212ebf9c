-- Counts the records, and deletes at most `most` expired ones. ARGV: now, most, '', client, 0.
-- Returns the number of records, of expiring records and of evictions, the capacity (-1: none), which changes are kept ('none' for none), how many
-- expired records were deleted since the start, and how many are left.
if call('EXISTS', META) == 0 then return {0, 0, 0, -1, 'none', 0, 0} end
local refused = open()
if refused then return refused end
-- A server that cannot write now still counts.
if call('ZCOUNT', EXPIRIES, '-inf', NOW) > 0 and type(redis.pcall('HDEL', META, '')) ~= 'table' then
  sweep(tonumber(ARGV[2]))
  trim()
  call('HSET', META, 'seq', whole(seq))
  save_changes()
end
local more = call('ZCOUNT', EXPIRIES, '-inf', NOW)
local expired = tonumber(call('HGET', META, 'expired') or 0) or 0
return {call('ZCARD', ORDER) - more, call('ZCARD', EXPIRIES) - more, evicted, max or -1, history and history.bounds or 'none', expired,
  more}
