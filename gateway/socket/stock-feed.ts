// Pushes stock changes to the sockets that watch a sale. Redis is queried once per sale and
// interval, however many watch; only changes are sent. A socket that does not read misses updates
// and gets the full picture once it reads again: only the latest state matters.
import type { Stock } from "../../core/domain/sale.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Socket } from "./socket.ts";

const INTERVAL_MS = 250;

interface Feed {
  /** Watchers, and whether each has the full picture. */
  readonly sockets: Map<Socket, boolean>;
  available: Map<string, number>;
}

export class StockFeed {
  private readonly feeds = new Map<string, Feed>();
  private timer: Timer | undefined;
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
    if (this.stopped) return;
    if (delayMs === 0) this.runtime.stopTimer(this.timer);
    else if (this.timer !== undefined) return;
    this.timer = this.runtime.startTimer(() => void this.round(), delayMs);
  }

  private async round(): Promise<void> {
    for (const [saleId, feed] of [...this.feeds]) {
      const stock = await ignore(this.stockOf(saleId), "stock_look");
      if (stock) this.tell(saleId, feed, stock);
    }
    this.timer = undefined;
    if (this.feeds.size > 0) this.schedule(INTERVAL_MS);
  }

  private tell(saleId: string, feed: Feed, stock: readonly Stock[]): void {
    const changed = stock.filter((s) => feed.available.get(s.sku) !== s.available);
    feed.available = new Map(stock.map((s) => [s.sku, s.available]));
    const news = changed.length > 0 ? frame(saleId, changed) : undefined;
    let whole: string | undefined;
    for (const [socket, hasAll] of feed.sockets) {
      if (socket.choked) {
        if (news) feed.sockets.set(socket, false);
      } else if (hasAll) {
        if (news) socket.send(news);
      } else {
        whole ??= frame(saleId, stock);
        socket.send(whole);
        feed.sockets.set(socket, true);
      }
    }
  }
}

function frame(saleId: string, stock: readonly Stock[]): string {
  return JSON.stringify({ type: "stock", saleId, items: stock.map((s) => [s.sku, s.available]) });
}
