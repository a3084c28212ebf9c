-- Lists all keys. ARGV: now.
-- Returns the keys, the least recently used first, and those of them that have expired.
local format = call('HGET', META, 'format')
if format and format ~= FORMAT then return redis.error_reply('FORMAT ' .. format) end
return {call('ZRANGE', ORDER, 0, -1), call('ZRANGEBYSCORE', EXPIRIES, '-inf', ARGV[1])}
