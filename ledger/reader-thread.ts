// The reader's thread: what a gateway reads for its clients. Neither SQLite's calls, which block,
// nor the reading of old messages may delay the orders that the gateway accepts meanwhile.
import { realRuntime } from "../core/runtime/runtime.ts";
import { Db } from "./db.ts";
import { SqlLedger } from "./sql-ledger.ts";
import { serveCalls } from "./thread-server.ts";

export interface ReaderOpening {
  readonly url: string;
  readonly storeId: string;
  readonly shards: number;
}

serveCalls(
  async ({ url, storeId, shards }: ReaderOpening) =>
    new SqlLedger(await Db.open(realRuntime, url), storeId, shards),
);
