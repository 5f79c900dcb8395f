// Opens a ledger at a moment, together with other processes that do the same, and closes it.
import { realRuntime } from "../core/runtime/runtime.ts";
import { openLedger } from "./open.ts";

const [url = "", atMs = ""] = process.argv.slice(2);
while (realRuntime.wallMs() < Number(atMs));
const ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
await ledger.close();
