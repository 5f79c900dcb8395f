// Who may do what: one table. The gateway asks it, docs/security.md shows it, and a test tries
// every route and frame with every kind of caller against it.
import type { Principal } from "./auth.ts";

/** A token may have several of these scopes; without one its holder is a buyer. */
export const SCOPES = ["service", "viewer", "operator"] as const;
export type Scope = (typeof SCOPES)[number];
/** `anyone` needs no token. */
export type Caller = "anyone" | "buyer" | Scope;
export const CALLERS: readonly Caller[] = ["anyone", "buyer", ...SCOPES];

const EVERYBODY: readonly Caller[] = CALLERS;
const HOLDERS: readonly Caller[] = ["buyer", ...SCOPES];

export const RIGHTS = {
  look: {
    what: "see sales, stock and rates, health, metrics and the interface's description",
    who: EVERYBODY,
  },
  visit: { what: "with `SLUICE_SHOP`: get a token as a new buyer of `/shop`", who: EVERYBODY },
  order: { what: "place, skip and cancel one's own orders", who: HOLDERS },
  read: { what: "read and follow one's own orders; watch stock over a WebSocket", who: HOLDERS },
  order_for: {
    what: "place, skip and cancel another user's orders, and follow them over a WebSocket",
    who: ["service"],
  },
  read_for: { what: "read and follow another user's orders over HTTP", who: SCOPES },
  feed: { what: "read the feed of all orders' events", who: ["service", "operator"] },
  serve: {
    what: "claim and report parts over HTTP, of the service that is the token's subject",
    who: ["service"],
  },
  oversee: { what: "read `/v1/admin/…` and the console", who: ["viewer", "operator"] },
  operate: { what: "change anything under `/v1/admin/…`", who: ["operator"] },
} as const satisfies Record<string, { what: string; who: readonly Caller[] }>;
export type Right = keyof typeof RIGHTS;

export function may(principal: Principal, right: Right): boolean {
  for (const caller of RIGHTS[right].who as readonly Caller[])
    if (caller === "buyer" || caller === "anyone" || principal[caller]) return true;
  return false;
}

/** For the answer to somebody who may not: the scopes of which one is enough. */
export function scopesFor(right: Right): string {
  return RIGHTS[right].who.filter((caller) => caller !== "buyer").join(" or ");
}

/** The table as docs/security.md shows it. */
export function rightsTable(): string {
  const rows = Object.values(RIGHTS).map(({ what, who }) => {
    const marks = CALLERS.map((caller) => ((who as readonly Caller[]).includes(caller) ? "✓" : ""));
    return `| ${[what, ...marks].join(" | ")} |`;
  });
  return [
    `| may | ${CALLERS.join(" | ")} |`,
    `|---|${"---|".repeat(CALLERS.length)}`,
    ...rows.map((row) => row.replaceAll(/ +\|/g, " |")),
  ].join("\n");
}
