import { afterEach, describe, expect, test } from "bun:test";
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import { LedgerUnavailable } from "../../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { entryOf, orderRow, SHARDS, saleOf, userOf } from "../../ledger/test-entries.ts";
import { freshDatabase, testDir } from "../../test/services.ts";
import { Recorder } from "./recorder.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of closing.splice(0)) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("recorder")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;

/** Ways in which the first answer to `record` is lost. */
const LOSSES = {
  "the commit is there before the recorder asks again": async (commit: () => Promise<unknown>) => {
    await commit();
    throw new LedgerUnavailable("the connection was lost");
  },
  "the commit lands while the recorder asks again": async (commit: () => Promise<unknown>) => {
    void Bun.sleep(50).then(commit);
    throw new LedgerUnavailable("no answer within 50 ms");
  },
} as const;

describe.each(databases)("%s", (_, freshUrl) => {
  test.each(Object.entries(LOSSES))(
    "an uncertain commit settles each entry once, even several of one shard: %s",
    async (_, lose) => {
      const url = await freshUrl();
      const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
      const writer = await openLedgerWriter(realRuntime, url);
      closing.push(ledger, writer);
      await ledger.operate({ kind: "create", ref: "r", sale: saleOf(100) }, "op");
      const epochs = [
        (await writer.takeShard(0, "w")).epoch,
        (await writer.takeShard(1, "w")).epoch,
      ];
      const events: string[] = [];
      const recorder = new Recorder({
        runtime: realRuntime,
        writer: losingOnce(writer, lose),
        log: (event) => events.push(event),
      });
      const places = [0, 0, 1, 0, 1, 0].map((shard, i, all) => ({
        shard,
        n: all.slice(0, i + 1).filter((s) => s === shard).length,
      }));
      const results = await Promise.all(
        places.map(({ shard, n }) => {
          const rows = [orderRow(userOf(shard), Bun.randomUUIDv7(), 1)];
          return recorder.record(entryOf(shard, n, rows, "reserved"), at(epochs, shard));
        }),
      );
      expect(results).toEqual(places.map(() => "recorded" as const));
      expect((await ledger.stock("s1"))[0]?.held).toBe(places.length);
      expect((await ledger.positions()).map((p) => p.lastN)).toEqual([4, 2]);
      expect(events).toEqual(["ledger away", "ledger back"]);
    },
    30_000,
  );
});

/** Loses the answer to the first call, which takes all entries. */
function losingOnce(
  writer: LedgerWriter,
  lose: (commit: () => Promise<unknown>) => Promise<never>,
): LedgerWriter {
  let calls = 0;
  return {
    ...writer,
    record: (entries) =>
      ++calls === 1 ? lose(() => writer.record(entries)) : writer.record(entries),
  } as LedgerWriter;
}
