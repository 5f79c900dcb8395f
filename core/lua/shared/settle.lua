-- What happens to an order after it was reserved: its charge is settled, or its buyer cancels it.
-- Each returns the word of its row: '+…' when something changed, '=state' when it had happened
-- before, '-…' when it cannot be.

local MAX_ATTEMPTS = 4
local CANCEL_WINDOW_MS = 120000

-- {'p', user, id, '', at, '', 0, generation, attempt, answer, detail}; core/domain/charge.ts lists
-- the answers. An answer that changes nothing here is 'late': to any attempt but the one under way,
-- or one that only the ledger keeps (later, refunded, …). The ledger knows whether it is news.
local SETTLES = { captured = true, failed = true, unknown = true }

-- The attempt's answer has come while its order was cancelled: is there something to give back?
local CANCELLED_STEPS = { captured = 'refund', failed = 'charge_failed', unknown = 'given_up' }

local function settle_cancelled(batch, field, o, answer, detail)
  close_order(batch, field)
  step(batch, CANCELLED_STEPS[answer], field, o, detail)
end

local function settle_paid(batch, field, o)
  o.state = 'paid'
  sell_units(batch, o)
  restate(batch, field, o)
  step(batch, 'paid', field, o)
end

local function settle_failed(batch, field, o, answer, detail)
  if answer == 'unknown' then step(batch, 'given_up', field, o, detail) end
  o.state = 'payment_failed'
  release_units(batch, field, o, 'h')
  restate(batch, field, o)
  step(batch, 'payment_failed', field, o, detail)
  close_order(batch, field)
end

local function settle_charge(batch, row)
  local field, o = row[13], batch.open[row[13]]
  local generation, attempt, answer, detail = row[8], row[9], row[10], row[11]
  local under_way = o and o.generation == generation and o.attempt == attempt and o.state ~= 'paid'
  if not under_way or not SETTLES[answer] then return '+late' end
  batch.touched[field] = true
  if o.state == 'cancelled' then
    settle_cancelled(batch, field, o, answer, detail)
  elseif answer == 'captured' then
    settle_paid(batch, field, o)
  elseif attempt < MAX_ATTEMPTS and answer == 'failed' then
    step(batch, 'charge_failed', field, o, detail)
    o.attempt = attempt + 1
    step(batch, 'start', field, o)
    return '+retry'
  else
    settle_failed(batch, field, o, answer, detail)
  end
  leave_lane(batch, row[2], row[3])
  return '+' .. o.state
end

-- {'c', user, id, '', at, '', 0}. An order not seen yet leaves a mark, which its decision honours
-- (shared/marks.lua).
local function cancel_order(batch, row)
  local field, o = row[13], batch.open[row[13]]
  if not o then
    local state = batch.seen[field] and string.match(batch.seen[field], ' (.*)$')
    if state == 'cancelled' then return '=cancelled' end
    if state and state ~= 'parked' then return '-' .. state end
    if not state and row[14] < batch.first_bucket then return '-too_late' end
    return mark_cancelled(batch, row) and '+cancel_pending' or '-too_many'
  end
  if o.state == 'cancelled' then return '=cancelled' end
  if row[5] - o.accepted > CANCEL_WINDOW_MS then return '-too_late' end
  if o.parts then return '-claimed' end
  local was = o.state
  o.state = 'cancelled'
  release_units(batch, field, o, was == 'paid' and 's' or 'h')
  restate(batch, field, o)
  batch.touched[field] = true
  if was == 'paid' then
    step(batch, 'cancelled', field, o, 'sold')
    step(batch, 'refund', field, o)
    close_order(batch, field)
  elseif o.attempt == 0 then
    step(batch, 'cancelled', field, o, 'held')
    close_order(batch, field)
    leave_lane(batch, row[2], row[3])
  else
    -- Its charge is under way: the record stays, and its place in the lane, until the answer is in.
    step(batch, 'cancelled', field, o, 'held')
  end
  return '+cancelled'
end
