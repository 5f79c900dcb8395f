// For tests of webhooks: a ledger with orders, and a receiver that misbehaves as it is told.

import type { Entry } from "../../core/domain/entry.ts";
import type { FeedEvent } from "../../core/domain/feed-event.ts";
import { checkWebhook, webhookKey } from "../../core/domain/webhook-signature.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "../../ledger/test-entries.ts";
import { testDir } from "../../test/services.ts";

export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

export interface Scene {
  readonly url: string;
  readonly ledger: Ledger;
  /** Records the whole life of some orders, three events each. Returns their ids. */
  live(orders: number): Promise<string[]>;
  /** Every event of the ledger. */
  events(): Promise<FeedEvent[]>;
  add(url: string): Promise<string>;
  close(): Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const url = `sqlite:${testDir("webhooks")}/ledger.db`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(100_000) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const owned = await Promise.all(
    Array.from({ length: SHARDS }, async (_, shard) => {
      const { epoch } = await writer.takeShard(shard, "w");
      return { shard, epoch, user: userOf(shard), n: 0 };
    }),
  );
  const record = async (
    by: (typeof owned)[number],
    rows: Parameters<typeof entryOf>[2],
    words: string,
    more: Partial<Entry>,
  ) => {
    const entry = entryOf(by.shard, ++by.n, rows, words, more);
    const [result] = await writer.record([{ entry, epoch: by.epoch }]);
    if (result !== "recorded") throw new Error(`the entry is ${result}`);
  };
  const lifeOf = async (by: (typeof owned)[number], ids: readonly string[]) => {
    const rows = ids.map((id) => orderRow(by.user, id, 2));
    await record(by, rows, ids.map(() => "reserved").join(","), {});
    for (const what of ["paid", "dispatched"] as const)
      await record(by, [], "", { steps: ids.map((id) => stepOf(what, by.user, id)) });
  };
  const live = async (orders: number): Promise<string[]> => {
    const ids = Array.from({ length: orders }, () => Bun.randomUUIDv7());
    for (const by of owned)
      await lifeOf(
        by,
        ids.filter((_, i) => i % SHARDS === by.shard),
      );
    return ids;
  };
  const events = async () => {
    const all: FeedEvent[] = [];
    let page = await ledger.feed(await ledger.feedAt("start"), 1_000);
    while (page !== "gone") {
      all.push(...page.events);
      if (!page.more) return all;
      page = await ledger.feed(page.after, 1_000);
    }
    throw new Error("the position is gone");
  };
  const add = async (to: string) => {
    const position = await ledger.feedAt("start");
    const of = { url: to, types: [], secret: SECRET, position, by: "test" };
    const added = await ledger.webhooks.add(of);
    if (added === "too_many") throw new Error(added);
    return added.id;
  };
  const close = async () => {
    await writer.close();
    await ledger.close();
  };
  return { url, ledger, live, events, add, close };
}

export interface Received {
  readonly path: string;
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly body: string;
  /** What the receiver answered. */
  readonly status: number;
}

/** Answers with a status, after a while if it is told so. */
type Behaviour = (event: {
  subject: string;
  type: string;
  path: string;
  nth: number;
}) => number | { readonly status: number; readonly afterMs: number };

export class Receiver {
  readonly received: Received[] = [];
  behave: Behaviour = () => 204;
  private server: ReturnType<typeof Bun.serve> | undefined;
  private port = 0;

  start(): void {
    this.server = Bun.serve({
      hostname: "127.0.0.1",
      port: this.port,
      fetch: (request) => this.answer(request),
    });
    this.port = this.server.port as number;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.server?.stop(true);
    this.server = undefined;
  }

  /** What was answered with 2xx, each event once, in the order of the first receipt. */
  taken(path = "/"): Received[] {
    const seen = new Set<string>();
    return this.received.filter((r) => {
      if (r.path !== path || r.status >= 300 || seen.has(r.id)) return false;
      seen.add(r.id);
      return true;
    });
  }

  private async answer(request: Request): Promise<Response> {
    const body = await request.text();
    const { headers } = request;
    const signed = {
      id: headers.get("webhook-id") ?? undefined,
      timestamp: headers.get("webhook-timestamp") ?? undefined,
      signature: headers.get("webhook-signature") ?? undefined,
    };
    if (checkWebhook(signed, body, [webhookKey(SECRET)], Date.now()) !== "good")
      return new Response(null, { status: 401 });
    const event = JSON.parse(body) as { id: string; type: string; subject: string };
    const path = new URL(request.url).pathname;
    const nth = this.received.length;
    const answer = this.behave({ ...event, path, nth });
    const { status, afterMs } =
      typeof answer === "number" ? { status: answer, afterMs: 0 } : answer;
    const { id, type, subject } = event;
    this.received.push({ path, id, type, subject, body, status: afterMs > 0 ? 599 : status });
    if (afterMs > 0) await Bun.sleep(afterMs);
    return new Response(null, { status, headers: { location: "/elsewhere" } });
  }
}
