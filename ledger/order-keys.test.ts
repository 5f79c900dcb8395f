// Which order an idempotency key stands for, for every gateway that asks.
import { afterAll, describe, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { KeyClaim, LedgerWriter } from "./contract.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { SHARDS } from "./test-entries.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const claim = (key: string, more: Partial<KeyClaim> = {}): KeyClaim => ({
  user: "ann",
  key,
  id: Bun.randomUUIDv7(),
  fingerprint: "f1",
  ...more,
});
const standsFor = ({ id, fingerprint }: KeyClaim) => ({ id, fingerprint });

const databases = [
  ["sqlite", async () => `sqlite:${testDir("keys")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;

describe.each(databases)("%s", (_, freshUrl) => {
  /** Two writers of one ledger, as two gateways have them. */
  async function writers(): Promise<[LedgerWriter, LedgerWriter]> {
    const url = await freshUrl();
    open.push(await openLedger({ runtime: realRuntime, url, shards: SHARDS }));
    const two = [
      await openLedgerWriter(realRuntime, url),
      await openLedgerWriter(realRuntime, url),
    ] as const;
    open.push(...two);
    return [...two];
  }

  test("the first claim of a key decides, for everybody and for good", async () => {
    const [one, two] = await writers();
    const first = claim("k");
    expect(await one.claimKeys([first], 0)).toEqual([standsFor(first)]);
    const later = [claim("k", { fingerprint: "f2" }), claim("other"), claim("k")];
    const [, other] = later as [KeyClaim, KeyClaim, KeyClaim];
    expect(await two.claimKeys(later, 0)).toEqual([
      standsFor(first),
      standsFor(other),
      standsFor(first),
    ]);
    expect(await one.claimKeys([claim("k")], 0)).toEqual([standsFor(first)]);
  });

  test("each user has keys of their own", async () => {
    const [one] = await writers();
    const [ann, bob] = [claim("k"), claim("k", { user: "bob" })];
    expect(await one.claimKeys([ann, bob], 0)).toEqual([standsFor(ann), standsFor(bob)]);
  });

  test("claims of the same keys at the same time agree", async () => {
    const [one, two] = await writers();
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const held = await Promise.all(
      [one, two, one, two].map((writer, i) => {
        const own = keys.map((key) => claim(key));
        return writer.claimKeys(i % 2 === 0 ? own : own.reverse(), 0);
      }),
    );
    const [a, b, c, d] = held.map((h, i) => (i % 2 === 0 ? h : [...h].reverse()));
    expect(b).toEqual(a as never);
    expect(c).toEqual(a as never);
    expect(d).toEqual(a as never);
  });

  test("old keys are forgotten by those that follow, faster than these come", async () => {
    const [one, two] = await writers();
    const old = Array.from({ length: 30 }, (_, i) => claim(`old${i}`));
    await one.claimKeys(old, 0);
    const anHourAgo = Date.now() - 3_600_000;
    expect(await two.claimKeys([claim("old0")], anHourAgo)).toEqual([
      standsFor(old[0] as KeyClaim),
    ]);
    const later = Date.now() + 60_000;
    const young = Array.from({ length: 15 }, (_, i) => claim(`young${i}`, { id: idAt(later + 1) }));
    await two.claimKeys(young, later);
    const again = old.map(({ key }) => claim(key, { id: idAt(later + 1) }));
    expect(await two.claimKeys(again, later)).toEqual(again.map(standsFor));
  });

  test("a key's age is that of its order's id, whatever its gateway's clock says", async () => {
    const [one, two] = await writers();
    // Claimed through a gateway whose own clock is a day behind.
    const first = claim("k", { id: idAt(Date.now() + DAY_MS) });
    await one.claimKeys([first], 0);
    const claims = [claim("x"), claim("y")];
    await two.claimKeys(claims, Date.now() + DAY_MS / 2);
    expect(await two.claimKeys([claim("k")], 0)).toEqual([standsFor(first)]);
  });
});

const DAY_MS = 24 * 3_600_000;
const idAt = (ms: number) => Bun.randomUUIDv7("hex", ms);
