// Steps that the specification allows and that a real worker cannot take where it is: it does less
// than the specification allows. Each has its reason, which docs/protocol/traces.md repeats. What
// is not listed here must be possible.
import type { EntryToRecord } from "../../../ledger/contract.ts";
import { REGIONS } from "../../simulate/system.ts";
import { SHARDS } from "../stores.ts";
import { at, type SpecState, sessionOf, shardIn } from "../world-state.ts";
import { relayed } from "./charge-acts.ts";
import type { Follower, Step } from "./follower.ts";
import {
  allOpen,
  channelsOf,
  downIn,
  headOf,
  queueIn,
  requestsIn,
  shardOfOrder,
  staleOf,
  WORKERS,
} from "./seen.ts";

type Reason = string | undefined;

export const REASONS = {
  recorder: "a worker records the entries of all its shards in the order of their decisions",
  commit: "what stands in one commit is recorded together",
  told: "Redis is told again only with the next entry, or after a check",
  checks: "a check also asks whether the worker is still the owner",
  saw: "only a worker that has seen a loss rebuilds",
  open: "a worker that Redis refused looks again before it rebuilds",
  looks: "an owner looks for follow-ups after an entry, or after a check",
  together: "what one look finds is published together",
  sweeps: "a sweep comes between two batches",
  checked: "a sweep begins with a check",
  ready: "a look at a queue is part of a sweep, and what has come since is decided first",
  away: "a look at a queue is part of a sweep, and finds nothing where the region is away",
  underWay: "a call under way is answered before the worker hears of a lost channel",
  connection: "a worker's shards share a connection",
  order: "two consumers come back in an order that the broker chooses",
  finishes: "a worker that hands a shard over finishes what it has, and then closes",
  channel: "a consumer ends with its channel",
} as const;

export function impossible(follower: Follower, step: Step): Reason {
  return CHECKS[step.name]?.(follower, step);
}

const CHECKS: Readonly<Record<string, (follower: Follower, step: Step) => Reason>> = {
  record: (follower, step) => otherFirst(follower, step, headId(step)),
  recordInDoubt: (follower, step) =>
    otherFirst(follower, step, headId(step)) ??
    (inCommit(follower, step) > 1 ? REASONS.commit : undefined),
  recordStale: (follower, step) => {
    const [worker = ""] = step.args;
    const id = staleOf(step.before, Number(worker))[0]?.entry.id;
    return follower.answered.has(`${worker} ${id}`) ? undefined : otherFirst(follower, step, id);
  },
  catchUp: (follower, step) => {
    const [worker, sh] = step.args.map(Number) as [number, number];
    const { lastN } = sessionOf(step.before, worker, sh);
    const rest = shardIn(step.before, sh).outbox.filter(({ n }) => n > lastN);
    return rest.length > 0 ? otherFirst(follower, step, rest[0]?.id) : undefined;
  },
  mark: (follower, { args: [worker = "", sh] }) =>
    follower.held(worker, "recorded", Number(sh)).length === 0 ? REASONS.told : undefined,
  check: (_, step) => {
    const [worker, sh] = step.args.map(Number) as [number, number];
    const shard = shardIn(step.before, sh);
    const fenced = shard.epoch !== sessionOf(step.before, worker, sh).epoch;
    return fenced && shard.state === "open" ? REASONS.checks : undefined;
  },
  unpark: (_, step) => sweeps(step),
  dropped: (_, step) => dropped(step),
  regionDown: (_, { before, args: [region = ""] }) => {
    if (handsOver(before)) return REASONS.finishes;
    return WORKERS.some((one) => decides(before, one, region)) ? REASONS.underWay : undefined;
  },
  regionUp: (_, { before }) => (contested(before) ? REASONS.order : undefined),
  close: () => REASONS.finishes,
  deliver: (_, { before, args: [worker, sh] }) =>
    WORKERS.some(
      (other) => other !== Number(worker) && channelsOf(sessionOf(before, other, Number(sh))).quiet,
    )
      ? REASONS.channel
      : undefined,
  begin: (follower, step) => {
    const [worker = ""] = step.args;
    if (follower.held(worker, "repair").length === 0) return REASONS.saw;
    const refused = follower.seat(worker).released.startsWith("not_ready");
    return refused && allOpen(step.before) ? REASONS.open : undefined;
  },
  relay: (follower, step) => {
    const request = relayed(step);
    const sh = shardOfOrder(request);
    if (!WORKERS.some((worker) => follower.held(worker, "followUps", sh).length > 0))
      return REASONS.looks;
    const several = requestsIn(step.before, sh).length > 1;
    return several && step.args[0] === "false" ? REASONS.together : undefined;
  },
};

