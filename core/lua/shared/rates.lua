-- Orders in another currency than their sale's prices, and orders with a ceiling: what they cost,
-- at the rate held now. Rates are read once a batch.
--
--   rates  hash  <base>/<quote> → <id> <value> <mantissa> <scale> <at, ms> <expires, ms>     one for all shards (set_rates.lua)
--
-- An amount in minor units of the base costs amount × mantissa ÷ 10^scale of the quote's: value and
-- minor digits are worked into them.

local RATES_KEY = 'rates'
-- Fourteen digits (core/domain/order.ts).
local MAX_MONEY = 99999999999999
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

-- The rate of a pair that holds now; nil when there is none, or it is too old.
local function rate_of(batch, pair)
  local rate = batch.rates[pair]
  if rate == nil then
    local text = redis.call('HGET', RATES_KEY, pair)
    local id, value, mantissa, scale, expires = string.match(text or '', '^(%S+) (%S+) (%d+) (%d+) %d+ (%d+)$')
    rate = id and tonumber(expires) > batch.now and { id = id, value = value, mantissa = tonumber(mantissa), scale = tonumber(scale) } or false
    batch.rates[pair] = rate
  end
  return rate or nil
end

-- What an order's lines cost in its sale's currency.
local function base_total(sale, lines)
  local total = 0
  for i = 1, #lines, 2 do total = total + sale.items[lines[i]].price * lines[i + 1] end
  return total
end

-- Whether an order costs more than its buyer set, or than can be charged. rate: nil for the sale's
-- own currency.
local function too_dear(batch, row, rate)
  local total = base_total(batch.sales[row[6]], row[9])
  if total > MAX_MONEY then return true end
  if rate then total = scaled(total, rate.mantissa, rate.scale) end
  return total > MAX_MONEY or row[12] > 0 and total > row[12]
end
