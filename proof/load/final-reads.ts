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
const PAGE = 100;
const ANSWER_TIMEOUT_MS = 10_000;
/**
 * Attempts to read one page. A user that is still unread then stays so, and the checker reports it.
 */
const MAX_SENDINGS = 5;
const RETRY_MS = 200;

/** Returns how many users could not be read. */
export async function readFinalStates(options: FinalReads): Promise<number> {
  const authorization = `Bearer ${await mintToken(options.issuer, "final-reader", "service")}`;
  const users = [...new Set(options.users)];
  let next = 0;
  let unread = 0;
  const readers = Array.from({ length: AT_ONCE }, async (_, reader) => {
    const targets = startingAt(reader, options.targets);
    for (let user = users[next++]; user !== undefined; user = users[next++])
      if (!(await readUser(options.events, targets, user, authorization))) unread++;
  });
  await Promise.all(readers);
  return unread;
}

/** The targets, another one first for each reader. */
function startingAt(reader: number, targets: readonly Target[]): readonly Target[] {
  const first = reader % targets.length;
  return [...targets.slice(first), ...targets.slice(0, first)];
}

async function readUser(
  events: HistoryFile,
  targets: readonly Target[],
  user: string,
  authorization: string,
): Promise<boolean> {
  const region = targets[0]?.region ?? "";
  const call = events.orders({ client: `reader-${region}`, via: "http", region, user });
  const orders: SeenOrder[] = [];
  let before = "";
  do {
    const path = `/v1/orders?user=${user}&limit=${PAGE}${before}`;
    const page = await readPage(targets, path, authorization);
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

/**
 * The page, from the first gateway that has it, or the last status if every sending failed: 0
 * without an answer.
 */
async function readPage(
  targets: readonly Target[],
  path: string,
  authorization: string,
): Promise<Page | number> {
  let status = 0;
  for (let sending = 0; sending < MAX_SENDINGS; sending++) {
    if (sending > 0) await realRuntime.sleep(RETRY_MS * sending);
    const { url } = targets[sending % targets.length] as Target;
    try {
      const signal = realRuntime.abortAfter(ANSWER_TIMEOUT_MS);
      const response = await fetch(url + path, { headers: { authorization }, signal });
      status = response.status;
      if (response.ok) return (await response.json()) as Page;
    } catch {
      status = 0;
    }
  }
  return status;
}
