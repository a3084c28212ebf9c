-- Reads some of the records that are listed as lacking a shadow, or a vector. ARGV: now, set ('pending' or 'bare'), how many
-- records, how many bytes.
-- Returns key and blob of each ('' for a record that is gone).
local out, bytes = {}, 0
for _, key in ipairs(call('SRANDMEMBER', sub(VALUES, 1, -7) .. ARGV[2], ARGV[3])) do
  local blob = call('HGET', VALUES, key) or ''
  bytes = bytes + #blob
  if #out > 0 and bytes > tonumber(ARGV[4]) then break end
  out[#out + 1] = key
  out[#out + 1] = blob
end
return out
