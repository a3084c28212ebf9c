-- Drops all changes of some records, so that nothing of them is left but the instants. ARGV: now, the number to begin with ('' for the
-- last one), then keys. Returns the number to go on with, '' at the end.
local format = call('HGET', META, 'format')
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
if not is_keeping(format) then return '' end
call('HDEL', META, '')  -- frees, so that a server without room allows what follows
read_history()
if not is_whole() then return '' end
local wanted = {}
for i = 3, #ARGV do wanted[ARGV[i]] = true end
local number = ARGV[2] == '' and history.last or math.min(tonumber(ARGV[2]), history.last)
local last = math.max(number - MOST, history.first - 1)
local names, erased = {}, {}
for n = number, last + 1, -1 do names[#names + 1] = whole(n) end
if #names > 0 then
  for i, change in ipairs(call('HMGET', CHANGES, unpack(names))) do
    if #change > 15 and wanted[sub(change, 16, 15 + unpacked('>I4', change, 10))] then
      erased[#erased + 1] = names[i]
      erased[#erased + 1] = sub(change, 1, 8)
    end
  end
end
if #erased > 0 then call('HSET', CHANGES, unpack(erased)) end
return last >= history.first and whole(last) or ''
