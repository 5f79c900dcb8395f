import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { openLedger } from "../../ledger/open.ts";
import { outputOf } from "../../test/output-of.ts";
import { testDir, testRedis } from "../../test/services.ts";
import { AuditFollower } from "../audit-follow.ts";
import { changing, onRecord } from "./on-record.ts";

const opened: Ledger[] = [];
afterAll(async () => {
  for (const ledger of opened) await ledger.close();
});

async function fresh(dir = testDir("on-record")): Promise<Ledger> {
  const url = `sqlite:${join(dir, "ledger.db")}`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
  opened.push(ledger);
  return ledger;
}

test("a command is on record before it acts, with its result or its error after", async () => {
  const ledger = await fresh();
  const records = async () => (await ledger.auditLog({ limit: 10 })).records;
  const deed = { action: "routes.set", target: "art\u001b[2J", detail: { service: "depot" } };
  const during = await onRecord(ledger, deed, () => {
    expect(changing()).toBe(true);
    return records();
  });
  expect(changing()).toBe(false);
  expect(during).toMatchObject([{ action: "routes.set", result: undefined }]);
  await expect(
    onRecord(ledger, deed, () => Promise.reject(new Error("no broker"))),
  ).rejects.toThrow("no broker");
  expect(await records()).toMatchObject([
    { result: { status: 500 }, detail: '{"service":"depot","error":"no broker"}' },
    { result: { status: 200 }, subject: expect.stringMatching(/^command line \(.+\)$/) },
  ]);
  await onRecord(
    ledger,
    deed,
    async () => 0,
    (done) => (done === 0 ? 404 : 200),
  );
  expect((await records())[0]).toMatchObject({ result: { status: 404 } });
  expect((await records())[0]?.target).toBe("art\\u{1b}[2J");
});

test("a command that cannot record its intent does nothing", async () => {
  const ledger = await fresh();
  const auditBegin = () => Promise.reject(new Error("disk full"));
  let acted = false;
  const act = async () => {
    acted = true;
  };
  const deed = { action: "recover.ask-again", target: "" };
  await expect(onRecord({ ...ledger, auditBegin }, deed, act)).rejects.toThrow("disk full");
  expect(acted).toBe(false);
});

test("sluice audit shows the log, page by page, and nothing that a terminal obeys", async () => {
  const dir = testDir("audit");
  const ledger = await fresh(dir);
  for (const target of ["first", "\u009b2J", "last"])
    await onRecord(ledger, { action: "dead.drop", target }, async () => undefined);
  const env = {
    ...process.env,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_REDIS_URL: "redis://127.0.0.1:1",
    SLUICE_REGIONS: "eu=amqp://127.0.0.1:1",
  };
  const audit = (...flags: string[]) =>
    outputOf([process.execPath, "cli/cli.ts", "audit", ...flags], { env });
  const page = await audit("--limit", "2");
  expect(page.out).toContain("dead.drop  last");
  expect(page.out).not.toMatch(/first|[^\P{Cc}\n]/u);
  expect(page.err).toBe("older ones: sluice audit --before 2\n");
  const json = await audit("--json", "--before", "2");
  expect(JSON.parse(json.out)).toMatchObject({ records: [{ target: "first", status: 200 }] });
}, 30_000);

test("the audit is followed: each entry as it begins, and again with its result", async () => {
  const ledger = await fresh();
  await onRecord(ledger, { action: "dead.drop", target: "old" }, async () => undefined);
  const first = (await ledger.auditLog({ limit: 10 })).records;
  const follower = await AuditFollower.begin(
    ledger,
    { subjects: undefined, action: undefined },
    first,
    Date.now,
  );
  const news = async () => (await follower.news()).map((r) => [r.target, r.result?.status]);
  expect(await news()).toEqual([]);
  const entry = { subject: "olga", action: "sales.open", target: "slow", detail: "{}" };
  const seq = await ledger.auditBegin(entry);
  expect(await news()).toEqual([["slow", undefined]]);
  await onRecord(ledger, { action: "dead.drop", target: "quick" }, async () => undefined);
  expect(await news()).toEqual([["quick", 200]]);
  await ledger.auditEnd(seq, { ...entry, status: 409 });
  expect(await news()).toEqual([["slow", 409]]);
  expect(await news()).toEqual([]);
});

test("matches older than those first read are not reported as new", async () => {
  const record = { atMs: 1, subject: "olga", action: "dead.drop", target: "t", detail: "{}" };
  const ledger: Pick<Ledger, "auditLog"> = {
    auditLog: async ({ action, before }) => {
      const one = (seq: number) => ({
        records: [{ ...record, seq, result: undefined }],
        next: undefined,
      });
      if (action === undefined) return one(20_000);
      if (before === undefined) return { records: [], next: 10_000 };
      return one(2);
    },
  };
  const filter = { subjects: undefined, action: "dead.drop", changes: false };
  const follower = await AuditFollower.begin(ledger, filter, [], () => 1e9);
  expect(await follower.news()).toEqual([]);
});

test("a token's scope that does not exist is refused with those that do", async () => {
  const env = { ...process.env, SLUICE_JWT_SECRET: "x".repeat(64) };
  const mint = (scope: string) =>
    outputOf([process.execPath, "cli/cli.ts", "token", "--user", "ann", "--scope", scope], { env });
  const refused = await mint("operator admin");
  expect(refused.err).toContain("--scope 'admin' does not exist; known: service, viewer, operator");
  expect(refused.code).toBe(2);
  expect((await mint("operator viewer")).code).toBe(0);
}, 30_000);

test("a route to a service that nobody knows is refused with those that exist", async () => {
  const dir = testDir("routes");
  const ledger = await fresh(dir);
  const depot = { category: "home", region: "", service: "depot" };
  await ledger.operate({ kind: "route", ref: "r1", ...depot }, "olga");
  const env = {
    ...process.env,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_REDIS_URL: (await testRedis()).url,
    SLUICE_REGIONS: "eu=amqp://127.0.0.1:1",
  };
  const refused = await outputOf(
    [process.execPath, "cli/cli.ts", "routes", "set", "art", "nosuchservice"],
    { env },
  );
  expect(refused.err).toContain(
    "no service 'nosuchservice' runs or ever had a route; known: depot",
  );
  expect(refused.code).toBe(1);
  expect(await ledger.routes()).toEqual([depot]);
  expect((await ledger.auditLog({ limit: 10 })).records).toEqual([]);
}, 30_000);
