-- What has become of records that a client has seen. ARGV: instant, a number of the counter, then key, version and instant of each.
-- Returns for each key: 0 if there is nothing, 1 if what is there was last written up to that number, 2 if it was deleted up
-- to then, 3 if it was written, deleted or cleared later, 4 if it is there in that version.
-- A tombstone of an earlier instant than the record is that of an older value, which has expired since: see sweep.
local since, out = tonumber(ARGV[2]), {}
local cleared = tonumber(call('HGET', META, 'cleared_seq') or 0) or 0
local keys = {}
for i = 3, #ARGV, 3 do keys[#keys + 1] = ARGV[i] end
for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
  if not blob then
    out[i] = cleared > since and 3 or 0
  elseif version_of(blob) == tonumber(ARGV[3 * i + 1]) then
    out[i] = 4
  elseif version_of(blob) > since and not (is_tombstone(blob) and updated_of(blob) < tonumber(ARGV[3 * i + 2])) then
    out[i] = 3
  else
    out[i] = is_tombstone(blob) and 2 or 1
  end
end
return out
