// Rows that consumers send to shards: answers fit their questions, and every wait ends.
import { afterEach, expect, test } from "bun:test";
import { Subscription } from "../../broker/subscriber.ts";
import { ORDERS_EXCHANGE, ordersQueue } from "../../broker/topology.ts";
import { makeLog } from "../../cli/log.ts";
import { closeRegions, openRegion } from "../../cli/roles/parts.ts";
import { allRows, readMessage } from "../../core/domain/message.ts";
import { gatewayQueue } from "../../core/domain/push.ts";
import { partRow, type Row } from "../../core/domain/row.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { testRabbit } from "../../test/services.ts";
import type { RegionLink } from "./relay.ts";
import { RowLanes, Undelivered } from "./row-lanes.ts";

const TIMEOUT_MS = 60_000;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
}, TIMEOUT_MS);

async function openLink(url: string): Promise<RegionLink> {
  const settings = readSettings({ SLUICE_REGIONS: `eu=${url}`, SLUICE_SHARDS: "1" });
  const [region] = settings.regions;
  if (!region) throw new Error("no region");
  const link = await openRegion(
    realRuntime,
    region,
    settings,
    makeLog("test", () => undefined),
  );
  closing.push(() => closeRegions([link]));
  return link;
}

async function lanesOn(url: string, more: { deadlineMs?: number; answerMs?: number } = {}) {
  const link = await openLink(url);
  const runtime = realRuntime;
  const of = {
    runtime,
    regions: [link],
    shards: 1,
    exchange: ORDERS_EXCHANGE,
    id: "depot-1",
    ...more,
  };
  const lanes = new RowLanes(of);
  closing.push(() => lanes.stop());
  await lanes.listen();
  return lanes;
}

const PART = { user: "ann", id: Bun.randomUUIDv7(), generation: 1, part: 1, of: 1 };
/** Rows that differ in their user. */
const claim = (service: string) => partRow(PART, "claim", service, 1);
const serviceOf = (row: Row) => (row.kind === "part" ? row.service : "");

interface Question {
  readonly gateway: string;
  readonly batch: string;
  readonly rows: readonly string[];
}

/** A shard whose answers the test provides. */
async function shard(url: string, answer: (question: Question) => string | undefined) {
  const link = await openLink(url);
  const asked: Question[] = [];
  let wake = () => {};
  const subscription = new Subscription(link.consuming, {
    queue: ordersQueue(0),
    prefetch: 10,
    handler: ({ appId, messageId, body }, settle) => {
      const rows = allRows(readMessage(body.toString())).map(serviceOf);
      const question = { gateway: appId, batch: messageId, rows };
      asked.push(question);
      wake();
      const outcomes = answer(question);
      if (outcomes !== undefined) push(link, question.gateway, question.batch, outcomes);
      settle("ack");
    },
  });
  await subscription.start();
  const heard = async (n: number) => {
    while (asked.length < n) await new Promise<void>((resolve) => (wake = resolve));
    return asked;
  };
  return { link, asked, heard };
}

function push(link: RegionLink, gateway: string, batch: string, outcomes: string): void {
  const body = JSON.stringify({ batches: [[batch, outcomes]], released: [] });
  link.publisher.push(gatewayQueue(gateway), body);
}

test(
  "questions of one round share a message, and each receives its own word",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const { asked } = await shard(url, ({ rows }) => rows.map((r) => `+${r}`).join(","));
    const lanes = await lanesOn(url);
    expect(await Promise.all([lanes.ask(0, claim("a")), lanes.ask(0, claim("b"))])).toEqual([
      "+a",
      "+b",
    ]);
    expect(asked.map((q) => q.rows)).toEqual([["a", "b"]]);
  },
  TIMEOUT_MS,
);

test(
  "a process restarted under the same id never accepts an answer to its predecessor",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const { link, heard } = await shard(url, () => undefined);
    const former = await lanesOn(url);
    void former.ask(0, claim("former")).catch(() => undefined);
    const [before] = await heard(1);
    await former.stop();
    const lanes = await lanesOn(url);
    const answer = lanes.ask(0, claim("present"));
    const [, now] = await heard(2);
    expect(now?.batch).not.toBe(before?.batch as string);
    // The late answer with the old number, in either queue.
    push(link, before?.gateway as string, before?.batch as string, "+claimed");
    push(link, now?.gateway as string, before?.batch as string, "+claimed");
    push(link, now?.gateway as string, now?.batch as string, "-cancelled");
    expect(await answer).toBe("-cancelled");
  },
  TIMEOUT_MS,
);

test(
  "an answer with a wrong number of words is ignored, and the question is asked again",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const wrong = ["+a,+b", "nonsense,,", "+claimed"];
    const { asked } = await shard(url, () => wrong.shift());
    const lanes = await lanesOn(url, { answerMs: 200 });
    expect(await lanes.ask(0, claim("x"))).toBe("+claimed");
    expect(asked).toHaveLength(3);
  },
  TIMEOUT_MS,
);

test(
  "an unanswered question ends with Undelivered, and so does a row that no broker accepts",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    await shard(url, () => undefined);
    const lanes = await lanesOn(url, { answerMs: 100, deadlineMs: 400 });
    expect(lanes.ask(0, claim("x"))).rejects.toThrow(Undelivered);
    const regions = [{ ...(await openLink(url)) }] as RegionLink[];
    const lost = new RowLanes({
      runtime: realRuntime,
      regions,
      shards: 2,
      exchange: "",
      id: "p",
      deadlineMs: 400,
    });
    closing.push(() => lost.stop());
    expect(lost.send(1, claim("x"))).rejects.toThrow(Undelivered);
    await lanes.ask(0, claim("y")).catch(() => undefined);
  },
  TIMEOUT_MS,
);
