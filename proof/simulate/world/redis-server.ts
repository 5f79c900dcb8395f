// One real redis-server that serves simulations one after the other. It runs the real Lua; only
// its clock is virtual (virtual-time.lua).
import { rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { freePort, untilListening } from "../../../services/ports.ts";
import { spawnRecorded } from "../../../services/processes.ts";
import copies from "./copies.lua" with { type: "text" };
import { type Command, RespConnection } from "./resp.ts";
import virtualTime from "./virtual-time.lua" with { type: "text" };

/** The live content is in database 0, the others hold copies of it. */
export const DATABASES = 32;
const START_TIMEOUT_MS = 20_000;
const RETRY_MS = 20;

/**
 * Large hashes and sets return their content in an order that differs between servers, small ones
 * in the order of insertion. So all are small.
 */
const ORDERED = ["hash-max-listpack-entries", "hash-max-listpack-value"].flatMap((name) => [
  `--${name}`,
  "1000000",
]);

export interface RedisServer {
  /** Sends a command. Commands take effect in the order of the calls. */
  send(command: Command): Promise<unknown>;
  /** The same, but it may wait for `flush` or for the next one that is sent. */
  give(command: Command): Promise<unknown>;
  flush(): void;
  /** Loads a library so that it runs on virtual time; once per text. */
  load(text: string): Promise<void>;
  /** Stops the server. */
  stop(): Promise<void>;
}

/** Starts a server without persistence, in a folder of its own. */
export async function startRedisServer(dir: string): Promise<RedisServer> {
  const port = await freePort();
  const socket = join(dir, "sim.sock");
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socket];
  settings.push("--dir", dir, "--save", "", "--appendonly", "no");
  settings.push("--databases", String(DATABASES), ...ORDERED);
  const child = spawnRecorded({
    name: "redis",
    command: [Bun.which("redis-server") ?? "redis-server", ...settings],
    recordDir: join(dir, "run"),
    cwd: dir,
    logFile: join(dir, "redis.log"),
  });
  await untilListening(port, START_TIMEOUT_MS, child.exited);
  const connection = await connected(socket);
  const send = (command: Command) => connection.send(command);
  const give = (command: Command) => connection.give(command);
  const flush = () => connection.flush();
  const loaded = new Set<string>();
  const load = async (text: string) => {
    if (loaded.has(text)) return;
    loaded.add(text);
    await send(["FUNCTION", "LOAD", "REPLACE", onVirtualTime(text)]);
  };
  await load(`#!lua name=sluice_simulation\n${copies}`);
  const stop = async () => {
    connection.close();
    await child.kill();
    rmSync(socket, { force: true });
  };
  return { send, give, flush, load, stop };
}

/** Redis listens on its port a moment before it listens on its socket. */
async function connected(socket: string): Promise<RespConnection> {
  const endMs = realRuntime.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await RespConnection.open(socket);
    } catch (error) {
      if (realRuntime.monotonicMs() > endMs) throw error;
    }
    await realRuntime.sleep(RETRY_MS);
  }
}

/** The library of the text, on virtual time. Its first line names it. */
function onVirtualTime(text: string): string {
  const head = text.indexOf("\n") + 1;
  return text.slice(0, head) + virtualTime + text.slice(head);
}
