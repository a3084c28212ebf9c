-- ARGV: now, op, floor, client, deadline. Deletes every record of the namespace.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return false end
call('UNLINK', VALUES, ORDER, EXPIRIES, LOG)
seq = seq + 1
-- A new epoch tells the mirrors; the instant tells clients that come back from an outage.
call('HSET', META, 'epoch', whole(seq), 'cleared', ARGV[1], 'cleared_seq', whole(seq))
call('HDEL', META, 'trimmed')
mark_done(ARGV[2], ARGV[3])
close()
return {start, seq}
