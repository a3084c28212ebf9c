-- Reads changes that are kept, the newest first. ARGV: now, the number to begin with ('' for the last one), the instant up to which changes are
-- not wanted any more, the only key that is wanted ('' for any), most bytes.
-- Returns the server's time, what the namespace keeps ('none' or 'off' for nothing), since when all changes are known, the changes, the number
-- to go on with ('' at the end), and the bytes of the record of that key ('' for none).
local format, until_at, key, most = call('HGET', META, 'format'), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
if not is_keeping(format) then return {NOW, call('HGET', META, 'history') or 'none', '', {}, '', ''} end
read_history()
if not is_whole() then return {NOW, history.bounds, NOW, {}, '', ''} end
local dropped = last_dropped(now)
local since = dropped >= history.first and at_of(dropped) or history.since
local found, used, looked = {}, 0, 0
local number = ARGV[2] == '' and history.last or math.min(tonumber(ARGV[2]), history.last)
local STEP = 50
while number > dropped and used < most and looked < 60 * STEP do
  local names = {}
  for n = number, math.max(number - STEP, dropped) + 1, -1 do names[#names + 1] = whole(n) end
  for _, change in ipairs(call('HMGET', CHANGES, unpack(names))) do
    if unpacked('>d', change) <= until_at then
      number, dropped = 0, 0
      break
    end
    if #change > 15 then
      local size = unpacked('>I4', change, 10)
      if key == '' or (size == #key and sub(change, 16, 15 + size) == key) then
        found[#found + 1] = change
        used = used + #change
      end
    end
    number = number - 1
  end
  looked = looked + #names
end
local blob = key ~= '' and call('HGET', VALUES, key)
return {NOW, history.bounds, string.format('%.17g', since), found, number > dropped and whole(number) or '', blob or ''}
