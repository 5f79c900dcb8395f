-- What orders cost at the rates of now: those in another currency than their sale's prices, and
-- those with a ceiling. Rates are read once a batch.
--
--   rates  hash  <base>/<quote> → <id> <value> <mantissa> <scale> <at, ms> <expires, ms>
--                one hash for all shards (set_rates.lua)
--   rates:held  hash  <base>/<quote> → held or refused, <since, ms> <last value>, a rate as above:
--                rates that wait for an operator, and those that one has refused
--
-- An amount in minor units of the base costs amount × mantissa ÷ 10^scale minor units of the quote:
-- mantissa and scale allow for the rate's value and for the minor digits of both.

local LIMB = 1e7

-- a × b ÷ 10^scale, rounded half up. Exact: both are whole and below 2^53, and are multiplied in
-- limbs of seven digits.
local function scaled(a, b, scale)
  local p = { 0, 0, 0, 0, 0, 0, 0, 0 }
  for i = 0, 2 do
    local x = math.floor(a / LIMB ^ i) % LIMB
    for j = 0, 2 do p[i + j + 1] = p[i + j + 1] + x * (math.floor(b / LIMB ^ j) % LIMB) end
  end
  if scale > 0 then
    local at = math.floor((scale - 1) / 7) + 1
    p[at] = p[at] + 5 * 10 ^ ((scale - 1) % 7)
  end
  for i = 1, 7 do
    p[i + 1] = p[i + 1] + math.floor(p[i] / LIMB)
    p[i] = p[i] % LIMB
  end
  local whole, rest = math.floor(scale / 7), scale % 7
  local sum = math.floor((p[whole + 1] or 0) / 10 ^ rest)
  for i = whole + 2, 8 do sum = sum + p[i] * 10 ^ (7 * (i - whole - 1) - rest) end
  return sum
end

local RATE = '^(%S+) (%S+) (%d+) (%d+) %d+ (%d+)$'

-- The rate of a pair that holds now; nil when there is none, or it is too old.
local function rate_of(batch, pair)
  local rate = batch.rates[pair]
  if rate == nil then
    local text = redis.call('HGET', RATES_KEY, pair)
    local id, value, mantissa, scale, expires = string.match(text or '', RATE)
    rate = id and tonumber(expires) > batch.now
      and { id = id, value = value, mantissa = tonumber(mantissa), scale = tonumber(scale) }
    batch.rates[pair] = rate or false
  end
  return rate or nil
end

-- What row i's lines cost in its sale's currency, at the prices of the moment when it was accepted,
-- and whether one of its items has had several. Only asked of orders whose items are all available.
local function base_total(sale, orders, i)
  local total, several = 0, false
  local from = orders.first[i]
  for l = from, from + orders.lines[i] - 1 do
    local item = sale.items[orders.sku[l]]
    local price = item.price
    if item.later then
      several = true
      for _, change in ipairs(item.later) do
        if orders.at[i] >= change.from then price = change.price end
      end
    end
    total = total + price * orders.qty[l]
  end
  return total, several
end

-- Whether row i costs more than its buyer set, or than can be charged. total: in its sale's
-- currency; rate: nil for that currency.
local function too_dear(total, orders, i, rate)
  if total > MAX_MONEY_MINOR then return true end
  if rate then total = scaled(total, rate.mantissa, rate.scale) end
  local most = orders.maxTotal[i]
  return total > MAX_MONEY_MINOR or most > 0 and total > most
end

-- 1080 / 1.08 is 999.9999999999999: the last digit of a division decides nothing.
local ROUNDING = 1e-9

-- Whether a rate is further from another than a step in percent allows, up or down.
local function too_far(value, last, step)
  local change = tonumber(value) / tonumber(last)
  local most = (1 + step / 100) * (1 + ROUNDING)
  return change > most or change < 1 / most
end

local WAITING_RATE = '^(%S+) (%d+) (%S+) (%S+ (%S+) %d+ %d+ (%d+) %d+)$'

-- The rate of a pair that waits or was refused; nil: there is none.
local function read_waiting_rate(key, pair)
  local state, since, last, rate, value, at =
    string.match(redis.call('HGET', key, pair) or '', WAITING_RATE)
  if not state then return nil end
  return { state = state, since = since, last = last, rate = rate, value = value, at = at }
end
