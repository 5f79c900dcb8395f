// A peer behind HTTP: single orders, 202 when the front says that they are safe. It names the user
// as a bearer token, without a signature, and checks only the form of the order.
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Front, Line, Order } from "./peer.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const BEARER = "Bearer ".length;
const MAX_LINES = 20;
const IDLE_TIMEOUT_S = 60;

interface Body {
  readonly id: string;
  readonly lines: readonly Line[];
}

/** `taken`: the number of orders that were answered with 202. */
export function serve(front: Front): { port: number; taken: () => number } {
  let taken = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: IDLE_TIMEOUT_S,
    routes: {
      "/v1/orders": {
        POST: async (request) => {
          const user = request.headers.get("authorization")?.slice(BEARER);
          const order = orderOf(user, (await request.json()) as Body);
          if (!order) return Response.json({ error: "invalid" }, { status: 400 });
          await front.submit([order]);
          taken++;
          return Response.json({ id: order.id, acceptedAt: realRuntime.wallMs() }, { status: 202 });
        },
      },
    },
    error: () => Response.json({ error: "unavailable" }, { status: 503 }),
  });
  return { port: server.port ?? 0, taken: () => taken };
}

function orderOf(user: string | undefined, { id, lines }: Body): Order | undefined {
  if (!user || typeof id !== "string" || !UUID.test(id)) return undefined;
  if (!Array.isArray(lines) || lines.length === 0 || lines.length > MAX_LINES) return undefined;
  const valid = lines.every(
    ({ sku, qty }) => typeof sku === "string" && Number.isSafeInteger(qty) && qty > 0,
  );
  return valid ? { user, id, lines } : undefined;
}
