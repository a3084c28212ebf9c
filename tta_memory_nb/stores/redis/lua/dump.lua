-- Reads very many records, a part at a time, for a client that makes no object of each. ARGV: now; after which recency to go on ('-inf' at
-- first); how many records to look at, at most MOST; what the keys of the records begin with that are asked for, and how many bytes follow.
-- Returns, the least recently used first, what follows in their keys, joined; the numbers of their writes (8 bytes each), joined; their
-- values, as an array in JSON; key, recency and blob of each that is not kept as plain text or may expire; and the recency to go on
-- after ('' when there are no more).
local format = call('HGET', META, 'format')
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
local after, wanted, prefix = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local first, size, never = #prefix + 1, #prefix + tonumber(ARGV[5]), string.rep('\0', 8)
local rows = call('ZRANGEBYSCORE', ORDER, after == '-inf' and after or '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, wanted)
local keys, numbers, texts, others = {}, {}, {}, {}
local page = {}
for i = 1, #rows, 2 do page[#page + 1] = rows[i] end
local blobs = #page > 0 and call('HMGET', VALUES, unpack(page)) or {}
for i, key in ipairs(page) do
  local blob = blobs[i]
  if blob and #key == size and sub(key, 1, #prefix) == prefix then
    if #blob > 37 and byte(blob, 1) == 0 and sub(blob, 18, 25) == never then
      local n = #keys + 1
      keys[n], numbers[n], texts[n] = sub(key, first), sub(blob, 26, 33), sub(blob, 38)
    elseif is_live(blob) then
      local n = #others
      others[n + 1], others[n + 2], others[n + 3] = key, rows[2 * i], blob
    end
  end
end
return {table.concat(keys), table.concat(numbers), '[' .. table.concat(texts, ',') .. ']', others,
  #rows == 2 * wanted and rows[#rows] or ''}
