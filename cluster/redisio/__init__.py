"""The servers' connection to Redis or Valkey, the names of all keys, and the rights of each user."""
