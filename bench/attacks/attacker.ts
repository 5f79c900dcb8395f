// One attack, until its input ends: `bun bench/attacks/attacker.ts <JSON of AttackerOptions>`.
// Prints `begun`, and at the end what it did as JSON. It is bounded: a few connections, and sockets
// are opened again at most every 5 ms.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { mintToken, type TokenIssuer } from "../../proof/load/tokens.ts";
import { type Attack, BIG_SALE, FAR_ID } from "./kinds.ts";

export interface AttackerOptions {
  readonly url: string;
  readonly attack: Attack;
  readonly issuer: TokenIssuer;
}

interface Call {
  readonly path: string;
  readonly user?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const CONNECTIONS = 8;
const LONG_KEY = "k".repeat(8_000);
const SOCKETS = 20;
/** More than a gateway allows. */
const STRANGERS = 1_200;
const REOPEN_MS = 5;
/** A socket sends this many frames, then checks whether it is still open. */
const FRAMES_AT_ONCE = 100;

const keyOf = (i: number) => ({
  authorization: `Bearer bad-${i}`,
  "idempotency-key": `${i}${LONG_KEY}`,
});

const done: Record<string, number> = {};
let over = false;

function count(what: string): void {
  done[what] = (done[what] ?? 0) + 1;
}

class Attacker {
  constructor(private readonly options: AttackerOptions) {}

  /** Work that continues until the end. */
  start(): Promise<unknown>[] {
    const { attack } = this.options;
    switch (attack) {
      case "subscribe":
        return this.sockets(SOCKETS, "eve", () => ({ type: "subscribe", saleId: BIG_SALE }));
      case "follow":
        return this.sockets(SOCKETS, "eve", () => ({
          type: "follow",
          orders: Array.from({ length: 100 }, () => ({ id: realRuntime.uuidV7() })),
        }));
      case "strangers":
        return Array.from({ length: STRANGERS }, () => this.stranger());
      case "list":
        return this.readers((i) => ({ path: "/v1/orders?limit=100", user: `nobody-${i}` }));
      case "frames":
        return this.sockets(SOCKETS, "eve", (i) =>
          i % 2 === 0
            ? { type: "auth", token: `bad-${i}` }
            : { type: "follow", orders: Array(100).fill({ id: "garbage" }) },
        );
      case "stock":
        return this.readers(() => ({ path: `/v1/sales/${BIG_SALE}/stock` }));
      case "metrics":
        return this.readers(() => ({ path: "/metrics" }));
      case "cancels":
        return this.readers(() => ({
          method: "DELETE",
          path: `/v1/orders/${FAR_ID}`,
          user: "eve",
        }));
      case "keys":
        return this.readers((i) => ({ method: "POST", path: "/v1/orders", headers: keyOf(i) }));
    }
  }

  private readers(what: (i: number) => Call): Promise<void>[] {
    return Array.from({ length: CONNECTIONS }, (_, i) => this.reader(what(i)));
  }

  private async reader({ path, user, method = "GET", headers: given = {} }: Call): Promise<void> {
    const { url } = this.options;
    const headers: Record<string, string> = { ...given };
    if (user !== undefined) headers.authorization = await this.bearer(user);
    while (!over) {
      const status = await fetch(url + path, { method, headers })
        .then(async (response) => {
          await response.arrayBuffer();
          return String(response.status);
        })
        .catch(() => "no answer");
      count(status);
      if (status === "no answer") await realRuntime.sleep(REOPEN_MS);
    }
  }

  private sockets(many: number, user: string, frame: (i: number) => object): Promise<void>[] {
    return Array.from({ length: many }, () => this.flood(user, frame));
  }

  private async flood(user: string, frame: (i: number) => object): Promise<void> {
    const authorization = await this.bearer(user);
    while (!over) {
      const socket = await this.open({ authorization });
      for (let i = 0; !over && socket.readyState === WebSocket.OPEN; i++) {
        socket.send(JSON.stringify(frame(i)));
        count("frames");
        if (i % FRAMES_AT_ONCE === 0) await realRuntime.sleep(1);
      }
      socket.close();
      await realRuntime.sleep(REOPEN_MS);
    }
  }

  private async stranger(): Promise<void> {
    while (!over) {
      const socket = await this.open({});
      while (!over && socket.readyState === WebSocket.OPEN) await realRuntime.sleep(50);
      socket.close();
      await realRuntime.sleep(REOPEN_MS);
    }
  }

  /** Settles once it is open or refused. */
  private open(headers: Record<string, string>): Promise<WebSocket> {
    const url = `${this.options.url.replace("http", "ws")}/v1/ws`;
    const socket = new WebSocket(url, { headers } as never);
    const { promise, resolve } = Promise.withResolvers<WebSocket>();
    socket.onopen = () => {
      count("opened");
      resolve(socket);
    };
    socket.onclose = ({ code }) => {
      count(`closed ${code}`);
      resolve(socket);
    };
    socket.onerror = () => resolve(socket);
    return promise;
  }

  private async bearer(user: string): Promise<string> {
    return `Bearer ${await mintToken(this.options.issuer, user)}`;
  }
}

async function main(options: AttackerOptions): Promise<void> {
  new Attacker(options).start();
  console.log("begun");
  for await (const _ of Bun.stdin.stream());
  over = true;
  console.log(JSON.stringify(done));
  process.exit(0);
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "{}") as AttackerOptions);
