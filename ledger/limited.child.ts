// A writer's thread whose database is limited by what the file beside the ledger says: a pragma.
import { readFileSync } from "node:fs";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Db } from "./db.ts";
import { serveCalls } from "./thread-server.ts";
import { DirectWriter } from "./writer.ts";

serveCalls(async ({ url }: { url: string }) => {
  const db = await Db.open(realRuntime, url);
  await db.run(readFileSync(`${url.slice("sqlite:".length)}.pragma`, "utf8"));
  return new DirectWriter(db);
});
