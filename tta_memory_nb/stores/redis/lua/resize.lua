-- Sets the capacity, and evicts at most `most` records. ARGV: now, write_id, settled_below, client, deadline, capacity, most.
-- Returns the counter before and after, the capacity before (-1: none), the evictions in all, whether there are more
-- records to evict, and the evicted records; the same again if this write had been applied before, or false.
make_way()
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
local before = max or -1
max = tonumber(ARGV[6])
call('HSET', META, 'max', ARGV[6])
local out = evict(tonumber(ARGV[7]), true)
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq, before, evicted, call('ZCARD', ORDER) > max and 1 or 0, out})
