// Opens WebSockets that are signed in and then idle, prints `open`, and holds them until its input
// ends: `bun bench/scale/idle-sockets.ts <JSON of IdleOptions>`. The server's pings are answered by
// the client library.
import type { TokenIssuer } from "../../proof/load/tokens.ts";
import { mintToken } from "../../proof/load/tokens.ts";

export interface IdleOptions {
  readonly urls: readonly string[];
  readonly sockets: number;
  readonly issuer: TokenIssuer;
}

/** A gateway bounds sockets that have not been signed in yet. */
const AT_ONCE = 200;

async function hold({ urls, sockets, issuer }: IdleOptions): Promise<void> {
  const open: WebSocket[] = [];
  for (let from = 0; from < sockets; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, sockets - from);
    const some = Array.from({ length }, (_, i) => connect(urls, from + i, issuer));
    open.push(...(await Promise.all(some)));
  }
  let closed = 0;
  for (const socket of open) socket.onclose = () => closed++;
  console.log("open");
  for await (const _ of Bun.stdin.stream());
  if (closed > 0) console.error(`${closed} of ${sockets} idle sockets were closed`);
  process.exit(0);
}

/** Each by a user of its own. Resolves when the gateway has greeted it. */
async function connect(urls: readonly string[], i: number, issuer: TokenIssuer) {
  const authorization = `Bearer ${await mintToken(issuer, `idle-${i}`)}`;
  const url = `${urls[i % urls.length]?.replace("http", "ws")}/v1/ws`;
  const socket = new WebSocket(url, { headers: { authorization } } as never);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.onmessage = () => resolve();
  socket.onclose = ({ code }) => reject(new Error(`an idle socket was closed: ${code}`));
  await promise;
  socket.onmessage = null;
  return socket;
}

if (import.meta.main) await hold(JSON.parse(process.argv[2] ?? "{}") as IdleOptions);
