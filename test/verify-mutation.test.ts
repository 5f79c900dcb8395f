// The checker must fail with any one rule disabled.
import { expect, test } from "bun:test";
import { endAfterEach, found, runWith, TIMEOUT_MS } from "./mutation.ts";

endAfterEach();

/** Recreates a table without its keys and checks. */
const withoutGuards = (table: string): string[] => [
  `CREATE TABLE unguarded AS SELECT * FROM ${table}`,
  `DROP TABLE ${table}`,
  `ALTER TABLE unguarded RENAME TO ${table}`,
];

test(
  "without deduplication it finds orders decided twice",
  async () => {
    const lua = [
      ["if values[i] then seen[fields[i]] = values[i] end", ""],
      ["batch.seen[field] = value", ""],
      ["seen[field] = record", ""],
    ] as const;
    const finds = "I3 an order was decided twice";
    const verdict = await runWith({
      lua,
      sql: [...withoutGuards("orders"), ...withoutGuards("charges")],
      finds,
    });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "without the stock checks of Redis and the ledger it finds items oversold",
  async () => {
    const lua = [
      ["if not enough then return 'sold_out' end", ""],
      ["if item.available < 0 then error('more units than there are') end", ""],
      // Items that are sold out have all that a reservation needs.
      ["if available == '0' and limit == 0 and", "if false and"],
    ] as const;
    const finds = "I5 oversold";
    const verdict = await runWith({ lua, sql: withoutGuards("items"), finds });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "with orders refused as sold out while there is stock, it finds the wrong refusals",
  async () => {
    const lua = [
      [
        "if not enough then return 'sold_out' end",
        "if not enough or string.sub(orders.order[i], -1) < '8' then return 'sold_out' end",
      ],
    ] as const;
    const finds = "I5 an order was refused as sold out though there was stock";
    const verdict = await runWith({ lua, finds });
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "with records taken to be gone it finds orders refused as stale too early",
  async () => {
    const lua = [
      [
        "if not forced and bucket < batch.first_bucket then",
        "if not forced and string.sub(field, -2) == '00' then",
      ],
      ["local plain = not forced and one and", "local plain = false and"],
    ] as const;
    const finds = "I1 an order was refused as stale though it was recent enough";
    const verdict = await runWith({ lua, finds });
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "without the sequence check it finds numbers out of turn",
  async () => {
    const lua = [["if seq > turn.next or turn.parked[seq] then", "if false then"]] as const;
    const finds = "I4 a number was decided before its turn";
    const verdict = await runWith({ lua, finds });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);
