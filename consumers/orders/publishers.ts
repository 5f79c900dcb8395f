// Who may publish what to a shard, by the user that the broker has verified:
//
//   gateway          orders, skips, cancels, redriven orders
//   payments         answers of the payment provider
//   service-<name>   claims and reports of its own parts, by the exchange `claims`
//   operator         dead letters again: what their first publisher may send, and redriven orders
//   all              anything, as in an installation with one user for all
//
// Without SLUICE_PUBLISHERS these names have these roles, and any other user, or none, has the role
// `all`: an installation of one user goes on working, and `sluice doctor` warns of it. With it only
// who is named there may publish.
import type { Delivery } from "../../broker/subscriber.ts";
import { CLAIMS_EXCHANGE } from "../../broker/topology.ts";
import type { Kind } from "../../core/domain/fields.ts";
import type { PublisherSetting } from "../../core/settings/setting-readers.ts";
import type { Rights } from "./rights.ts";
import { isFormat0 } from "./sift.ts";

/**
 * A gateway's messages are not looked at row by row: only those with one of these texts could hold
 * a service's row, and no gateway writes any. A letter may be written as an escape.
 */
const MAY_HOLD_PART = ['"report"', "\\u006", "\\u007"] as const;
const MAY_HOLD_PART_0 = ['"f"', "\\u0066"] as const;

const ORDERS: ReadonlySet<Kind> = new Set<Kind>(["order", "skip", "cancel", "redrive", "answer"]);
const ANSWERS: ReadonlySet<Kind> = new Set<Kind>(["answer"]);
const PARTS: ReadonlySet<Kind> = new Set<Kind>(["part"]);
const REDRIVEN: ReadonlySet<Kind> = new Set<Kind>(["redrive"]);
const OWN_MAP: readonly PublisherSetting[] = [
  { user: "gateway", role: "gateway" },
  { user: "payments", role: "payments" },
  { user: "operator", role: "operator" },
  { user: "service-*", role: "service" },
  { user: "*", role: "all" },
];

interface Publisher {
  readonly role: PublisherSetting["role"] | "none";
  readonly service?: string;
}

type Judged = { readonly rights: Rights | undefined } | { readonly refused: string };
type Message = Pick<Delivery, "userId" | "exchange" | "origin">;

export class Publishers {
  private readonly map: readonly PublisherSetting[];
  /** Few users come again and again. */
  private readonly known = new Map<string, Publisher>();

  constructor(
    set: readonly PublisherSetting[],
    private readonly shards: number,
  ) {
    this.map = set.length > 0 ? set : OWN_MAP;
  }

  /**
   * What a message may hold, or why it may not even be looked at. `rights` undefined: anything, and
   * its rows need no look.
   */
  judge(message: Message, body: string, shard: number): Judged {
    const { userId, exchange, origin } = message;
    const by = this.publisher(userId);
    if (exchange === CLAIMS_EXCHANGE)
      return this.claims(by.role === "operator" ? origin : userId, shard);
    switch (by.role) {
      case "all":
        return { rights: undefined };
      case "gateway":
        if (!mayHoldPart(body)) return { rights: undefined };
        return this.may(ORDERS, shard, true);
      case "payments":
        return this.may(ANSWERS, shard, false);
      case "operator":
        if (origin === "") return this.may(REDRIVEN, shard, false);
        return this.publisher(origin).role === "operator"
          ? this.may(REDRIVEN, shard, false)
          : this.judge({ userId: origin, exchange, origin: "" }, body, shard);
      case "service":
        return { refused: `services publish to the exchange ${CLAIMS_EXCHANGE}` };
      case "none":
        return { refused: `user '${userId}' may publish nothing here` };
    }
  }

  /** Claims are nobody's without a name, not even where one user does everything. */
  private claims(userId: string, shard: number): Judged {
    const by = this.publisher(userId);
    if (userId === "" || (by.role !== "service" && by.role !== "all"))
      return { refused: userId === "" ? "a claim of nobody" : `user '${userId}' is no service` };
    return this.may(PARTS, shard, false, by.service);
  }

  private may(kinds: ReadonlySet<Kind>, shard: number, orders: boolean, service?: string): Judged {
    return { rights: { kinds, orders, service, shard, shards: this.shards } };
  }

  private publisher(user: string): Publisher {
    let known = this.known.get(user);
    if (!known) {
      known = this.find(user);
      // The broker knows its users; the bound is for one that hands out names.
      if (this.known.size < MAX_KNOWN) this.known.set(user, known);
    }
    return known;
  }

  private find(user: string): Publisher {
    for (const { user: named, role, service } of this.map) {
      const prefix = named.endsWith("*") ? named.slice(0, -1) : undefined;
      if (prefix === undefined ? user !== named : !user.startsWith(prefix)) continue;
      if (role !== "service") return { role };
      return { role, service: service ?? user.slice(prefix?.length ?? 0) };
    }
    return { role: "none" };
  }
}

const MAX_KNOWN = 1_000;

function mayHoldPart(body: string): boolean {
  const texts = isFormat0(body) ? MAY_HOLD_PART_0 : MAY_HOLD_PART;
  return texts.some((text) => body.includes(text));
}
