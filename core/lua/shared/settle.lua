-- What happens to an order after it was reserved: its charge is settled, or its buyer cancels it. Each returns the word of its row: '+…' when
-- something changed, '=state' when it had happened before, '-…' when it cannot be.

local MAX_ATTEMPTS = 4
local CANCEL_WINDOW_MS = 120000

-- What happened to money after it was captured. The ledger knows whether it is news.
local AFTER_CAPTURE = { refunded = true, returned = true, disputed = true }

-- {'p', user, id, '', at, '', 0, generation, attempt, answer, detail}. unknown: it has been looked up in vain for
-- so long that the order is given up; a capture that shows up later goes back.
-- An answer to any other than the attempt that is under way is 'late': the ledger knows whether it is news.
local function settle_charge(batch, row)
  local field, o = row[13], batch.open[row[13]]
  local generation, attempt, answer = row[8], row[9], row[10]
  if not o or AFTER_CAPTURE[answer] or o.generation ~= generation or o.attempt ~= attempt or o.state == 'paid' then return '+late' end
  batch.touched[field] = true
  if o.state == 'cancelled' then
    -- Cancelled while it was being charged: now it is known whether there is something to give back.
    close_order(batch, field)
    step(batch, answer == 'captured' and 'refund' or 'charge_failed', field, o, row[11])
  elseif answer == 'captured' then
    o.state = 'paid'
    sell_units(batch, o)
    restate(batch, field, o)
    step(batch, 'paid', field, o)
  elseif attempt < MAX_ATTEMPTS and answer ~= 'unknown' then
    step(batch, 'charge_failed', field, o, row[11])
    o.attempt = attempt + 1
    step(batch, 'start', field, o)
    return '+retry'
  else
    o.state = 'payment_failed'
    release_units(batch, field, o, 'h')
    restate(batch, field, o)
    step(batch, 'payment_failed', field, o, row[11])
    close_order(batch, field)
  end
  leave_lane(batch, row[2], row[3])
  return '+' .. o.state
end

-- {'c', user, id, '', at, '', 0}. An order not seen yet leaves a mark, which its decision honours (shared/marks.lua).
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
