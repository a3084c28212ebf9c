-- Lists some of the records that were there before the index, or before its vectors. ARGV: now, generation, and for vectors
-- the field that they are kept in ('' for the index itself).
-- Returns whether there are more. Writes list their records themselves.
local prefix, field = sub(VALUES, 1, -7), ARGV[3]
local cursor, set = 'index_from', prefix .. 'pending'
if call('HGET', META, 'index') ~= ARGV[2] then return 0 end
if field ~= '' then
  cursor, set = 'bare_from', prefix .. 'bare'
  if call('HGET', META, 'index_vectors') ~= field then
    call('UNLINK', set)
    call('HSET', META, 'index_vectors', field, cursor, '-inf')
  end
end
local from = call('HGET', META, cursor)
if not from then return 0 end
from = from == '-inf' and from or '(' .. from
local rows = call('ZRANGEBYSCORE', ORDER, from, '+inf', 'WITHSCORES', 'LIMIT', 0, MOST)
local keys = {}
for i = 1, #rows, 2 do keys[#keys + 1] = rows[i] end
if #keys > 0 then call('SADD', set, unpack(keys)) end
if #keys < MOST then
  call('HDEL', META, cursor)
  return 0
end
call('HSET', META, cursor, rows[#rows])
return 1
