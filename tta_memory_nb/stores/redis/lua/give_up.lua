-- Has the server ignore a write that may still be under way. ARGV: now, write_id, settled_below, client, deadline.
-- Returns 1 if the write had been applied before, else 0.
make_way()
local refused = open()
if refused then return refused end
-- What it has answered once it answers again: an answer may be lost.
if is_done(ARGV[2]) then return remembered() == 0 and 0 or 1 end
mark_done(ARGV[2], ARGV[3])
close()
return remember(0)
