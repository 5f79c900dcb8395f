-- The outbox: one stream entry per decision, chained by ids. The entry carries all that the ledger
-- needs, so the shard's next owner can record it without the message.
--
--   <n>-0 → id, prev, k (kind), t (time, ms), r (released, JSON), x (steps, JSON),
--           then per message g (gateway), b (batch), y (body), o (outcomes)

-- Appends an entry and moves the tip. messages: {gateway, batch, body, outcomes} each. released and
-- steps: JSON. Returns the entry's number.
local function append_entry(shard, id, kind, now, messages, released, steps)
  local n = shard.n + 1
  local number = number_text(n)
  local fields = { 'id', id, 'prev', shard.tip, 'k', kind, 't', number_text(now),
    'r', released, 'x', steps }
  for _, message in ipairs(messages) do
    local at = #fields
    fields[at + 1], fields[at + 2] = 'g', message.gateway
    fields[at + 3], fields[at + 4] = 'b', message.batch
    fields[at + 5], fields[at + 6] = 'y', message.body
    fields[at + 7], fields[at + 8] = 'o', message.outcomes
  end
  redis.call('XADD', shard.prefix .. 'outbox', number .. '-0', unpack(fields))
  redis.call('HSET', shard.meta, 'tip', id, 'n', number)
  return n
end
