// The public list of sales, and what an item's `initial` means.
import { afterEach, expect, test } from "bun:test";
import type { Sale } from "../../core/domain/sale.ts";
import { bearer, closeGateways, post, SALE, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

const HOUR_MS = 3_600_000;

async function withSales(count: number): Promise<TestGateway> {
  const t = await start();
  for (let i = 0; i < count; i++) {
    const opensAtMs = Date.now() + (i - 2) * HOUR_MS;
    const closesAtMs = opensAtMs + HOUR_MS;
    const sale: Sale = { ...SALE, id: `s${i}`, opensAtMs: opensAtMs - 1_000, closesAtMs };
    await t.ledger.operate({ kind: "create", ref: `s${i}`, sale }, "test");
  }
  return t;
}

async function list(t: TestGateway, query = "", headers: Record<string, string> = {}) {
  const response = await t.gateway.app.request(`/v1/sales${query}`, { headers });
  const { status } = response;
  const text = await response.text();
  const answer = (text === "" ? {} : JSON.parse(text)) as {
    sales: { id: string; status: string }[];
    before?: string;
    code?: string;
    field?: string;
  };
  return { status, headers: response.headers, ...answer };
}
const ids = ({ sales }: { sales: { id: string }[] }) => sales.map(({ id }) => id);

/** Until this gateway's copy of the catalogue has the sale. */
async function known(t: TestGateway, id: string): Promise<void> {
  while (!ids(await list(t)).includes(id)) await t.gateway.app.request(`/v1/sales/${id}`);
}

test("sales are listed without a token, the latest opening first, in pages", async () => {
  const t = await withSales(5);
  await known(t, "s4");
  const pages: string[][] = [];
  for (let query = "?limit=2"; ; ) {
    const page = await list(t, query);
    pages.push(ids(page));
    if (page.before === undefined) break;
    query = `?limit=2&before=${page.before}`;
  }
  expect(pages).toEqual([
    ["s4", "s3"],
    ["s2", "spring"],
    ["s1", "s0"],
  ]);
});

test("a list can be of the sales that are upcoming, open or closed", async () => {
  const t = await withSales(5);
  await known(t, "s4");
  expect(ids(await list(t, "?status=upcoming"))).toEqual(["s4", "s3"]);
  expect(ids(await list(t, "?status=open"))).toEqual(["s2", "spring"]);
  expect(ids(await list(t, "?status=closed"))).toEqual(["s1", "s0"]);
  const wrong: [string, string][] = [
    ["?status=ended", "status"],
    ["?limit=0", "limit"],
    ["?limit=101", "limit"],
    ["?page=2", "page"],
  ];
  for (const [query, field] of wrong)
    expect(await list(t, query)).toMatchObject({ status: 422, field });
  expect(await list(t, "?before=nope")).toMatchObject({ status: 404, field: "before" });
});

test("a reader who has the list, or the sale, gets 304", async () => {
  const t = await withSales(1);
  for (const path of ["", "/spring", "/spring/stock"]) {
    const first = await list(t, path);
    const etag = first.headers.get("etag") as string;
    expect(etag).toMatch(/^"\w+"$/);
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`])
      expect((await list(t, path, { "if-none-match": tag })).status).toBe(304);
    expect((await list(t, path, { "if-none-match": '"x"' })).status).toBe(200);
  }
});

test("restocked units are not initial ones, in the sale and in its live stock alike", async () => {
  const t = await start();
  const headers = await bearer("op", { scope: "operator" });
  const restock = `${t.gateway.url}/v1/admin/sales/spring/restock`;
  expect((await post(restock, { sku: "lamp", units: 5 }, headers)).status).toBe(200);
  const read = async (path: string) =>
    (await t.gateway.app.request(path)).json() as Promise<{ items: object[] }>;
  const lamp = { sku: "lamp", initial: 100, restocked: 5, available: 105 };
  expect((await read("/v1/sales/spring/stock")).items).toContainEqual(
    expect.objectContaining(lamp),
  );
  expect(await read("/v1/sales/spring/stock/lamp")).toMatchObject(lamp);
  expect((await read("/v1/sales/spring")).items).toContainEqual(
    expect.objectContaining({ sku: "lamp", initial: 100 }),
  );
});
