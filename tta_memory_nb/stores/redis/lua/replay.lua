-- ARGV: now, (op), floor, client, deadline, base, then writes: op, kind, at, count, and 'set': key, header, text
-- of each record, 'delete': keys. Carries out what a client wrote while it could not reach the server.
--
-- `base` is the counter as the client saw it last. What others have written since is as old or as
-- new as the instants say, and the newest instant wins; what was there before is older.
local refused = open()
if refused then return refused end
local base = tonumber(ARGV[6])
sweep(100)
local cleared = call('HMGET', META, 'cleared', 'cleared_seq')
local cleared_at, cleared_seq = tonumber(cleared[1] or 0), tonumber(cleared[2] or 0)

local function is_newer(blob, at)
  if not blob then return cleared_seq > base and cleared_at > at end
  return version_of(blob) > base and unpacked('>d', blob, 10) > at
end

-- Which write each record has become; 0 for those that it has not.
local versions = {}
local i = 7
while i <= #ARGV do
  local op, kind, at, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  i = i + 4
  local width, known = 1, #versions
  if kind == 'set' then
    width = 3
    for j = 1, count do versions[known + j] = 0 end
  end
  if not is_done(op) then
    local keys, heads, texts = {}, {}, {}
    for j = 0, count - 1 do
      local key = ARGV[i + j * width]
      if not is_newer(call('HGET', VALUES, key), at) then
        local n = #keys + 1
        keys[n] = key
        if kind == 'set' then
          heads[n], texts[n] = ARGV[i + j * width + 1], ARGV[i + j * width + 2]
          versions[known + j + 1] = seq + n
        end
      end
    end
    if #keys > 0 then
      if kind == 'set' then put(keys, heads, texts, false) else remove(keys, nil, at) end
    end
    mark_done(op, ARGV[3])
  end
  i = i + count * width
end
evict(2 * MOST, false)
done = done or '0:'
close()
return {start, seq, evicted, max or -1, versions}
