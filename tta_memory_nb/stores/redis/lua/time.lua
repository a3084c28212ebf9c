-- The server's time, of the node that has the namespace: seconds and microseconds.
return redis.call('TIME')
