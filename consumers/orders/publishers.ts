// What each user may publish to a shard. The broker verifies the user's name.
//
//   gateway          orders, skips, cancels, redriven orders; through the exchange `claims`, claims
//                    and reports of any service, whose token it has verified
//   payments         answers of the payment provider
//   service-<name>   claims and reports about its own parts, through the exchange `claims`
//   operator         redriven orders, and dead letters that their first publisher may send
//   all              anything, as in an installation with one user for all roles
//
// These are the names and roles without SLUICE_PUBLISHERS. Any other user then has the role `all`,
// so that an installation with one user works; `sluice doctor` warns about it. With
// SLUICE_PUBLISHERS, only the users it names may publish.
import type { Delivery } from "../../broker/subscriber.ts";
import { CLAIMS_EXCHANGE } from "../../broker/topology.ts";
import type { Kind } from "../../core/domain/fields.ts";
import type { PublisherSetting } from "../../core/settings/setting-readers.ts";
import type { Rights } from "./rights.ts";
import { isFormat0 } from "./sift.ts";

/**
 * Only messages with one of these texts can hold a service's row. No gateway writes one, so a
 * gateway's other messages need no check of each row. The escapes are other ways to write a letter.
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
  /** A cache: a few users publish everything. */
  private readonly known = new Map<string, Publisher>();

  constructor(
    set: readonly PublisherSetting[],
    private readonly shards: number,
  ) {
    this.map = set.length > 0 ? set : OWN_MAP;
  }

  /**
   * What a message may hold, or why it is refused outright. `rights` undefined: anything, and its
   * rows need no check.
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

  /** A claim needs a user's name, even where one user has all roles. */
  private claims(userId: string, shard: number): Judged {
    const by = this.publisher(userId);
    if (by.role === "gateway") return this.may(PARTS, shard, false);
    if (userId === "" || (by.role !== "service" && by.role !== "all"))
      return { refused: userId === "" ? "a claim without a user" : `'${userId}' is not a service` };
    return this.may(PARTS, shard, false, by.service);
  }

  private may(kinds: ReadonlySet<Kind>, shard: number, orders: boolean, service?: string): Judged {
    return { rights: { kinds, orders, service, shard, shards: this.shards } };
  }

  private publisher(user: string): Publisher {
    let known = this.known.get(user);
    if (!known) {
      known = this.find(user);
      // The bound is for a broker that makes up users.
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
