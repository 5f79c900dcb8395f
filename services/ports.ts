import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { writeWhole } from "./secret-file.ts";

/**
 * The ports that a system assigns by itself begin at 32768 (Linux) or above. A port below them is
 * not assigned between the check and its use.
 */
const MIN_PORT = 20_000;
const PORT_COUNT = 12_768;
const MAX_PORT = 65_535;
const MAX_TRIES = 1_000;

/** Distinct loopback TCP ports that are free now, and none of those `taken`. */
export async function freePorts(count: number, taken: readonly number[] = []): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > MAX_TRIES) throw new Error(`found no ${count} free ports of 127.0.0.1`);
    const port = MIN_PORT + Math.floor(realRuntime.random() * PORT_COUNT);
    if (ports.has(port) || taken.includes(port)) continue;
    if (await canListen("127.0.0.1", port)) ports.add(port);
  }
  return [...ports];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * The port of a store in this folder: the one that it had the last time, if that is free. So an
 * address given to another program serves after a restart too.
 */
export async function keptPort(dir: string): Promise<number> {
  const file = join(dir, "port");
  const kept = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (kept >= MIN_PORT && kept <= MAX_PORT && (await canListen("127.0.0.1", kept))) return kept;
  const port = await freePort();
  writeWhole(file, `${port}\n`);
  return port;
}

/** Whether a process could listen on this port of the address now. */
export function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Waits until something accepts connections on a port, or until `exited` rules that out. */
export async function untilListening(
  port: number,
  timeoutMs: number,
  exited: Promise<unknown>,
): Promise<void> {
  let over = false;
  void exited.then(() => {
    over = true;
  });
  const end = realRuntime.monotonicMs() + timeoutMs;
  while (realRuntime.monotonicMs() < end && !over) {
    if (await accepts(port)) return;
    await realRuntime.sleep(50);
  }
  throw new Error(
    over
      ? `the process for port ${port} exited before it listened`
      : `nothing listened on port ${port} within ${timeoutMs} ms`,
  );
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data() {}, error() {} },
    });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
