-- Drops changes that are not to be kept any more, some at a time. ARGV: now.
if not is_keeping(call('HGET', META, 'format')) then return 0 end
call('HDEL', META, '')  -- frees, so that a server without room allows what follows
read_history()
trim_changes()
return 1
