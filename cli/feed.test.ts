// sluice feed with --types and --limit, as a process on a real ledger.
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { FeedEvent } from "../core/domain/feed-event.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "../ledger/test-entries.ts";
import { outputOf } from "../test/output-of.ts";
import { testDir } from "../test/services.ts";
import { wantedPage } from "./wanted-page.ts";

const CLI = join(import.meta.dir, "cli.ts");
const TIMEOUT_MS = 60_000;
const ANN = userOf(0);
/** More than a page has. */
const OTHERS = 1_200;
/** Paid after all the others, in entries of their own. */
const PAID = Array.from({ length: 5 }, () => Bun.randomUUIDv7());
const url = `sqlite:${testDir("cli-feed")}/ledger.db`;

beforeAll(async () => {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(10_000) }, "test");
  await ledger.close();
  const writer = await openLedgerWriter(realRuntime, url);
  const { epoch } = await writer.takeShard(0, "w");
  const orders = [...PAID, ...Array.from({ length: OTHERS }, () => Bun.randomUUIDv7())];
  let n = 0;
  for (let i = 0; i < orders.length; i += 50) {
    const rows = orders.slice(i, i + 50).map((id) => orderRow(ANN, id, 1));
    const words = rows.map(() => "reserved").join(",");
    const entry = entryOf(0, ++n, rows, words, { atMs: n });
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  }
  for (const id of PAID) {
    const steps = [stepOf("paid", ANN, id)];
    const entry = entryOf(0, ++n, [], "", { atMs: n, steps });
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  }
  await writer.close();
}, TIMEOUT_MS);

const env = {
  ...{ ...process.env, SLUICE_LEDGER_URL: url, SLUICE_SHARDS: String(SHARDS) },
  ...{ SLUICE_REDIS_URL: "redis://127.0.0.1:1", SLUICE_REGIONS: "eu=amqp://127.0.0.1:1/eu" },
  SLUICE_DATA: testDir("cli-feed-data"),
};
const feed = (...words: string[]) => outputOf([process.execPath, CLI, "feed", ...words], { env });

test(
  "--limit counts the events of the type, and the hint keeps the flags",
  async () => {
    const flags = ["--types", "order.paid", "--limit", "2"];
    const seen: string[] = [];
    let more = flags;
    for (let page = 0; page < 3; page++) {
      const { code, out, err } = await feed(...more);
      expect(code).toBe(0);
      const rows = out.split("\n").filter((line) => line.includes(" paid "));
      seen.push(...rows.map((line) => PAID.find((id) => line.includes(id)) ?? line));
      expect(rows).toHaveLength(page < 2 ? 2 : 1);
      const [, hint] = /^later ones: sluice feed (.*)\n$/.exec(err) ?? [];
      expect([page, hint?.replace(/^--after \S+ /, "")]).toEqual([
        ...[page, page < 2 ? flags.join(" ") : undefined],
      ]);
      more = hint?.split(" ") ?? [];
    }
    expect(seen).toEqual(PAID);
    const found = JSON.parse((await feed("--types", "order.paid", "--limit", "1", "--json")).out);
    expect(found).toMatchObject({ events: [{ data: { orderId: PAID[0] } }], more: true });
  },
  TIMEOUT_MS,
);

test("a search for a rare type stops after some pages, and can be continued", async () => {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const isPaid = ({ type }: FeedEvent) => type === "order.paid";
  const first = await wantedPage(ledger, await ledger.feedAt("start"), 2, isPaid, 1);
  expect(first).toMatchObject({ events: [], early: true, more: true, read: 1_000 });
  const next = await wantedPage(ledger, first.after, 2, isPaid, 2);
  expect(next.events.map(({ orderId }) => orderId)).toEqual(PAID.slice(0, 2));
  expect(next).toMatchObject({ early: false, more: true });
  await ledger.close();
});
