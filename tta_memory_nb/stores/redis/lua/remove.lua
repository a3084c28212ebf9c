-- Deletes records. ARGV: now, write_id, settled_below, client, deadline, by version ('1' or '0'), then keys, each followed
-- by the version to delete if `by version`.
-- Returns the counter before and after, and the deleted records; the same again if this write had been applied before, or false.
make_way()
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
local keys, versions = {}, nil
if ARGV[6] == '1' then
  versions = {}
  for i = 7, #ARGV, 2 do
    keys[#keys + 1] = ARGV[i]
    versions[#versions + 1] = tonumber(ARGV[i + 1])
  end
else
  for i = 7, #ARGV do keys[#keys + 1] = ARGV[i] end
end
local out = remove(keys, versions, now)
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq, out})
