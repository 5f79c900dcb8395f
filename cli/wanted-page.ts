// Pages of the feed for a reader that wants some types of events only.
import type { FeedEvent } from "../core/domain/feed-event.ts";
import type { FeedPosition } from "../core/domain/feed-position.ts";
import { SettingError } from "../core/settings/settings.ts";
import { MAX_FEED_PAGE } from "../gateway/http/read-feed.ts";
import type { FeedPage, Ledger } from "../ledger/contract.ts";

/** Pages that are read for events of a rare type: up to 100,000 events, some seconds. */
const MOST_PAGES = 100;

export interface WantedPage extends FeedPage {
  /** How many events were looked at. */
  readonly read: number;
  /** There are too many others: it stopped before it had enough. */
  readonly early: boolean;
}

/**
 * About `limit` events of the wanted types: the page ends with the entry that has the last of them,
 * so that its position skips none.
 */
export async function wantedPage(
  ledger: Ledger,
  from: FeedPosition,
  limit: number,
  isWanted: (event: FeedEvent) => boolean,
  mostPages = MOST_PAGES,
): Promise<WantedPage> {
  const events: FeedEvent[] = [];
  let after = from;
  let read = 0;
  for (let pages = 1; ; pages++) {
    const page = await readUpTo(ledger, after, limit - events.length, isWanted);
    events.push(...page.events.filter(isWanted));
    read += page.events.length;
    const { more } = page;
    after = page.after;
    const enough = events.length >= limit || !more;
    if (enough || pages >= mostPages) return { events, after, more, read, early: !enough };
  }
}

/** A page that ends about with the `most`-th wanted event, or with the last one of a full page. */
async function readUpTo(
  ledger: Ledger,
  after: FeedPosition,
  most: number,
  isWanted: (event: FeedEvent) => boolean,
): Promise<FeedPage> {
  const page = await pageOf(ledger, after, MAX_FEED_PAGE);
  const places = page.events.flatMap((event, i) => (isWanted(event) ? [i + 1] : []));
  const end = places[most - 1];
  return end === undefined || end === page.events.length ? page : pageOf(ledger, after, end);
}

export async function pageOf(
  ledger: Ledger,
  after: FeedPosition,
  limit: number,
): Promise<FeedPage> {
  const page = await ledger.feed(after, limit);
  if (page !== "gone") return page;
  throw new SettingError(
    "this ledger does not have that position: it is another ledger, or was restored from a backup",
  );
}
