-- Decides a group of orders at once.
--
-- KEYS[1]    hash: item -> units
-- KEYS[2..]  one key per order; it keeps the outcome for a day, so that a repeated order takes
--            nothing and gets the same answer
-- ARGV       per order: the number of its lines, then item and quantity of each
-- Returns a letter per order: r reserved, s sold out.

local DAY_S = 86400

local known = redis.call('MGET', unpack(KEYS, 2))
local units, changed, outcomes, now = {}, {}, {}, {}

local function left(sku)
  local n = units[sku]
  if n == nil then
    n = tonumber(redis.call('HGET', KEYS[1], sku) or 0)
    units[sku] = n
  end
  return n
end

local at = 1
for i = 1, #known do
  local lines = tonumber(ARGV[at])
  local last = at + 2 * lines
  local key = KEYS[i + 1]
  local outcome = known[i] or now[key] -- the same order may be twice in a group
  if not outcome then
    outcome = 'r'
    for l = at + 1, last, 2 do
      if left(ARGV[l]) < tonumber(ARGV[l + 1]) then outcome = 's' break end
    end
    if outcome == 'r' then
      for l = at + 1, last, 2 do
        units[ARGV[l]] = units[ARGV[l]] - tonumber(ARGV[l + 1])
        changed[ARGV[l]] = true
      end
    end
    now[key] = outcome
    redis.call('SET', key, outcome, 'EX', DAY_S)
  end
  outcomes[i] = outcome
  at = last + 1
end
for sku in pairs(changed) do
  redis.call('HSET', KEYS[1], sku, string.format('%d', units[sku]))
end
return table.concat(outcomes)
