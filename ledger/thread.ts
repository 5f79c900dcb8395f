// The writer's thread. SQLite's calls block, and a commit that waits for the disk must not delay
// heartbeats.
import { realRuntime } from "../core/runtime/runtime.ts";
import { Db } from "./db.ts";
import { serveCalls } from "./thread-server.ts";
import { DirectWriter } from "./writer.ts";

serveCalls(async ({ url }: { url: string }) => new DirectWriter(await Db.open(realRuntime, url)));
