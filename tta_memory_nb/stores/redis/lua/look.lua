-- Reads the records that may contain a text, the most recently used first, for an exact look at the client.
-- ARGV: now; below which recency to go on ('+inf' at first), and above which recency ('-inf' for all); how many records to
-- look at, and how many bytes to return at most; the text in small letters ('' for any, or where JSON may write it
-- differently); then of the subset that is asked for, as keys.lua has it.
-- Returns key, recency and blob of each, the recency to go on below ('' when there are no more), and the highest recency.
local format = call('HGET', META, 'format')
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
local before, after, wanted, most, text = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local prefix, infix, from, to = ARGV[7] or '', ARGV[8] or '', tonumber(ARGV[9] or ''), tonumber(ARGV[10] or '')
local find, lower = string.find, string.lower

-- Whether a text may contain the one that is asked for. ASCII folds to its small letters, other text to anything; what is
-- compressed cannot be read here.
local function may_match(blob)
  if text == '' or #blob < 37 or byte(blob, 1) > 0 then return true end
  if find(lower(blob), text, 38, true) then return true end
  return find(blob, '[\128-\255]', 38) ~= nil
end

local rows = call('ZREVRANGEBYSCORE', ORDER, before == '+inf' and before or '(' .. before,
  after == '-inf' and after or '(' .. after, 'WITHSCORES', 'LIMIT', 0, wanted)
local found, bytes, newest = {}, 0, rows[2] or ''
local reached = #rows == 2 * wanted and rows[#rows] or ''
local i = 1
while i <= #rows do
  local page = {}
  for j = i, math.min(i + 199, #rows), 2 do page[#page + 1] = rows[j] end
  local blobs = call('HMGET', VALUES, unpack(page))
  for n, key in ipairs(page) do
    local blob = blobs[n]
    if is_live(blob) and sub(key, 1, #prefix) == prefix and (infix == '' or find(key, infix, 1, true))
      and (not from or updated_of(blob) >= from) and (not to or updated_of(blob) <= to) and may_match(blob) then
      found[#found + 1] = key
      found[#found + 1] = rows[i + 2 * n - 1]
      found[#found + 1] = blob
      bytes = bytes + #blob
      if bytes > most then return {found, rows[i + 2 * n - 1], newest} end
    end
  end
  i = i + 200
end
return {found, reached, newest}
