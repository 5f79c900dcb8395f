-- What the simulated world does to the whole content of a database.

local function all_keys()
  local keys = redis.call('KEYS', '*')
  table.sort(keys) -- Redis's own order differs from server to server
  return keys
end

-- Deletes what has expired, for commands that are not functions.
redis.register_function('sim_expire', function() return 'OK' end)
-- For the plain command: the key's time to live on the virtual clock, as PTTL answers.
redis.register_function('sim_pttl', function(keys, args)
  return math.floor(redis.call('PTTL', args[1]))
end)

-- Makes database ARGV 2 a copy of database ARGV 1.
redis.register_function('sim_copy', function(_, args)
  redis.call('SELECT', args[2])
  redis.call('FLUSHDB')
  redis.call('SELECT', args[1])
  for _, key in ipairs(all_keys()) do redis.call('COPY', key, key, 'DB', args[2]) end
  redis.call('SELECT', 0)
  return 'OK'
end)

-- Deletes the keys that begin with one of ARGV.
redis.register_function('sim_lose', function(_, args)
  local lost = 0
  for _, key in ipairs(all_keys()) do
    for _, prefix in ipairs(args) do
      if string.sub(key, 1, #prefix) == prefix then lost = lost + redis.call('DEL', key) end
    end
  end
  return lost
end)

-- The keys that match ARGV 1, in order.
redis.register_function('sim_keys', function(_, args)
  local keys = redis.call('KEYS', args[1])
  table.sort(keys)
  return keys
end)
