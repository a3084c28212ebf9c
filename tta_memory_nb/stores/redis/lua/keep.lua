-- Has a namespace keep changes of its records, more or fewer of them, or none. ARGV: now, the bounds ('changes:seconds', without seconds for
-- any time; '' for none), '', '', 0.
local refused = open()
if refused then return refused end
local index = shadows and '+index' or ''
if ARGV[2] == '' then
  call('UNLINK', CHANGES)
  call('HDEL', META, 'history_first', 'history_last', 'history_at', 'history_since')
  call('HSET', META, 'seq', whole(seq), 'format', FORMAT .. index, 'history', 'off')
  return 1
end
if not history then
  call('UNLINK', CHANGES)  -- of a namespace that was lost
  call('HSET', META, 'history_first', 1, 'history_last', 0, 'history_at', NOW, 'history_since', NOW)
end
call('HSET', META, 'seq', whole(seq), 'format', FORMAT .. index .. '+history', 'history', ARGV[2])
return 1
