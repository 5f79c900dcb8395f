// The clients' view while faults happen. Their history goes through it to the disk, so it sees each
// answer and each outcome at the moment when a client receives it.
import { shardOf } from "../../core/domain/shard.ts";
import { HistoryWriter, historyNow, type OrderCall, type OutcomeTold } from "../history.ts";
import type { Tally } from "../load/lane.ts";
import type { Flow } from "./system.ts";
import type { LostList, TakenBack } from "./taken-back.ts";

/** Acceptances kept for a look back, per region. */
const KEPT = 50_000;

/**
 * The region of the gateway that a lane calls (`ws-eu-0`, `http-eu`); the answer may name another
 * region, which holds the order.
 */
function gatewayOf(client: string): string {
  return /^(?:ws|http)-(.+?)(?:-\d+)?$/.exec(client)?.[1] ?? client;
}

/** Waits until orders that were sent after a moment have been accepted and decided everywhere. */
class Return {
  private readonly open = new Set<string>();
  private readonly places = new Map<string, string>();
  private readonly back = Promise.withResolvers<number>();

  constructor(
    private readonly sinceMs: number,
    regions: readonly string[],
    private readonly shards: number,
  ) {
    for (const region of regions)
      for (let shard = 0; shard < shards; shard++) this.open.add(`${region} ${shard}`);
  }

  /** When the last place had an outcome (historyNow()). */
  get everywhere(): Promise<number> {
    return this.back.promise;
  }

  /** Places without an outcome yet. */
  get missing(): readonly string[] {
    return [...this.open];
  }

  accepted(call: Omit<OrderCall, "body" | "op">): void {
    const place = `${gatewayOf(call.client)} ${shardOf(call.user, this.shards)}`;
    if (call.t0 >= this.sinceMs && this.open.has(place)) this.places.set(call.id, place);
  }

  told({ id, t }: Omit<OutcomeTold, "op">): void {
    const place = this.places.get(id);
    if (place === undefined || !this.open.delete(place)) return;
    if (this.open.size === 0) this.back.resolve(t);
  }
}

export class FlowHistory extends HistoryWriter implements Flow {
  readonly tally: Tally = { sent: 0, settled: 0, accepted: 0, total: 0, answers: new Map() };
  /** Whose orders were sent. */
  readonly users = new Set<string>();
  /** An order may be in another region than its gateway's. */
  elsewhere = false;
  /** What operators declared unknown. */
  readonly lost: LostList[] = [];
  private outcomes = 0;
  private readonly recent = new Map<string, { readonly t0: number; readonly t1: number }[]>();
  private readonly returns = new Set<Return>();

  constructor(
    path: string,
    private readonly shards: number,
  ) {
    super(path);
  }

  override order(call: Omit<OrderCall, "body" | "op">, bodyText: string): void {
    super.order(call, bodyText);
    this.users.add(call.user);
    this.elsewhere ||= call.result === "info" || call.region !== gatewayOf(call.client);
    if (call.result !== "ok") return;
    const { t0, t1, client } = call;
    const region = gatewayOf(client);
    const list = this.recent.get(region) ?? [];
    if (list.length === KEPT) list.splice(0, KEPT / 2);
    list.push({ t0, t1 });
    this.recent.set(region, list);
    for (const waiting of this.returns) waiting.accepted(call);
  }

  override outcome(told: Omit<OutcomeTold, "op">): void {
    super.outcome(told);
    this.outcomes++;
    for (const waiting of this.returns) waiting.told(told);
  }

  accepted(): number {
    return this.tally.accepted;
  }

  told(): number {
    return this.outcomes;
  }

  answers(): ReadonlyMap<string, number> {
    return this.tally.answers;
  }

  acceptedSince(region: string, sinceMs: number): number | undefined {
    return this.recent.get(region)?.find(({ t0 }) => t0 >= sinceMs)?.t1;
  }

  takeBack(orders: readonly TakenBack[], region: string, beforeMs: number): void {
    this.lost.push({ orders, region, beforeMs });
  }

  /**
   * Ms from now until orders sent from now on are accepted in every region and decided in every
   * shard; where they are not, once `end` resolves.
   */
  async back(
    regions: readonly string[],
    end: Promise<unknown>,
  ): Promise<{ readonly ms: number } | { readonly missing: readonly string[] }> {
    const sinceMs = historyNow();
    const waiting = new Return(sinceMs, regions, this.shards);
    this.returns.add(waiting);
    const over = end.then(() => undefined);
    const atMs = await Promise.race([waiting.everywhere, over]);
    this.returns.delete(waiting);
    return atMs === undefined ? { missing: waiting.missing } : { ms: Math.max(0, atMs - sinceMs) };
  }
}
