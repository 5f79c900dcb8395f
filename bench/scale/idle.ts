// Idle WebSockets beside a load, held by a process of their own.
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { linesOf } from "../intake/lines.ts";
import { usageByPart } from "../intake/usage.ts";
import type { IdleOptions } from "./idle-sockets.ts";

const OPEN_TIMEOUT_MS = 120_000;
/** Lets a gateway release what it needed only for signing in. */
const REST_MS = 1_000;

export interface Idle {
  /** What the gateways grew by, for each socket. */
  readonly gatewayBytesEach: number;
  close(): Promise<void>;
}

export async function openIdle(stack: Stack, sockets: number): Promise<Idle> {
  const before = gatewayBytes(stack);
  const urls = stack.gateways.map(({ url }) => url);
  const options: IdleOptions = { urls, sockets, issuer: stack.issuer };
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "idle-sockets.ts"), JSON.stringify(options)],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  const close = async () => {
    child.kill();
    await child.exited;
  };
  try {
    const late = realRuntime.sleep(OPEN_TIMEOUT_MS).then(() => ({ value: undefined }));
    const { value: word } = await Promise.race([linesOf(child.stdout).next(), late]);
    if (word !== "open") throw new Error(`${sockets} idle sockets could not be opened`);
    await realRuntime.sleep(REST_MS);
    return { gatewayBytesEach: (gatewayBytes(stack) - before) / sockets, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function gatewayBytes(stack: Stack): number {
  const gateways = [...usageByPart(stack)].filter(([part]) => part.startsWith("gateway"));
  return gateways.reduce((sum, [, { rssBytes }]) => sum + rssBytes, 0);
}
