-- The beginning of sync.lua, before any function is defined: most often nothing has changed, and the replica asks for no
-- older records.
local meta = redis.call('HMGET', KEYS[4], 'seq', 'epoch', 'trimmed', 'format')
if meta[4] and meta[4] ~= '1' and not string.find('|1+index|1+history|1+index+history|', '|' .. meta[4] .. '|', 1, true) then
  return redis.error_reply('FORMAT ' .. meta[4])
end
if meta[1] == ARGV[3] and meta[1] == ARGV[4] and meta[2] == ARGV[2] and ARGV[6] == '0' then
  return tonumber(meta[1])
end
