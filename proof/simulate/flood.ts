// A flood of copies: while it lasts, every shard always has something to decide, though nothing is
// new. Work that is due without a message must still be done: gaps end (decider.ts).
import type { SimulatedGateway } from "./gateway.ts";
import { ask } from "./looks.ts";
import { WAITS } from "./roles.ts";
import type { Action } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedWorld } from "./simulated-world.ts";
import { NO_TROUBLE } from "./world/link.ts";

/** A gateway sends a batch about this often, and Redis takes longer to decide one. */
const EVERY_MS = 7;
const REDIS_MS = 60;
/** A gap may last this much longer than its time: a busy owner looks every third second. */
const GRACE_MS = 6_000;

/** Starts it; the result ends it. */
export function startFlood(
  scheduler: Scheduler,
  { parts }: SimulatedWorld,
  actions: readonly Action[],
  gateways: () => readonly (SimulatedGateway | undefined)[],
): () => void {
  const orders = actions.filter(({ kind }) => kind === "order");
  const fromMs = scheduler.nowMs();
  let over = false;
  let sent = 0;
  const send = () => {
    if (over) return;
    const due = orders.filter(({ atMs }) => fromMs + atMs + 500 < scheduler.nowMs());
    const order = due[sent++ % Math.max(1, due.length)];
    const gateway = order && gateways()[order.gateway];
    const nothing = () => undefined;
    if (gateway) gateway.process.world.event("flood", () => gateway.take(order, nothing, nothing));
    scheduler.event("flood", send, EVERY_MS);
  };
  parts.redis.trouble = { ...NO_TROUBLE, usualMs: REDIS_MS };
  send();
  return () => {
    over = true;
    parts.redis.trouble = NO_TROUBLE;
  };
}

/** Gaps that have outlasted their time, as lines. */
export async function lateGaps({ parts, shards }: SimulatedWorld): Promise<string[]> {
  const since = parts.redis.nowMs() - WAITS.gapTimeoutMs - GRACE_MS;
  const late: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const command = ["ZRANGEBYSCORE", `{${shard}}:gaps`, "-inf", since];
    for (const name of (await ask(parts.redis, command)) as string[])
      late.push(`flood: a gap is not given up while its shard is busy: ${name}`);
  }
  return late;
}
