import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { bearer, closeGateways, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

const operator = () => bearer("olga", { scope: "operator" });

/** The gateway's app without a socket. */
async function call(
  t: TestGateway,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) {
  const init = {
    method: body === undefined ? "GET" : "POST",
    headers: { ...(headers ?? (await operator())), "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const response = await t.gateway.app.request(path, init, { peer: "192.0.2.7" });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function audited(t: TestGateway): Record<string, unknown>[] {
  using db = new Database(t.ledgerPath, { readonly: true });
  return db
    .query("SELECT subject, action, target, detail, status, ended_ms FROM audit ORDER BY seq")
    .all() as Record<string, unknown>[];
}

const RESTOCK = { sku: "lamp", units: 1 };

test("every call is audited with subject, action, address and result, refused or not", async () => {
  const t = await start();
  const ref = { ...(await operator()), "idempotency-key": "d1" };
  await call(t, "/v1/admin/sales/spring/restock", RESTOCK, ref);
  await call(t, "/v1/admin/sales/spring/open", {}, await bearer("ann"));
  await call(t, "/v1/admin/sales", undefined, {});
  const record = (subject: string, action: string, target: string, status: number, said = {}) => ({
    ...{ subject, action, target, status, ended_ms: expect.any(Number) },
    detail: JSON.stringify({ address: "192.0.2.7", ...said }),
  });
  expect(audited(t)).toEqual([
    record("olga", "sales.restock", "spring", 200, { ref: "d1", asked: JSON.stringify(RESTOCK) }),
    record("ann", "sales.open", "spring", 403),
    record("-", "sales.list", "", 401),
  ]);
});

test("every call is entered under what it does", async () => {
  const t = await start();
  for (const path of [
    ...["sales", "sales/import", "sales/spring/close", "sales/spring/items"],
    ...["sales/spring/items/lamp/price", "dead/drop", "dead/redrive", "dead/x1/drop"],
    ...["rates/accept", "rates/refuse", "webhooks", "webhooks/we_1/pause", "workers/w1/pause"],
  ])
    await call(t, `/v1/admin/${path}`, {});
  expect(audited(t).map(({ action, target }) => `${action} ${target}`.trim())).toEqual([
    ...["sales.create", "sales.import", "sales.close spring", "items.add spring"],
    ...["items.price lamp", "dead.drop", "dead.redrive", "dead.drop x1"],
    ...["rates.accept", "rates.refuse", "webhooks.create", "webhooks.pause we_1"],
    "workers.pause w1",
  ]);
});

test("a change is on record before it happens, and its result after", async () => {
  let during: Record<string, unknown>[] = [];
  const t = await start({
    applyOperation: () => {
      during = audited(t);
      return Promise.resolve();
    },
  });
  await call(t, "/v1/admin/sales/spring/restock", RESTOCK);
  expect(during).toMatchObject([{ action: "sales.restock", status: 0, ended_ms: 0 }]);
  expect(audited(t)).toMatchObject([{ action: "sales.restock", status: 200 }]);
});

test("what cannot be recorded does not happen", async () => {
  const t = await start();
  const fails = async () => {
    throw new Error("disk full");
  };
  Object.assign(t.ledger, { audit: fails, auditBegin: fails });
  const refused = { status: 503, body: { code: "unavailable", field: "audit" } };
  expect(await call(t, "/v1/admin/sales/spring/restock", RESTOCK)).toMatchObject(refused);
  expect(await call(t, "/v1/admin/sales")).toMatchObject(refused);
  expect(await t.ledger.stock("spring")).toMatchObject([{}, { sku: "lamp", restocked: 0 }]);
  expect(await call(t, "/v1/admin/sales", undefined, {})).toMatchObject({ status: 401 });
});

test("a result that cannot be recorded leaves the entry without one", async () => {
  const t = await start();
  const auditEnd = async () => {
    throw new Error("disk full");
  };
  Object.assign(t.ledger, { auditEnd });
  expect((await call(t, "/v1/admin/sales/spring/restock", RESTOCK)).status).toBe(200);
  const { records } = (await call(t, "/v1/admin/audit")).body;
  expect(records).toMatchObject([{ subject: "olga", action: "sales.restock", target: "spring" }]);
  expect((records as object[])[0]).not.toHaveProperty("status");
});

test("control sequences of callers are written out in the audit", async () => {
  const t = await start();
  const body = { sku: "lamp", units: "\u001b]0;x\u0007\u202e\u009b" };
  const named = { ...(await bearer("eve\u001b[2J")), "idempotency-key": "a\u0085b" };
  await call(t, "/v1/admin/sales/spring%1b%0d%0a/restock", body, named);
  await call(t, "/v1/admin/sales/spring/restock", body);
  const text = JSON.stringify(audited(t).map((r) => Object.values(r).join(" ")));
  expect(text).not.toMatch(/\p{Cc}|\u202e/u);
  expect(text).toContain("u{85}");
  expect(text).toContain("u{202e}");
  expect(text).toContain("u{9b}");
});

test("strangers cannot flood the audit: their excess calls are only counted", async () => {
  const t = await start();
  for (let i = 0; i < 60; i++) await call(t, "/v1/admin/sales", undefined, {});
  await call(t, "/v1/admin/sales");
  const records = audited(t);
  expect(records.length).toBeLessThan(60);
  expect(JSON.parse(records.at(-1)?.detail as string)).toMatchObject({
    strangersUnrecorded: expect.any(Number),
  });
  expect(records.at(-1)).toMatchObject({ subject: "olga", status: 200 });
});

test("reads and strangers' calls are apart from changes, which alone stay for good", async () => {
  const t = await start();
  await call(t, "/v1/admin/sales");
  await call(t, "/v1/admin/sales", undefined, {});
  await call(t, "/v1/admin/sales/spring/restock", RESTOCK);
  await call(t, "/v1/admin/sales/spring/open", {}, await bearer("ann"));
  using db = new Database(t.ledgerPath, { readonly: true });
  const kinds = db.query("SELECT kind FROM audit ORDER BY seq").values().flat();
  expect(kinds).toEqual([1, 2, 0, 2]);
});

test("one of a console's reads a minute is recorded, and every stranger's", async () => {
  const overview = async () => ({ at: "a glance" }) as never;
  const t = await start({ overview });
  for (let i = 0; i < 3; i++)
    expect((await call(t, "/v1/admin/overview")).body).toEqual({ at: "a glance" });
  for (let i = 0; i < 2; i++)
    expect((await call(t, "/v1/admin/me")).body).toMatchObject({ subject: "olga", operate: true });
  const viewer = await bearer("olga", { scope: "viewer" });
  expect((await call(t, "/v1/admin/me", undefined, viewer)).body).toMatchObject({ operate: false });
  await call(t, "/v1/admin/overview", undefined, await bearer("ann"));
  expect(audited(t)).toMatchObject([
    { subject: "olga", action: "overview.list", status: 200 },
    { subject: "olga", action: "me.list", status: 200 },
    { subject: "ann", action: "overview.list", status: 403 },
  ]);
});

test("the audit is read by pages, by subject and by action", async () => {
  const t = await start();
  for (let units = 1; units <= 5; units++)
    await call(t, "/v1/admin/sales/spring/restock", { sku: "lamp", units });
  await call(t, "/v1/admin/sales", undefined, await bearer("a|b", { scope: "viewer" }));
  type Page = { records: { seq: number; detail: { asked?: string } }[]; next?: number };
  const page = async (query: string) =>
    (await call(t, `/v1/admin/audit?${query}`)).body as unknown as Page;
  const seen: number[] = [];
  let before = "";
  for (;;) {
    const { records, next } = await page(`action=sales.restock&limit=2${before}`);
    seen.push(...records.map(({ detail }) => JSON.parse(detail.asked ?? "{}").units));
    if (next === undefined) break;
    before = `&before=${next}`;
  }
  expect(seen).toEqual([5, 4, 3, 2, 1]);
  expect((await page("subject=a|b")).records).toMatchObject([{ subject: "a|b", status: 200 }]);
  expect((await page("changes=no&action=sales.list")).records).toHaveLength(1);
  expect((await page("changes=yes&action=sales.list")).records).toEqual([]);
  expect((await page("changes=yes")).records).toHaveLength(5);
  for (const [query, code, field] of [
    ["limit=0", "out_of_range", "limit"],
    ["before=x", "out_of_range", "before"],
    ["who=olga", "unknown_field", "who"],
  ])
    expect(await call(t, `/v1/admin/audit?${query}`)).toMatchObject({ body: { code, field } });
});

test("the overview does not wait for a locked ledger; other reads do", async () => {
  const t = await start({ overview: async () => ({ at: "a glance" }) as never });
  const locked = Promise.withResolvers<void>();
  Object.assign(t.ledger, { audit: () => locked.promise });
  expect((await call(t, "/v1/admin/overview")).body).toEqual({ at: "a glance" });
  const read = call(t, "/v1/admin/sales").then(() => "answered");
  expect(await Promise.race([read, Bun.sleep(1_000)])).toBeUndefined();
  locked.resolve();
  expect(await read).toBe("answered");
});
