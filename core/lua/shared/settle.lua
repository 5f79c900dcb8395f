-- What happens to an order after it was reserved: its charge is settled, or its buyer cancels it.
-- Each returns the word of its row: '+…' when something changed, '=state' when it had happened
-- before, '-…' when it cannot be.

-- The answers that settle an attempt; core/domain/charge.ts lists all of them.
local SETTLES = { captured = true, failed = true, unknown = true }

-- The step of an answer that came after its order was cancelled.
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

-- Applies an answer about an attempt to charge. An answer that changes nothing here is 'late': it
-- is for an attempt that is not under way, or only the ledger keeps it (later, refunded, …). The
-- ledger knows whether it is news.
local function settle_charge(batch, orders, i)
  local field = orders.order[i]
  local o, attempt = batch.open[field], orders.attempt[i]
  local answer, detail = orders.answer[i], orders.detail[i]
  local under_way = o and o.generation == orders.generation[i] and o.attempt == attempt
    and o.state ~= 'paid'
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
  leave_lane(batch, field)
  return '+' .. o.state
end

-- The word of a cancel whose order is not open. One that was not seen yet leaves a mark, which its
-- decision honours (marks.lua).
local function cancel_unopened(batch, orders, i)
  local record = batch.seen[orders.order[i]]
  local state = record and string.match(record, ' (.*)$')
  if state == 'cancelled' then return '=cancelled' end
  if state and state ~= 'parked' then return '-' .. state end
  if not state and bucket_of(orders, i) < batch.first_bucket then return '-too_late' end
  return mark_cancelled(batch, orders, i) and '+cancel_pending' or '-too_many'
end

local function cancel_order(batch, orders, i)
  local field = orders.order[i]
  local o = batch.open[field]
  if not o then return cancel_unopened(batch, orders, i) end
  if o.state == 'cancelled' then return '=cancelled' end
  if orders.at[i] - o.accepted > CANCEL_WINDOW_MS then return '-too_late' end
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
    leave_lane(batch, field)
  else
    -- Its charge is under way: record and place in the lane stay until the answer is in.
    step(batch, 'cancelled', field, o, 'held')
  end
  return '+cancelled'
end
