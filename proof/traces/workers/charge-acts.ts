// Charges: an owner publishes what the ledger asks for. Payment workers and the provider are not
// real here: what they answer comes from the trace.
import { answerRow } from "../../../core/domain/row.ts";
import { LedgerUnavailable } from "../../../ledger/db.ts";
import type { Flaw } from "../call.ts";
import { SHARDS } from "../stores.ts";
import type { SpecRow } from "../world-state.ts";
import type { Acts } from "./acts.ts";
import type { Follower, Step } from "./follower.ts";
import {
  more,
  queueIn,
  requestName,
  requestsIn,
  rowName,
  type SpecCopy,
  shardOfOrder,
  WORKERS,
} from "./seen.ts";

export function chargeActs(follower: Follower): Acts {
  const nothing = async () => undefined;
  return {
    relay: (step) => relay(follower, step),
    ...{ payTake: nothing, payAsk: nothing, payAck: nothing, payCrash: nothing },
    payAnswer: (step) => payAnswer(follower, step),
  };
}

/** The request that a step publishes. */
export function relayed({ before, after }: Step): string {
  const left = new Set(SHARDS.flatMap((sh) => requestsIn(after, sh)));
  const gone = SHARDS.flatMap((sh) => requestsIn(before, sh)).find((name) => !left.has(name));
  const [last] = more(after).payments.slice(-1);
  return gone ?? (last ? requestName(last) : "");
}

/** A look publishes everything that the shard's follow-ups ask for, and marks it in one call. */
async function relay(follower: Follower, step: Step): Promise<Flaw> {
  const { stage } = follower;
  const request = relayed(step);
  if (follower.published.length > 0)
    return follower.published.shift() === request ? undefined : `it published another request`;
  const shard = shardOfOrder(request);
  const worker = WORKERS.find((one) => follower.held(one, "followUps", shard).length > 0);
  const [look] = worker === undefined ? [] : follower.held(worker, "followUps", shard);
  if (worker === undefined || !look) return "no owner looks for what to publish";
  const wanted = requestsIn(step.before, shard);
  await follower.pass(look);
  const done = await follower.call(worker, "followUpsDone");
  if (!done) return "the owner publishes nothing, or marks nothing";
  if (step.args[0] === "true") await follower.pass(done);
  else stage.gate.fail(done, new LedgerUnavailable("the ledger does not answer"));
  const found = await published(follower, wanted.length);
  if (found.join(" ") !== [...wanted].sort().join(" "))
    return `it publishes ${found.join(" ")} instead of ${wanted.join(" ")}`;
  if (step.args[0] === "true") follower.published = wanted.filter((name) => name !== request);
  return undefined;
}

/** The requests that reach payment workers; a retry waits for a moment. */
async function published({ stage, names }: Follower, count: number): Promise<string[]> {
  const found: string[] = [];
  await stage.until(() => {
    for (const text of stage.takePayments())
      for (const { user, id, attempt } of JSON.parse(text) as Asked[])
        found.push(`${names.order(`${user} ${id}`)}/${attempt}`);
    return found.length >= count;
  });
  return found.sort();
}

interface Asked {
  readonly user: string;
  readonly id: string;
  readonly attempt: number;
}

async function payAnswer(follower: Follower, { args: [region = ""], after }: Step): Promise<Flaw> {
  const copy = newest(after, region);
  if (!copy) return "there is no answer";
  const { row } = copy;
  const { order } = follower.names.rowOf(row);
  const atMs = Math.floor(follower.stage.scheduler.nowMs());
  const attempt = { user: order.user, id: order.id, generation: 1, attempt: row.attempt };
  const answer = answerRow(attempt, wordOf(row), "", atMs);
  const text = await follower.stage.publish(region, shardOfOrder(row.order), answer, 0);
  follower.names.learnMessage(text, rowName(row));
  follower.texts.set(copy.tag, text);
  return undefined;
}

const wordOf = ({ answer }: SpecRow) => answer as Parameters<typeof answerRow>[1];

function newest(state: Step["after"], region: string): SpecCopy | undefined {
  const ready = SHARDS.flatMap((sh) => [...queueIn(state, region, sh).ready]);
  return ready.sort((a, b) => a.tag - b.tag).at(-1);
}
