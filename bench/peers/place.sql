-- Ledger and stock of the peers on Postgres, and the functions that decide in the database.

-- No call may wait for ever.
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''30s''', current_database());
END $$;

-- Hot rows: room on the page keeps updates off the index.
CREATE TABLE items (
  sku text PRIMARY KEY,
  units int NOT NULL CHECK (units >= 0)
) WITH (fillfactor = 20);

-- Ids begin with the time, so the index grows at its right edge.
CREATE TABLE orders (
  id uuid NOT NULL,
  user_id text NOT NULL,
  lines text NOT NULL,
  outcome text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, user_id)
);

-- Decides and records one order. Returns 1, or 0 if the ledger has the order already.
CREATE FUNCTION place_one(
  order_id uuid, order_user text, order_lines text, skus text[], quantities int[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  short boolean;
BEGIN
  -- Without a lock: units never come back, so an item without any stays without.
  short := EXISTS (
    SELECT FROM items JOIN unnest(skus, quantities) AS line (sku, qty) USING (sku)
    WHERE units < qty);
  INSERT INTO orders (id, user_id, lines, outcome)
    VALUES (order_id, order_user, order_lines,
      CASE WHEN short THEN 'sold_out' ELSE 'reserved' END)
    ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 0; END IF;
  IF short THEN RETURN 1; END IF;
  -- The locks come last and in one order: held briefly, and never in a circle.
  PERFORM FROM items WHERE sku = ANY (skus) ORDER BY sku FOR UPDATE;
  IF EXISTS (
    SELECT FROM items JOIN unnest(skus, quantities) AS line (sku, qty) USING (sku)
    WHERE units < qty)
  THEN
    UPDATE orders SET outcome = 'sold_out' WHERE id = order_id AND user_id = order_user;
  ELSE
    UPDATE items SET units = units - qty
      FROM unnest(skus, quantities) AS line (sku, qty) WHERE items.sku = line.sku;
  END IF;
  RETURN 1;
END $$;

-- Decides and records a batch in one transaction. Lines are three arrays; `line_order` is the place
-- of a line's order in the batch, from 1. Returns how many orders were new.
--
-- First all at once: items without units refuse their orders, and the rest is taken. If the batch
-- has an order that the ledger knows, or an item runs out within it, that attempt is undone and the
-- orders are placed one by one. ON CONFLICT would cost half as much again as the plain INSERT.
CREATE FUNCTION place(
  ids uuid[], users text[], bodies text[], line_order int[], line_sku text[], line_qty int[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  refused int[];
  wanted text[];
  touched int;
  fresh int := 0;
BEGIN
  BEGIN
    SELECT coalesce(array_agg(DISTINCT line.n), '{}') INTO refused
      FROM unnest(line_order, line_sku) AS line (n, sku)
      JOIN (SELECT sku FROM items WHERE units = 0) gone USING (sku);
    INSERT INTO orders (id, user_id, lines, outcome)
      SELECT o.id, o.user_id, o.lines,
        CASE WHEN r.n IS NULL THEN 'reserved' ELSE 'sold_out' END
      FROM unnest(ids, users, bodies) WITH ORDINALITY AS o (id, user_id, lines, n)
      LEFT JOIN unnest(refused) AS r (n) ON r.n = o.n;
    SELECT array_agg(DISTINCT line.sku) INTO wanted
      FROM unnest(line_order, line_sku) AS line (n, sku)
      WHERE line.n <> ALL (refused);
    IF wanted IS NULL THEN RETURN cardinality(ids); END IF;
    PERFORM FROM items WHERE sku = ANY (wanted) ORDER BY sku FOR UPDATE;
    UPDATE items SET units = units - demand.qty
      FROM (
        SELECT line.sku, sum(line.qty) AS qty
        FROM unnest(line_order, line_sku, line_qty) AS line (n, sku, qty)
        WHERE line.n <> ALL (refused) GROUP BY line.sku
      ) demand
      WHERE items.sku = demand.sku AND units >= demand.qty;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched < cardinality(wanted) THEN RAISE EXCEPTION USING ERRCODE = 'RETRY'; END IF;
    RETURN cardinality(ids);
  EXCEPTION WHEN unique_violation OR SQLSTATE 'RETRY' THEN
    NULL;
  END;
  PERFORM FROM items WHERE sku = ANY (line_sku) ORDER BY sku FOR UPDATE;
  FOR i IN 1 .. cardinality(ids) LOOP
    fresh := fresh + place_one(ids[i], users[i], bodies[i],
      (SELECT array_agg(l.sku) FROM unnest(line_order, line_sku) AS l (n, sku) WHERE l.n = i),
      (SELECT array_agg(l.qty) FROM unnest(line_order, line_qty) AS l (n, qty) WHERE l.n = i));
  END LOOP;
  RETURN fresh;
END $$;
