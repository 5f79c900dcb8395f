// Which claim has a part, for every gateway that asks, on both databases.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Part } from "../core/domain/part.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { Leased, LeaseRequest, LedgerWriter } from "./contract.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { MAX_CLAIMS } from "./part-leases.ts";
import { SHARDS } from "./test-entries.ts";

setDefaultTimeout(30_000);
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  await freshDatabase(); // the server takes a while to start
}, 120_000);
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("leases")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;

const NOW_MS = 1_800_000_000_000;
const LEASE_MS = 60_000;

function makePart(more: Partial<Part> = {}): Part {
  return {
    ...{ user: "ann", id: Bun.randomUUIDv7(), saleId: "s", generation: 1, part: 1, of: 1 },
    ...{ shard: 0, region: "eu", lines: [], metadata: "" },
    ...more,
  };
}

const request = (claim: string, more: Partial<LeaseRequest> = {}): LeaseRequest => {
  const nowMs = more.nowMs ?? NOW_MS;
  return { service: "depot", claim, most: 10, nowMs, untilMs: nowMs + LEASE_MS, ...more };
};
const idsIn = (leased: Leased) =>
  leased.kind === "leased" ? leased.parts.map(({ id }) => id).sort() : leased.kind;
const idsOf = (parts: readonly Part[]) => parts.map(({ id }) => id).sort();

