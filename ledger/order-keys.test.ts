// Which order an idempotency key stands for, whoever asks.
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

  test("old keys are forgotten on request, young ones never", async () => {
    const [one, two] = await writers();
    const first = claim("k");
    await one.claimKeys([first], 0);
    const anHourAgo = Date.now() - 3_600_000;
    expect(await two.claimKeys([claim("k")], anHourAgo)).toEqual([standsFor(first)]);
    const again = claim("k");
    expect(await two.claimKeys([again], Date.now() + 60_000)).toEqual([standsFor(again)]);
  });
});
