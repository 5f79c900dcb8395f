-- announce: announces that a rebuild is under way. While another rebuilder's announcement stands it
-- changes nothing: a worker that finds another's must not begin, or was overtaken.
--
-- One that would stand longer than any rebuilder asks for was made before Redis's clock was put
-- back: its rebuilder may be long gone.
--
-- KEYS  1 the announcement: '<incarnation> <token>'
-- ARGV  1 incarnation  2 the rebuilder's token  3 how long it stands, ms
-- Returns {'announced'} or {'another'}.
local function announce(keys, args)
  local held = redis.call('GET', keys[1])
  local stands = held and redis.call('PTTL', keys[1]) <= ANNOUNCED_MOST_MS
  if stands and string.match(held, ' (.*)$') ~= args[2] then return { 'another' } end
  redis.call('SET', keys[1], args[1] .. ' ' .. args[2], 'PX', args[3])
  return { 'announced' }
end
redis.register_function('announce', announce)

-- retract: takes back the rebuilder's own announcement, never another's.
--
-- KEYS  1 the announcement   ARGV  1 the rebuilder's token
-- Returns {'retracted'} or {'another'}.
local function retract(keys, args)
  local held = redis.call('GET', keys[1])
  if not held or string.match(held, ' (.*)$') ~= args[1] then return { 'another' } end
  redis.call('DEL', keys[1])
  return { 'retracted' }
end
redis.register_function('retract', retract)
