-- Writes records. ARGV: now, write_id, settled_below, client, deadline, want ('1' or '0'), then key, header
-- and text of each record.
-- Returns the counter before and after, the recency of the first and last record, the evictions by this write and in
-- all, the capacity (-1: none), the records that were replaced and evicted (if `want`), and for each record that kept its
-- created_at, its number and that instant; the same again if this write had been applied before, or false.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
refused = not_compared()
if refused then return refused end
local keys, heads, texts = {}, {}, {}
for i = 7, #ARGV, 3 do
  local n = #keys + 1
  keys[n], heads[n], texts[n] = ARGV[i], ARGV[i + 1], ARGV[i + 2]
end
local want = ARGV[6] == '1'
local first = seq + 1
local replaced, kept = put(keys, heads, texts, want)
local last, before = seq, evicted
local out = evict(2 * MOST, want)
sweep(100)  -- last: a server without room allows everything after a command that frees
mark_done(ARGV[2], ARGV[3])
close()
local answer = {start, seq, first, last, evicted - before, evicted, max or -1, replaced, out, kept}
return want and remember(answer) or answer
