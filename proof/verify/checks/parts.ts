// I7, and the end of an order's life: its parts are its lines, the service that claimed a part
// worked on it once, and no service worked on anything else. Compared with the services' own
// records, if there are any.
import type { LedgerAudit } from "../../../ledger/audit.ts";
import { type LedgerOrder, orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";

/** An entry of a service's record. */
export interface PackedRecord {
  readonly service: string;
  /** user/order/generation/part */
  readonly key: string;
  /** JSON: [{sku, qty, category}] */
  readonly lines: string;
}

interface Parted {
  readonly statuses: string[];
  readonly of: Set<number>;
  /** sku → units in all parts. */
  readonly units: Map<string, number>;
}

export class PartsCheck {
  /** Completed parts, by service. */
  readonly byService = new Map<string, number>();
  private readonly orders = new Map<string, LedgerOrder>();

  constructor(private readonly findings: Findings) {}

  order(order: LedgerOrder): void {
    if (order.had.includes("paid")) this.orders.set(orderKey(order.user, order.id), order);
  }

  async end(
    audit: LedgerAudit,
    packed: readonly PackedRecord[] | undefined,
    atRest: boolean,
  ): Promise<void> {
    const byOrder = new Map<string, Parted>();
    const records = packed && new Map(packed.map((line) => [line.key, line]));
    if (records && packed && records.size < packed.length) this.twice(packed);
    for await (const chunk of audit.parts()) {
      for (const { user, id, generation, part, of, service, status, lines } of chunk) {
        const key = orderKey(user, id);
        if (!this.orders.has(key)) this.wrong("an order that was never paid has parts", key);
        // A redriven order has parts of each generation; the earlier ones were abandoned.
        const parted: Parted = byOrder.get(`${key} ${generation}`) ?? {
          statuses: [],
          of: new Set(),
          units: new Map(),
        };
        byOrder.set(`${key} ${generation}`, parted);
        parted.statuses.push(status);
        parted.of.add(of);
        for (const { sku, qty } of JSON.parse(lines) as { sku: string; qty: number }[])
          parted.units.set(sku, (parted.units.get(sku) ?? 0) + qty);
        if (service === "" && status === "waiting")
          this.findings.note("parts of paid orders without a route", `${key}, part ${part}`);
        if (status === "done") this.byService.set(service, (this.byService.get(service) ?? 0) + 1);
        if (records)
          this.againstRecord(
            records,
            `${user}/${id}/${generation}/${part}`,
            { service, status, lines },
            atRest,
          );
      }
    }
    const parted = new Set<string>();
    for (const [name, parts] of byOrder) {
      this.whole(name, parts);
      parted.add(orderOf(name));
    }
    for (const key of this.orders.keys())
      if (!parted.has(key)) this.wrong("a paid order has no parts", key);
    // The remaining records belong to nobody's part.
    for (const key of records?.keys() ?? [])
      this.wrong("a service worked on something that is not part of an order", key);
  }

  private whole(name: string, { statuses, of, units }: Parted): void {
    const order = this.orders.get(orderOf(name));
    if (!order) return;
    if (of.size !== 1 || !of.has(statuses.length))
      this.wrong("an order's number of parts differs from the number they state", name);
    const lines =
      order.lines.every(({ sku, qty }) => units.get(sku) === qty) &&
      units.size === order.lines.length;
    if (!lines) this.wrong("an order's parts are not its lines", name);
    const done = statuses.every((status) => status === "done");
    if ((order.state === "dispatched") !== done)
      this.wrong(
        "an order is dispatched though its parts are not done, or the reverse",
        `${name}: ${order.state}, ${statuses}`,
      );
    if (order.state === "cancelled" && statuses.some((status) => status !== "cancelled"))
      this.wrong("a service has a part of a cancelled order", `${name}: ${statuses}`);
  }

  private againstRecord(
    records: Map<string, PackedRecord>,
    key: string,
    { service, status, lines }: { service: string; status: string; lines: string },
    atRest: boolean,
  ): void {
    const record = records.get(key);
    records.delete(key);
    if (status === "done" && !record)
      this.wrong("a part is done in the ledger but its service did not work on it", key);
    if (!record) return;
    if (record.service !== service)
      this.wrong(
        "a part was worked on by a service that had not claimed it",
        `${key}: ${record.service}, not ${service}`,
      );
    if (record.lines !== lines) this.wrong("a service worked on lines other than the order's", key);
    if (status === "cancelled" || status === "waiting" || (atRest && status === "claimed"))
      this.wrong(
        "a service worked on a part it had not claimed, or never reported done",
        `${key}: ${status}`,
      );
  }

  private twice(packed: readonly PackedRecord[]): void {
    const seen = new Set<string>();
    for (const { key } of packed) {
      if (seen.has(key)) this.wrong("a part was worked on twice", key);
      seen.add(key);
    }
  }

  private wrong(what: string, example: string): void {
    this.findings.violation("I7", what, example);
  }
}

/** `user id` of `user id generation`. */
function orderOf(name: string): string {
  return name.slice(0, name.lastIndexOf(" "));
}
