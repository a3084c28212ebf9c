-- ARGV: now, most, '', client, 0. Deletes what has expired, at most so many, and counts.
-- Gives size, expiring, evicted, capacity, and how many more have expired.
if call('EXISTS', META) == 0 then return {0, 0, 0, -1, 0} end
local refused = open()
if refused then return refused end
if sweep(tonumber(ARGV[2])) > 0 then
  trim()
  call('HSET', META, 'seq', whole(seq))
end
local more = call('ZCOUNT', EXPIRIES, '-inf', ARGV[1])
return {call('ZCARD', ORDER) - more, call('ZCARD', EXPIRIES) - more, evicted, max or -1, more}
