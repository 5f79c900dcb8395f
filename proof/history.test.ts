import { expect, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../test/services.ts";
import { type HistoryLine, HistoryWriter, readHistory } from "./history.ts";

const CALL = {
  client: "c1",
  via: "ws",
  region: "eu",
  t0: 1.5,
  t1: 2.25,
  user: "ann",
  status: 202,
  result: "ok",
} as const;
const BODY = {
  saleId: "s",
  currency: "EUR",
  lines: [{ sku: "a", qty: 1 }],
  metadata: { note: 'with "quotes"\n' },
};

async function write(lines: number): Promise<string> {
  const path = join(testDir("history"), "h.jsonl");
  const writer = new HistoryWriter(path);
  for (let i = 0; i < lines; i++)
    writer.order({ ...CALL, id: `id-${i}`, send: 1, code: "" }, JSON.stringify(BODY));
  writer.skip({ ...CALL, saleId: "s", seq: 3 });
  writer.outcome({ client: "c1", t: 3, user: "ann", id: "id-0", state: "reserved" });
  await writer.close();
  return path;
}

async function read(path: string): Promise<HistoryLine[]> {
  const lines: HistoryLine[] = [];
  for await (const part of readHistory(path)) lines.push(...part);
  return lines;
}

test("a history is read back as written, over many reads of the file", async () => {
  const lines = await read(await write(5_000));
  expect(lines.length).toBe(5_002);
  expect(lines[4_999]).toEqual({
    op: "order",
    ...CALL,
    id: "id-4999",
    send: 1,
    code: "",
    body: BODY,
  });
  expect(lines[5_000]).toEqual({ op: "skip", ...CALL, saleId: "s", seq: 3 });
  expect(lines[5_001]).toEqual({
    op: "outcome",
    client: "c1",
    t: 3,
    user: "ann",
    id: "id-0",
    state: "reserved",
  });
});

test("a truncated last line is skipped; an invalid line is named", async () => {
  const path = await write(3);
  appendFileSync(path, '{"op":"order","cli');
  expect((await read(path)).length).toBe(5);
  appendFileSync(path, "\n");
  expect(read(path)).rejects.toThrow("line 6: not a history line");
});
