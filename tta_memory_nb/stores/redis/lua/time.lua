-- Returns the time of the server, or of the Cluster's node that has the namespace: seconds and microseconds.
return redis.call('TIME')
