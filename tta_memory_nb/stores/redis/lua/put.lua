-- ARGV: now, op, floor, client, deadline, want ('1' or '0'), then key, header, text of each record.
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return false end
local keys, heads, texts = {}, {}, {}
for i = 7, #ARGV, 3 do
  local n = #keys + 1
  keys[n], heads[n], texts[n] = ARGV[i], ARGV[i + 1], ARGV[i + 2]
end
sweep(100)
local want = ARGV[6] == '1'
local first = seq + 1
local replaced, kept = put(keys, heads, texts, want)
local last, before = seq, evicted
local out = evict(2 * MOST, want)
mark_done(ARGV[2], ARGV[3])
close()
return {start, seq, first, last, evicted - before, evicted, max or -1, replaced, out, kept}
