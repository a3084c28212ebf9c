-- Has the server ignore a write that may still be under way. ARGV: now, write_id, settled_below, client, deadline.
-- Returns 1 if the write had been applied before, else 0.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return 1 end
mark_done(ARGV[2], ARGV[3])
close()
return 0
