-- ARGV: now. All keys, the oldest first, and those of them that have expired.
return {call('ZRANGE', ORDER, 0, -1), call('ZRANGEBYSCORE', EXPIRIES, '-inf', ARGV[1])}
