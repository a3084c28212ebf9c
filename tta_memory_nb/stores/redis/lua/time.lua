-- Returns the time of the server, or of the Cluster's node that has the namespace: seconds and microseconds, and whether the
-- user may ask for it.
local time = redis.pcall('TIME')
if not time.err then return {time[1], time[2], 1} end
-- To a user without that right, the id of an entry in a stream tells the time in milliseconds.
local key = string.sub(KEYS[1], 1, -7) .. 'time'
local id = redis.pcall('XADD', key, '*', 'is', '')
redis.pcall('UNLINK', key)
if type(id) == 'table' then return {'', '', 0} end
local millis = tonumber(string.match(id, '^%d+'))
return {string.format('%.0f', math.floor(millis / 1000)), string.format('%.0f', millis % 1000 * 1000), 0}
