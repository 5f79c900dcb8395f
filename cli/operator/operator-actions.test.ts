// In Postgres an entry of the audit may become visible after one with a higher number.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db } from "../../ledger/db.ts";
import { openLedger } from "../../ledger/open.ts";
import { freshDatabase } from "../../test/services.ts";
import { AuditFollower } from "../audit-follow.ts";
import { OperatorActions } from "./operator-actions.ts";

setDefaultTimeout(120_000);
const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

test("an entry that commits after a later one is shown, and each is shown once", async () => {
  const url = await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 1 });
  const slow = await Db.open(realRuntime, url);
  closing.push(ledger, slow);
  const done = async (target: string) => {
    const of = { subject: "ops", action: "sales.close", target, detail: "{}" };
    await ledger.auditEnd(await ledger.auditBegin(of), { ...of, status: 200 });
  };
  let actions = new OperatorActions(ledger, Date.now);
  const follower = await AuditFollower.begin(ledger, {}, [], Date.now);
  const followed: string[] = [];
  /** One round of the timeline's writer. */
  const round = async () => {
    const { events, state } = await actions.since();
    actions.from(state);
    followed.push(...(await follower.news()).map(({ target }) => target));
    return [events.map(({ what }) => what.split(" ").at(-1)), state] as const;
  };
  await round();
  const commits = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const late = slow.transaction(async (tx) => {
    await tx.run(
      `INSERT INTO audit (at_ms, subject, action, target, detail, status, ended_ms)
       VALUES (?, 'ops', 'sales.open', 'late', '{}', 200, 1)`,
      [Date.now()],
    );
    begun.resolve();
    await commits.promise;
  });
  await begun.promise;
  await done("first");
  const [first, state] = await round();
  expect(first).toEqual(["first"]);
  commits.resolve();
  await late;
  await done("second");
  // Another gateway writes from now on.
  actions = new OperatorActions(ledger, Date.now);
  actions.from(state);
  expect((await round())[0]).toEqual(["late", "second"]);
  expect((await round())[0]).toEqual([]);
  expect(followed.toSorted()).toEqual(["first", "late", "second"]);
});

test("an action says what it changed and by how much, also where the detail was cut", async () => {
  const ledger = await openLedger({
    ...{ runtime: realRuntime, url: await freshDatabase(), shards: 1 },
  });
  closing.push(ledger);
  const actions = new OperatorActions(ledger, Date.now);
  actions.from((await actions.since()).state);
  const of = { subject: "ops", action: "sales.restock", target: "demo" };
  for (const detail of ['{"sku":"lamp","units":5,"ref":"x"}', '{"sku":"la']) {
    const entry = { ...of, detail };
    await ledger.auditEnd(await ledger.auditBegin(entry), { ...entry, status: 200 });
  }
  expect((await actions.since()).events.map(({ what }) => what)).toEqual([
    "ops: sales.restock demo, sku lamp, units 5",
    "ops: sales.restock demo",
  ]);
});
