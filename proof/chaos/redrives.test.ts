// The history names the orders that an operator has redriven, and no others.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { openLedger } from "../../ledger/open.ts";
import { testDir } from "../../test/services.ts";
import { HistoryFile } from "../history-file.ts";
import { tellRedrives } from "./redrives.ts";

test("the history names the orders whose failed payment was redriven", async () => {
  const dir = testDir("redrives");
  const url = `sqlite:${join(dir, "ledger.db")}`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 1 });
  const letter = (id: string, queue: string, fate: "dropped" | "redriven") =>
    ledger.recordLetter({
      ...{ letter: id, region: "eu", queue, fate, reason: "declined", user: "ann", id },
      ...{ generation: 1, subject: "op", atMs: 1, body: "{}" },
    });
  await letter("a", "payments.dead", "redriven");
  await letter("b", "payments.dead", "dropped");
  await letter("c", "orders.dead", "redriven");
  await ledger.close();

  const events = new HistoryFile(join(dir, "events.jsonl"), { gapTimeoutMs: 1, holdTtlMs: 1 });
  await tellRedrives(url, events);
  events.close({ drained: true, clock: "steady" });
  const lines = readFileSync(events.path, "utf8").trim().split("\n");
  const told = lines.map((line) => JSON.parse(line)).filter(({ op }) => op === "redrive");
  expect(told.map(({ user, id }) => [user, id])).toEqual([["ann", "a"]]);
});
