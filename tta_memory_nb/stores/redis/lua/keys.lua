-- Lists keys, and loads no value. ARGV: now; after which recency to go on ('-inf' at first), and how many keys to look at;
-- then, of the subset that is asked for: what its keys begin with, what they contain, and between which instants the records
-- were updated last ('' for any; nothing of this for the whole).
-- Returns the keys, the least recently used first, the keys of all records that have expired (with the last keys only), and the
-- recency to go on after ('' when there are no more).
local format = call('HGET', META, 'format')
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
local after, wanted = ARGV[2], tonumber(ARGV[3])
local prefix, infix, from, to = ARGV[4] or '', ARGV[5] or '', tonumber(ARGV[6] or ''), tonumber(ARGV[7] or '')
local from_recency = after == '-inf' and after or '(' .. after
local rows = call('ZRANGEBYSCORE', ORDER, from_recency, '+inf', 'WITHSCORES', 'LIMIT', 0, wanted)
local keys = {}
for i = 1, #rows, 2 do
  local key = rows[i]
  if sub(key, 1, #prefix) == prefix and (infix == '' or string.find(key, infix, 1, true)) then keys[#keys + 1] = key end
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
local is_last = #rows < 2 * wanted
local expired = is_last and call('ZRANGEBYSCORE', EXPIRIES, '-inf', NOW) or {}
return {keys, expired, is_last and '' or rows[#rows]}
