"""The servers' connection to Redis or Valkey, the names of all keys, and who may touch which."""
