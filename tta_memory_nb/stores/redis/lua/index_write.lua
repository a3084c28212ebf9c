-- Writes shadows, the hashes that the index sees. ARGV: now, generation, then of each record: key, version (8 bytes, as in
-- its header), number of words, number of arguments, and these: fields and values of its shadow.
-- Returns how many records are not pending any more; -1 if another generation has begun.
-- A record that was written since it was read stays pending.
local meta, prefix = call('HMGET', META, 'index', 'index_vectors'), sub(VALUES, 1, -7)
if meta[1] ~= ARGV[2] then return -1 end
local shadows = prefix .. 'i' .. ARGV[2] .. ':'
-- First what needs room: a server without room would allow all that follows a command that frees.
call('HINCRBY', META, 'index_counted', 0)
local escaped = {['\0'] = '%00', ['%'] = '%25'}  -- as in writing.lua
local done, words, records = {}, 0, 0
local i = 3
while i <= #ARGV do
  local key, count = ARGV[i], tonumber(ARGV[i + 3])
  local blob, name = call('HGET', VALUES, key), shadows .. string.gsub(key, '[%z%%]', escaped)
  if not blob or is_tombstone(blob) then
    call('UNLINK', name)
    done[#done + 1] = key
  elseif sub(blob, 26, 33) == ARGV[i + 1] then
    -- What is there may have fields that the new one lacks.
    call('UNLINK', name)
    call('HSET', name, unpack(ARGV, i + 4, i + 3 + count))
    words, records = words + ARGV[i + 2], records + 1
    done[#done + 1] = key
  end
  i = i + 4 + count
end
-- Their mean is that of all that was ever indexed.
call('HINCRBY', META, 'index_words', words)
call('HINCRBY', META, 'index_counted', records)
if #done > 0 then
  call('SREM', prefix .. 'pending', unpack(done))
  if meta[2] then call('SADD', prefix .. 'bare', unpack(done)) end
end
return #done