/** A sweep checks first: what the check sees must be a step of its own. */
function sweeps(step: Step): Reason {
  const { before, args } = step;
  const [worker, sh] = args.map(Number) as [number, number];
  const x = sessionOf(before, worker, sh);
  if (x.hand.length > 0 || x.pending.length > 0) return REASONS.sweeps;
  if (REGIONS.some((region) => queueIn(before, region, sh).ready.length > 0)) return REASONS.ready;
  const away = REGIONS.filter((region) => downIn(before, region));
  if (away.length > 0)
    return away.some((region) => readPast(step, region)) ? REASONS.away : undefined;
  const { inc, state, epoch, tip, basen } = shardIn(before, sh);
  const whole = inc === x.inc && state === "open" && epoch === x.epoch && tip === x.handed;
  return whole && basen <= x.lastN ? undefined : REASONS.checked;
}

/** Whether the specification's owner has read a region's queue since the user's gap began. */
function readPast({ before, args: [worker, sh, user = ""] }: Step, region: string): boolean {
  const { marks } = channelsOf(sessionOf(before, Number(worker), Number(sh)));
  return at<number>(marks, region) >= at<number>(shardIn(before, Number(sh)).gaps, user);
}

/** Whether a worker hands a shard over. */
const handsOver = (state: SpecState): boolean =>
  WORKERS.some((worker) => SHARDS.some((sh) => channelsOf(sessionOf(state, worker, sh)).quiet));

/** Whether a worker is deciding something that came from a region. */
function decides(state: SpecState, worker: number, region: string): boolean {
  return SHARDS.some((sh) => {
    const [first] = channelsOf(sessionOf(state, worker, sh)).hand;
    return first?.region === region;
  });
}

function dropped({ before, args: [worker, sh, region = ""] }: Step): Reason {
  if (handsOver(before)) return REASONS.finishes;
  if (decides(before, Number(worker), region)) return REASONS.underWay;
  const others = SHARDS.filter((one) => one !== Number(sh));
  const holds = (one: number) => {
    const chan = at<number>(channelsOf(sessionOf(before, Number(worker), one)).chans, region);
    return queueIn(before, region, one).unacked.some((held) => held.chan === chan);
  };
  return others.some(holds) ? REASONS.connection : undefined;
}

/** Two workers consume the queue of one shard: who comes first is then the broker's choice. */
function contested(state: SpecState): boolean {
  return SHARDS.some(
    (sh) => WORKERS.filter((worker) => sessionOf(state, worker, sh).pc === "running").length > 1,
  );
}

const headId = ({ before, args: [worker, sh] }: Step) =>
  headOf(sessionOf(before, Number(worker), Number(sh)))?.id;

/** Whether the worker's recorder has something else to record first. */
function otherFirst(follower: Follower, { args: [worker = ""] }: Step, id = -1): Reason {
  if (id < 0) return undefined;
  const first = entriesOf(follower, worker)[0];
  if (!first) return undefined;
  return follower.names.idOf(first.entry.id) === id ? undefined : REASONS.recorder;
}

const inCommit = (follower: Follower, { args: [worker = ""] }: Step): number =>
  entriesOf(follower, worker).length;

function entriesOf(follower: Follower, worker: string): readonly EntryToRecord[] {
  const [call] = follower.held(worker, "record");
  return (call?.args[0] as readonly EntryToRecord[] | undefined) ?? [];
}
