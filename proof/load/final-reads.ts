// The last thing clients do in a sale: each user reads all of their orders. What they read is the
// final state by which the independent checker judges.
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { HistoryFile, SeenOrder } from "../history-file.ts";
import type { Target } from "./lane.ts";
import { mintToken, type TokenIssuer } from "./tokens.ts";

export interface FinalReads {
  readonly users: Iterable<string>;
  readonly targets: readonly Target[];
  readonly issuer: TokenIssuer;
  readonly events: HistoryFile;
}

const AT_ONCE = 32;
/** The most that one page may hold. */
const PAGE = 500;
const ANSWER_TIMEOUT_MS = 10_000;
/** Sendings of one page; a user that is still unread stays so, and the checker reports it. */
const MAX_SENDINGS = 5;
const RETRY_MS = 200;

/** Returns how many users could not be read. */
export async function readFinalStates(options: FinalReads): Promise<number> {
  const authorization = `Bearer ${await mintToken(options.issuer, "final-reader", "service")}`;
  const users = [...new Set(options.users)];
  let next = 0;
  let unread = 0;
  const readers = Array.from({ length: AT_ONCE }, async (_, reader) => {
    const target = options.targets[reader % options.targets.length] as Target;
    for (let user = users[next++]; user !== undefined; user = users[next++])
      if (!(await readUser(options.events, target, user, authorization))) unread++;
  });
  await Promise.all(readers);
  return unread;
}

async function readUser(
  events: HistoryFile,
  target: Target,
  user: string,
  authorization: string,
): Promise<boolean> {
  const caller = { client: `reader-${target.region}`, via: "http", region: target.region } as const;
  const call = events.orders({ ...caller, user });
  const orders: SeenOrder[] = [];
  let before = "";
  do {
    const url = `${target.url}/v1/orders?user=${user}&limit=${PAGE}${before}`;
    const page = await readPage(url, authorization);
    if (typeof page === "number") {
      events.answer(call, { status: page });
      return false;
    }
    orders.push(...page.orders);
    before = page.before === undefined ? "" : `&before=${page.before}`;
  } while (before !== "");
  events.answer(call, { status: 200, orders });
  return true;
}

interface Page {
  readonly orders: readonly SeenOrder[];
  readonly before?: string;
}

/** The page, or the last status if every sending failed: 0 without an answer. */
async function readPage(url: string, authorization: string): Promise<Page | number> {
  let status = 0;
  for (let sending = 1; sending <= MAX_SENDINGS; sending++) {
    if (sending > 1) await realRuntime.sleep(RETRY_MS * sending);
    try {
      const signal = realRuntime.abortAfter(ANSWER_TIMEOUT_MS);
      const response = await fetch(url, { headers: { authorization }, signal });
      status = response.status;
      if (response.ok) return (await response.json()) as Page;
    } catch {
      status = 0;
    }
  }
  return status;
}
