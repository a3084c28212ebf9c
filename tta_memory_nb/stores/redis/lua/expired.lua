-- Returns records that expire up to an instant and were not deleted yet, some at a time. ARGV: now, the instant, how many to leave out.
-- Returns how many were looked at, and key and bytes of each record.
local keys = call('ZRANGEBYSCORE', EXPIRIES, '-inf', ARGV[2], 'LIMIT', ARGV[3], MOST)
local out = {}
if #keys > 0 then
  for i, blob in ipairs(call('HMGET', VALUES, unpack(keys))) do
    if blob and not is_tombstone(blob) then
      out[#out + 1] = keys[i]
      out[#out + 1] = blob
    end
  end
end
return {#keys, out}
