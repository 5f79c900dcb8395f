import { createServer } from "node:net";
import { realRuntime } from "../core/runtime/runtime.ts";

/** Distinct loopback TCP ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
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
