// What clients did and saw, as JSON lines for `sluice check-history`: one line when a call begins,
// one when its answer arrives, one for each outcome that arrives by itself. docs/history.md is the
// format. Clients write it, and nothing in it comes from Sluice's own stores.
//
//   const file = new HistoryFile("events.jsonl", { gapTimeoutMs: 30_000 });
//   file.sale(sale);                                  // before the first order for it
//   const call = file.order({ client, via, region, user, id }, bodyText);    // before sending
//   file.answer(call, { status: 202 });               // when the answer arrives
//   file.saw({ client, via: "push", user, id, state });
//   file.orders({ …, user }) and file.answer(call, { status: 200, orders }); // a read
//   file.close({ drained: true, clock: "steady" });   // the last line
//
// `skip`, `cancel`, `restock`, `correct`, `redrive` begin the others. An answer that never came
// (time-out, lost connection) is `{ status: 0 }`, or no line at all: the call counts as unknown,
// never as failed. Lines wait in a buffer of at most BUFFER_BYTES, then a synchronous write empties
// it.
import { closeSync, openSync, writeFileSync } from "node:fs";
import type { Sale } from "../core/domain/sale.ts";
import { historyNow } from "./history.ts";

/** Enough for a thousand calls, so that a write is rare; a crash loses at most this much. */
const BUFFER_BYTES = 256 * 1024;
const VERSION = 1;

/** Settings of the system under test that bound what its clients may see. */
export interface HistoryRules {
  /** How long a missing number is waited for (SLUICE_GAP_TIMEOUT). */
  readonly gapTimeoutMs: number;
  /** How long units are held before a charge begins (SLUICE_HOLD_TTL). */
  readonly holdTtlMs?: number;
}

export interface Caller {
  readonly client: string;
  readonly via: "http" | "ws";
  readonly region: string;
  readonly user: string;
}

export interface CallAnswer {
  /** 0 if none came. Over a WebSocket: 202 for an ack, the problem's status for a nack. */
  readonly status: number;
  /** The problem's code. */
  readonly code?: string;
  /** The regions that may hold it, as the answer names them; absent: the gateway's own. */
  readonly region?: string | undefined;
  /** Of a cancel: `cancelled` or `cancel_pending`. */
  readonly state?: string;
  /** Of a read: every order it returned, as returned. */
  readonly orders?: readonly SeenOrder[];
}

/** An order as `GET /v1/orders` returns it; the members that the checker reads. */
export interface SeenOrder {
  readonly id: string;
  readonly user: string;
  readonly status: string;
  readonly saleId: string;
  readonly seq?: number;
  readonly currency: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
  readonly maxTotal?: number;
  /** RFC 3339, by Redis's clock. */
  readonly decidedAt?: string;
}

export interface SeenOutcome {
  readonly client: string;
  readonly via: "push" | "stream" | "read";
  readonly user: string;
  readonly id: string;
  readonly state: string;
  /** `conflict` or `not_cancelled`, as pushed. */
  readonly mark?: string;
}

export interface HistoryEnd {
  /** Everything accepted was decided, and no charge was open, when the last reads began. */
  readonly drained: boolean;
  /** `jumps` if a clock of the system under test was set. */
  readonly clock: "steady" | "jumps";
  /** Redis was wiped, set back or failed over, so that decisions were lost and made again. */
  readonly redisLost?: boolean;
  /** A gateway may have published to another region's broker than its own. */
  readonly failover?: boolean;
}

export class HistoryFile {
  private readonly fd: number;
  private pending = "";
  private calls = 0;

  constructor(
    readonly path: string,
    { gapTimeoutMs, holdTtlMs }: HistoryRules,
    private readonly now: () => number = historyNow,
  ) {
    this.fd = openSync(path, "w");
    this.add({ e: "start", v: VERSION, t: now(), gapTimeoutMs, holdTtlMs });
  }

  sale({ id, currency, items }: Pick<Sale, "id" | "currency" | "items">): void {
    const sold = items.map(({ sku, initial, limitPerUser }) => ({
      sku,
      units: initial,
      limit: limitPerUser,
    }));
    this.add({ e: "sale", t: this.now(), id, currency, items: sold });
  }

  /** `bodyText` is the JSON of the body as sent, without the id. Returns the call's number. */
  order(caller: Caller & { readonly id: string }, bodyText: string): number {
    const { client, via, region, user, id } = caller;
    this.write(
      `{"e":"invoke","call":${++this.calls},"t":${this.now()},"op":"order","client":"${client}",` +
        `"via":"${via}","region":"${region}","user":"${user}","id":"${id}","body":${bodyText}}\n`,
    );
    return this.calls;
  }

  /** Gives a number up. */
  skip(caller: Caller & { readonly saleId: string; readonly seq: number }): number {
    return this.begin("skip", caller);
  }

  cancel(caller: Caller & { readonly id: string }): number {
    return this.begin("cancel", caller);
  }

  /** An operator adds units. Repeat it under its `ref` if the answer is unknown. */
  restock(added: {
    readonly client: string;
    readonly ref: string;
    readonly saleId: string;
    readonly sku: string;
    readonly units: number;
  }): number {
    return this.begin("restock", added);
  }

  /** An operator takes units away: 200 when they are, 202 while that is open, 409 if refused. */
  correct(taken: {
    readonly client: string;
    readonly ref: string;
    readonly saleId: string;
    readonly sku: string;
    readonly units: number;
  }): number {
    return this.begin("correct", taken);
  }

  /** An operator redrives the dead letters of one order, or of any. */
  redrive(what: { readonly client: string; readonly user?: string; readonly id?: string }): number {
    return this.begin("redrive", what);
  }

  /** Reads all of a user's orders, page by page: one call until the last page. */
  orders(caller: Caller): number {
    return this.begin("orders", caller);
  }

  answer(call: number, { status, code, region, state, orders }: CallAnswer): void {
    const head = `{"e":"return","call":${call},"t":${this.now()},"status":${status}`;
    const place = region ? { region } : {};
    const more = { ...(code ? { code } : {}), ...place, ...(state ? { state } : {}) };
    const listed = orders ? { orders: orders.map(seen) } : {};
    const rest = JSON.stringify({ ...more, ...listed }).slice(1);
    this.write(rest === "}" ? `${head}}\n` : `${head},${rest}\n`);
  }

  /** An outcome that arrived without a question. */
  saw(outcome: SeenOutcome): void {
    this.add({ e: "saw", t: this.now(), ...outcome });
  }

  /** Writes what waits in the buffer. */
  flush(): void {
    writeFileSync(this.fd, this.pending);
    this.pending = "";
  }

  /** Without this last line the checker takes the history for cut off. */
  close(end: HistoryEnd): void {
    this.add({ e: "end", t: this.now(), ...end });
    this.flush();
    closeSync(this.fd);
  }

  private begin(op: string, members: object): number {
    this.add({ e: "invoke", call: ++this.calls, t: this.now(), op, ...members });
    return this.calls;
  }

  private add(line: object): void {
    this.write(`${JSON.stringify(line)}\n`);
  }

  private write(line: string): void {
    this.pending += line;
    if (this.pending.length >= BUFFER_BYTES) this.flush();
  }
}

function seen(order: SeenOrder): SeenOrder {
  const { id, user, status, saleId, seq, currency, lines, maxTotal, decidedAt } = order;
  return { id, user, status, saleId, seq, currency, lines, maxTotal, decidedAt } as SeenOrder;
}
