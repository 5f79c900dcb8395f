// What runs before every call under /v1/admin: the check of rights, and the audit.
//
//   1. A change is entered in the audit before it happens. If that fails, it does not happen.
//   2. Its result is added before the answer leaves. If that fails, the entry stays without one.
//   3. What changes nothing is entered with its result, before the answer leaves. Reads of the
//      whole system do not wait for a ledger that is locked or away: that is when they are needed.
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { messageOf } from "../../core/domain/message-of.ts";
import { may, scopesFor } from "../access/rights.ts";
import { readBody } from "../http/body.ts";
import { type AppParts, type Env, principalOf } from "../http/calls.ts";
import { Problem, problem, Refused } from "../http/problem.ts";
import type { Audit, Call } from "./audit.ts";

/**
 * Consoles ask for these every second, or on each page; one call of each subject in this time is
 * recorded.
 */
const LOOKS: ReadonlySet<string> = new Set(
  ["overview", "verdict", "timeline", "history", "me"].map((name) => `/v1/admin/${name}`),
);
const LOOK_EVERY_MS = 60_000;
const LOOK_WAITS_MS = 500;
const MAX_SUBJECTS = 1_000;

const UNRECORDED = problem(
  "unavailable",
  "audit",
  "the call cannot be recorded, so nothing was done",
);

/** Admits those who may read or change, and audits each call and its answer. */
export function onRecord(parts: AppParts, audit: Audit) {
  const { monotonicMs, sleep } = parts.options.runtime;
  const looked = new Map<string, number>();
  const isLooking = (c: Context<Env>, subject: string): boolean => {
    const { path } = c.req;
    if (!LOOKS.has(path)) return false;
    const nowMs = monotonicMs();
    const key = `${path} ${subject}`;
    if (nowMs - (looked.get(key) ?? Number.NEGATIVE_INFINITY) < LOOK_EVERY_MS) return true;
    if (looked.size >= MAX_SUBJECTS) looked.clear();
    looked.set(key, nowMs);
    return false;
  };

  return createMiddleware<Env>(async (c, next) => {
    let subject: string | undefined;
    let operator: string | undefined;
    let entry: number | undefined;
    let asked: string | undefined;
    const call = (): Call => {
      const { method, path } = c.req;
      const address = parts.access.addresses.of(c.env?.peer ?? "", c.req.header("x-forwarded-for"));
      return {
        operator,
        subject: subject ?? "-",
        action: actionOf(method, path),
        target: c.get("target") ?? pathTarget(path),
        detail: { address, ref: refHeader(c), asked },
      };
    };
    const failed = (error: unknown): undefined => {
      parts.log("audit failed", { ...call(), error: messageOf(error) });
    };
    try {
      const principal = await principalOf(parts, c.req.header("authorization"));
      subject = principal.user;
      const right = c.req.method === "GET" ? "oversee" : "operate";
      if (!may(principal, right))
        throw new Refused(problem("forbidden", "scope", scopesFor(right)));
      operator = subject;
      c.set("principal", principal);
      if (right === "operate") {
        asked = await bodyOf(c, parts.limits.adminBodyBytes);
        entry = await audit.begin(call()).catch(failed); // 1
        if (entry === undefined) throw new Refused(UNRECORDED);
      }
      await next();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      c.res = parts.orders.intake.refuse(error.problem).response();
    }
    if (entry !== undefined)
      await audit.end(entry, call(), c.res.status).catch(failed); // 2
    else if (operator === undefined || !isLooking(c, operator)) {
      const recording = audit.record(call(), c.res.status).then(() => true, failed); // 3
      // The overview shows what is away, the ledger too. These reads show no personal data.
      const isLook = operator !== undefined && LOOKS.has(c.req.path);
      const recorded = await (isLook ? Promise.race([recording, sleep(LOOK_WAITS_MS)]) : recording);
      if (recorded || operator === undefined || isLook) return;
      c.res = parts.orders.intake.refuse(UNRECORDED).response();
    }
  });
}

/** Reads the body for the audit, and leaves it for the call. Throws Refused. */
async function bodyOf(c: Context<Env>, maxBytes: number): Promise<string | undefined> {
  const { raw } = c.req;
  if (!raw.body) return undefined;
  const text = await readBody(raw, maxBytes);
  // Of another type than JSON: refused by those calls that need a body.
  if (text instanceof Problem) {
    if (text.code === "unsupported_type") return undefined;
    throw new Refused(text);
  }
  const { method, headers } = raw;
  c.req.raw = new Request(raw.url, { method, headers, body: text });
  return text;
}

/** Verbs of an area as a whole, where others name a sale, a worker or a letter. */
const ALL_AT_ONCE: ReadonlySet<string> = new Set([
  ...["import", "redrive", "drop", "accept", "refuse"],
]);

/** `sales.restock` for POST /v1/admin/sales/x/restock, `items.price` for …/x/items/y/price. */
function actionOf(method: string, path: string): string {
  const [area = "", first, verb, , deed = "add"] = path.split("/").slice(3);
  if (verb === "items") return `items.${deed}`.slice(0, 64);
  const name =
    verb ??
    (ALL_AT_ONCE.has(first ?? "")
      ? first
      : method === "POST"
        ? "create"
        : method === "GET"
          ? "list"
          : method.toLowerCase());
  return `${area}.${name}`.slice(0, 64);
}

/** The sale a call is about, if its path names one. */
function pathTarget(path: string): string {
  const [, target = ""] = path.split("/").slice(3);
  return ALL_AT_ONCE.has(target) ? "" : target.slice(0, 64);
}

export function refHeader(c: Context<Env>): string | undefined {
  return c.req.header("idempotency-key");
}
