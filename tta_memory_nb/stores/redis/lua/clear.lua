-- Deletes every record of the namespace. ARGV: now, write_id, settled_below, client, deadline.
-- Returns the counter before and after; the same again if this write had been applied before, or false.
-- Also what another program has put under one of the names.
for i, kind in ipairs({'hash', 'zset', 'zset', 'hash', 'zset'}) do
  local found = call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= kind then call('UNLINK', KEYS[i]) end
end
make_way()
local refused = open()
if refused then return refused end
if is_done(ARGV[2]) then return remembered() end
if history and call('ZCARD', ORDER) > math.min(history.most, 100000) then
  -- None of the changes before would be kept, and of these only some; or to note so many would hold up all clients for seconds.
  history.at = math.max(history.at, now)
  forget_changes()
  save_bounds()
elseif history then
  local keys = call('HKEYS', VALUES)
  for from = 1, #keys, MOST do
    local some = {unpack(keys, from, math.min(from + MOST - 1, #keys))}
    for i, blob in ipairs(call('HMGET', VALUES, unpack(some))) do
      if not is_tombstone(blob) then note_end(DELETED, some[i], blob) end
    end
  end
end
call('UNLINK', VALUES, ORDER, EXPIRIES, LOG)
-- The vectors of slow embedders. Another program may use the name of the set.
local prefix = string.sub(VALUES, 1, -7)
local hashes = redis.pcall('SMEMBERS', prefix .. 'vectors')
for _, name in ipairs(hashes) do call('UNLINK', prefix .. 'v:' .. name) end
call('UNLINK', prefix .. 'vectors')
seq = seq + 1
-- A new epoch makes the replicas start over. The instant is for clients that replay writes after an outage.
call('HSET', META, 'epoch', whole(seq), 'cleared', NOW, 'cleared_seq', whole(seq))
if shadows then
  -- The shadows of the former generation are deleted later, some at a time.
  call('UNLINK', PENDING, BARE)
  call('HSET', META, 'index', whole(seq))
  call('HDEL', META, 'index_from', 'bare_from', 'index_vectors')
end
call('HDEL', META, 'trimmed', 'trimmed_at', 'expiring')
mark_done(ARGV[2], ARGV[3])
close()
return remember({start, seq})
