-- Lists keys, and loads no value. ARGV: now; then, of the subset that is asked for: what its keys begin with, what they contain, and
-- between which instants the records were updated last ('' for any; nothing of this for the whole).
-- Returns the keys, the least recently used first, and the keys of all records that have expired.
local format = call('HGET', META, 'format')
if format and format ~= FORMAT then return redis.error_reply('FORMAT ' .. format) end
local prefix, infix, from, to = ARGV[2] or '', ARGV[3] or '', tonumber(ARGV[4] or ''), tonumber(ARGV[5] or '')
local keys = call('ZRANGE', ORDER, 0, -1)
if prefix ~= '' or infix ~= '' then
  local picked = {}
  for _, key in ipairs(keys) do
    if sub(key, 1, #prefix) == prefix and (infix == '' or string.find(key, infix, 1, true)) then
      picked[#picked + 1] = key
    end
  end
  keys = picked
end
if from or to then
  local picked = {}
  for first = 1, #keys, MOST do
    local page = {unpack(keys, first, math.min(first + MOST - 1, #keys))}
    for i, blob in ipairs(call('HMGET', VALUES, unpack(page))) do
      local updated = blob and updated_of(blob)
      if updated and (not from or updated >= from) and (not to or updated <= to) then
        picked[#picked + 1] = page[i]
      end
    end
  end
  keys = picked
end
return {keys, call('ZRANGEBYSCORE', EXPIRIES, '-inf', NOW)}
