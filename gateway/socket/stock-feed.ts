// Pushes stock changes to the sockets that watch a sale. Redis is queried once per sale and
// interval, however many watch; only changes are sent. A socket that does not read misses updates
// and gets the full picture once it reads again: only the latest state matters.
//
// There is one round at a time, whatever clients send. After a round the feed rests for as long as
// keeps it below a twentieth of the time: a sale of ten thousand items is looked at less often.
import type { Stock } from "../../core/domain/sale.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { inPages } from "../../core/runtime/in-pages.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Socket } from "./socket.ts";

const INTERVAL_MS = 250;
/** It rests for this many times as long as the last round took. */
const REST = 19;
/** A new watcher waits for at most this long. */
const MAX_MS = 2_000;

interface Feed {
  /** Watchers, and whether each has the full picture. */
  readonly sockets: Map<Socket, boolean>;
  readonly available: Map<string, number>;
}

export class StockFeed {
  private readonly feeds = new Map<string, Feed>();
  private timer: Timer | undefined;
  private looking = false;
  /** Somebody has begun to watch since the last round. */
  private awaited = false;
  /** When the present rest ends, monotonic ms. */
  private restsUntilMs = 0;
  private stopped = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly stockOf: (saleId: string) => Promise<readonly Stock[] | undefined>,
  ) {}

  add(socket: Socket, saleId: string): void {
    if (this.stopped) return;
    let feed = this.feeds.get(saleId);
    if (!feed) {
      feed = { sockets: new Map(), available: new Map() };
      this.feeds.set(saleId, feed);
    }
    socket.watching.add(saleId);
    feed.sockets.set(socket, false);
    this.awaited = true;
    this.schedule(0);
  }

  remove(socket: Socket, saleId: string): void {
    socket.watching.delete(saleId);
    const feed = this.feeds.get(saleId);
    if (feed?.sockets.delete(socket) && feed.sockets.size === 0) this.feeds.delete(saleId);
  }

  removeAll(socket: Socket): void {
    for (const saleId of [...socket.watching]) this.remove(socket, saleId);
  }

  stop(): void {
    this.stopped = true;
    this.runtime.stopTimer(this.timer);
  }

  private schedule(delayMs: number): void {
    if (this.stopped || this.looking) return;
    const restsMs = this.restsUntilMs - this.runtime.monotonicMs();
    this.runtime.stopTimer(this.timer);
    this.timer = this.runtime.startTimer(() => void this.round(), Math.max(delayMs, restsMs, 0));
  }

  private async round(): Promise<void> {
    this.looking = true;
    this.awaited = false;
    const startedAtMs = this.runtime.monotonicMs();
    for (const [saleId, feed] of [...this.feeds]) {
      const stock = await ignore(this.stockOf(saleId), "stock_look");
      if (stock) await this.tell(saleId, feed, stock);
    }
    const nowMs = this.runtime.monotonicMs();
    this.restsUntilMs = nowMs + Math.min(MAX_MS, REST * (nowMs - startedAtMs));
    this.looking = false;
    if (this.feeds.size > 0) this.schedule(this.awaited ? 0 : INTERVAL_MS);
  }

  private async tell(saleId: string, feed: Feed, stock: readonly Stock[]): Promise<void> {
    const changed: Stock[] = [];
    await inPages(this.runtime, stock, (page) => {
      for (const item of page) {
        if (feed.available.get(item.sku) === item.available) continue;
        feed.available.set(item.sku, item.available);
        changed.push(item);
      }
    });
    const { runtime } = this;
    const news = changed.length > 0 ? await frame(runtime, saleId, changed) : undefined;
    const whole = [...feed.sockets.values()].includes(false)
      ? await frame(runtime, saleId, stock)
      : undefined;
    for (const [socket, hasAll] of feed.sockets) {
      if (socket.choked) {
        if (news) feed.sockets.set(socket, false);
      } else if (hasAll) {
        if (news) socket.send(news);
      } else if (whole) {
        socket.send(whole);
        feed.sockets.set(socket, true);
      }
    }
  }
}

async function frame(runtime: Runtime, saleId: string, stock: readonly Stock[]): Promise<string> {
  const items: string[] = [];
  await inPages(runtime, stock, (page) => {
    for (const { sku, available } of page) items.push(JSON.stringify([sku, available]));
  });
  return `{"type":"stock","saleId":${JSON.stringify(saleId)},"items":[${items.join(",")}]}`;
}
