// Work on a long list in a process that must not block.
import type { Runtime } from "./runtime.ts";

/** Items of a page: well below a millisecond of what is done with items here. */
const PAGE = 250;

/** Does the work page by page. Other work gets its turn between two pages. */
export async function inPages<T>(
  runtime: Pick<Runtime, "nextTurn">,
  items: readonly T[],
  work: (page: readonly T[]) => void,
): Promise<void> {
  for (let from = 0; from < items.length; from += PAGE) {
    if (from > 0) await new Promise<void>((resolve) => runtime.nextTurn(resolve));
    work(from === 0 && items.length <= PAGE ? items : items.slice(from, from + PAGE));
  }
}