describe.each(databases)("%s", (_, freshUrl) => {
  /** Two writers of one ledger, as two gateways have them. */
  async function writers(): Promise<[LedgerWriter, LedgerWriter]> {
    const url = await freshUrl();
    open.push(await openLedger({ runtime: realRuntime, url, shards: SHARDS }));
    const one = await openLedgerWriter(realRuntime, url);
    const two = await openLedgerWriter(realRuntime, url);
    open.push(one, two);
    return [one, two];
  }

  test("a claim has its parts at every gateway, until its lease ends", async () => {
    const [one, two] = await writers();
    const parts = [makePart(), makePart(), makePart()];
    const first = await one.leaseParts(request("a", { most: 2 }), parts);
    expect(idsIn(first)).toHaveLength(2);
    expect(idsIn(await two.leaseParts(request("a"), []))).toEqual(idsIn(first));
    // The third is nobody's yet; the first two become free when their lease ends.
    const third = idsIn(await two.leaseParts(request("b"), []));
    expect([...idsIn(first), ...third].sort()).toEqual(idsOf(parts));
    expect(idsIn(await two.leaseParts(request("c"), []))).toBe("none");
    const later = { nowMs: NOW_MS + LEASE_MS };
    expect(idsIn(await two.leaseParts(request("c", later), []))).toEqual(idsOf(parts));
    expect(idsIn(await one.leaseParts(request("a", later), []))).toBe("ended");
  });

  test("two gateways with one claim give it the same parts and lose no others", async () => {
    const [one, two] = await writers();
    const all = Array.from({ length: 20 }, () => makePart());
    const [a, b] = await Promise.all([
      one.leaseParts(request("a"), all.slice(0, 10)),
      two.leaseParts(request("a"), all.slice(10)),
    ]);
    expect(idsIn(b)).toEqual(idsIn(a));
    const rest = await one.leaseParts(request("rest", { most: 20 }), []);
    expect([...idsIn(a), ...idsIn(rest)].sort()).toEqual(idsOf(all));
  });

  test("claims at the same time share no part", async () => {
    const [one, two] = await writers();
    const all = Array.from({ length: 40 }, () => makePart());
    await one.leaseParts(request("none", { most: 0 }), all);
    const got = await Promise.all(
      ["a", "b", "c", "d"].map((claim, i) =>
        (i % 2 ? one : two).leaseParts(request(claim), []).then(idsIn),
      ),
    );
    expect(got.flat().sort()).toEqual(idsOf(all));
  });

  test("a report counts while the claim has the part, and is remembered", async () => {
    const [one, two] = await writers();
    const part = makePart();
    await one.leaseParts(request("a"), [part]);
    const report = (claim: string, nowMs: number, service = "depot") =>
      two.beginReport({ service, claim, of: part, nowMs, holdUntilMs: nowMs + 30_000 });
    expect(await report("a", NOW_MS, "other")).toEqual({ kind: "unknown" });
    expect(await report("b", NOW_MS)).toEqual({ kind: "ended" });
    const lastMs = NOW_MS + LEASE_MS - 1;
    expect(await report("a", lastMs)).toEqual({ kind: "open", part });
    // Its lease is over, but the report is on its way.
    const meanwhile = { nowMs: lastMs + 29_000 };
    expect(idsIn(await one.leaseParts(request("c", meanwhile), []))).toBe("none");
    await two.endLease({ of: part, claim: "a", fate: "done", nowMs: lastMs });
    expect(await report("a", lastMs)).toEqual({ kind: "reported", fate: "done" });
    const muchLater = { nowMs: NOW_MS + 100 * LEASE_MS };
    expect(idsIn(await one.leaseParts(request("d", muchLater), []))).toBe("none");
  });

  test("a message that comes again changes nothing; a newer request is kept", async () => {
    const [one] = await writers();
    const part = makePart({ request: 2 });
    await one.leaseParts(request("a"), [part]);
    expect(idsIn(await one.leaseParts(request("b"), [part, makePart({ ...part })]))).toBe("none");
    // An operator asks for it again while the claim works: its later report names the new one.
    const again = makePart({ ...part, request: 3 });
    expect(idsIn(await one.leaseParts(request("c"), [again]))).toBe("none");
    const begin = { service: "depot", claim: "a", of: part, nowMs: NOW_MS, holdUntilMs: NOW_MS };
    expect(await one.beginReport(begin)).toEqual({ kind: "open", part: again });
    const end = { claim: "a", fate: "later", nowMs: NOW_MS } as const;
    await one.endLease({ ...end, of: again });
    expect(idsIn(await one.leaseParts(request("d"), [again]))).toBe("none");
    const next = makePart({ ...part, request: 4 });
    expect(idsIn(await one.leaseParts(request("e"), [next]))).toEqual([part.id]);
    // What failed comes again under its old number, when an operator redrives it.
    await one.endLease({ of: next, claim: "e", fate: "failed", nowMs: NOW_MS });
    expect(idsIn(await one.leaseParts(request("f"), [next]))).toEqual([part.id]);
  });

  test("a part that comes again before the end of its lease is on record is not lost", async () => {
    const [one, two] = await writers();
    const part = makePart();
    await one.leaseParts(request("a"), [part]);
    const begin = { service: "depot", claim: "a", of: part, nowMs: NOW_MS, holdUntilMs: NOW_MS };
    expect(await one.beginReport(begin)).toEqual({ kind: "open", part });
    // Its shard has put it off and the ledger has asked for it again; then the end comes.
    const again = makePart({ ...part, request: 2 });
    expect(idsIn(await two.leaseParts(request("b"), [again]))).toBe("none");
    await one.endLease({ of: part, claim: "a", fate: "later", nowMs: NOW_MS });
    expect(await two.leaseParts(request("c"), [])).toMatchObject({ parts: [again] });

    // The same while nobody has it.
    const nobodys = makePart();
    await one.leaseParts(request("d", { most: 0 }), [nobodys]);
    const newer = makePart({ ...nobodys, request: 2 });
    await one.leaseParts(request("e", { most: 0 }), [newer]);
    await one.endLease({ of: nobodys, claim: "", fate: "later", nowMs: NOW_MS });
    expect(await two.leaseParts(request("f"), [])).toMatchObject({ parts: [newer] });
  });

  test("what its shard refuses, or does not answer, leaves the claim", async () => {
    const [one] = await writers();
    const [gone, back] = [makePart(), makePart()];
    await one.leaseParts(request("a"), [gone, back]);
    const settled = { service: "depot", claim: "a", nowMs: NOW_MS, backMs: NOW_MS + 5_000 };
    await one.settleClaim({ ...settled, gone: [{ of: gone, fate: "gone" }], back: [back] });
    expect(idsIn(await one.leaseParts(request("b"), []))).toBe("none");
    // Nothing was given out under this name, so it is free again.
    const then = { nowMs: NOW_MS + 5_000 };
    expect(idsIn(await one.leaseParts(request("a", then), []))).toEqual([back.id]);
  });

  test("claims are bounded; lapsed parts are found, old ends forgotten", async () => {
    const [one] = await writers();
    for (let n = 0; n < MAX_CLAIMS; n++) await one.leaseParts(request(`a${n}`), [makePart()]);
    expect(await one.leaseParts(request("more"), [])).toEqual({ kind: "too_many" });
    const other = request("more", { service: "other" });
    expect(await one.leaseParts(other, [])).toEqual({ kind: "none" });
    const at = { beforeMs: NOW_MS + LEASE_MS, holdUntilMs: NOW_MS + 2 * LEASE_MS };
    const look = { ...at, most: 150, forgetBeforeMs: 0 };
    const found = [await one.lapsedParts(look), await one.lapsedParts(look)];
    expect(found.map((list) => list.length)).toEqual([150, MAX_CLAIMS - 150]);
    for (const { part } of found.flat())
      await one.endLease({ of: part, claim: "", fate: "later", nowMs: NOW_MS });
    const forget = { ...look, forgetBeforeMs: NOW_MS + 3 * LEASE_MS };
    expect(await one.lapsedParts(forget)).toEqual([]);
    const { part } = found.flat()[0] as { part: Part };
    const begin = { service: "depot", claim: "a0", of: part, nowMs: NOW_MS, holdUntilMs: NOW_MS };
    expect(await one.beginReport(begin)).toEqual({ kind: "unknown" });
  });
});
