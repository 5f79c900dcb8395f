// The simulated broker behaves as RabbitMQ: random scripts of what clients do have the same results
// on both, after each step. The script is made while it runs on the simulated one.
import { expect, test } from "bun:test";
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type Message,
} from "amqplib";
import { at } from "../../../core/domain/at.ts";
import { prng } from "../../../core/runtime/prng.ts";
import { testRabbit } from "../../../test/services.ts";
import { WorldBroker } from "./broker.ts";
import { TestScheduler } from "./testing.ts";

const SCRIPTS = Number(process.env.CONTRACT_SCRIPTS ?? 4);
const STEPS = 40;
/** How long the real broker may take to reach the same state. */
const SAME_WITHIN_MS = 3_000;
const LIMIT_MS = 60_000;

const LIMITS = { "x-max-length": 5, "x-overflow": "reject-publish" };
const TO_DEAD = {
  "x-dead-letter-exchange": "",
  "x-dead-letter-routing-key": "dead",
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
  "x-delivery-limit": 3,
};
const QUORUM = { "x-queue-type": "quorum" };
const QUEUES: Readonly<Record<string, object>> = {
  plain: { ...QUORUM, ...TO_DEAD },
  single: { ...QUORUM, ...LIMITS, "x-single-active-consumer": true },
  dead: QUORUM,
  wait: { ...QUORUM, ...TO_DEAD },
  classic: {},
};
const CONSUMED = ["plain", "single", "classic"];
const CHANNELS = 5;

type Step =
  | {
      readonly kind: "publish";
      readonly exchange: string;
      readonly key: string;
      readonly n: number;
    }
  | { readonly kind: "consume"; readonly channel: number; readonly queue: string; tag: string }
  | { readonly kind: "cancel"; readonly channel: number; readonly tag: string }
  | { readonly kind: "settle"; readonly channel: number; readonly how: How; readonly deep: number }
  | { readonly kind: "get"; readonly channel: number; readonly queue: string }
  | { readonly kind: "close"; readonly channel: number };
type How = "ack" | "ack up to" | "nack" | "nack up to" | "drop";

/** One broker, and what its clients have seen. */
class Side {
  private publisher: ConfirmChannel | undefined;
  private looker: Channel | undefined;
  private readonly channels: Channel[] = [];
  /** By channel, what was delivered and not settled. */
  readonly open: Message[][] = [];
  readonly tags: { readonly channel: number; readonly tag: string }[] = [];
  /** By channel, the queue it takes messages from, and how. */
  readonly uses: ({ readonly queue: string; readonly by: "consume" | "get" } | undefined)[] = [];
  private seen = new Map<string, string[]>();
  private returned = 0;

  constructor(private readonly model: ChannelModel) {}

  async declare(): Promise<void> {
    const channel = await this.model.createConfirmChannel();
    this.publisher = channel;
    channel.on("return", () => this.returned++);
    this.looker = await this.model.createChannel();
    for (const [name, args] of Object.entries(QUEUES))
      await channel.assertQueue(name, { durable: true, arguments: args });
    await channel.assertExchange("direct", "direct", { alternateExchange: "all" });
    await channel.assertExchange("all", "fanout");
    await channel.assertExchange("words", "topic");
    await channel.bindQueue("single", "direct", "one");
    await channel.bindQueue("plain", "all", "");
    await channel.bindQueue("classic", "all", "");
    await channel.bindQueue("plain", "words", "eu.#");
    await channel.bindQueue("single", "words", "*.art.*");
    for (let i = 0; i < CHANNELS; i++) await this.reopen(i);
  }

  private async reopen(channel: number): Promise<void> {
    const opened = await this.model.createChannel();
    opened.on("error", () => undefined);
    this.channels[channel] = opened;
    this.open[channel] = [];
    this.uses[channel] = undefined;
  }

  /** What the step answered. */
  async take(step: Step): Promise<string> {
    switch (step.kind) {
      case "publish":
        return this.publish(step.exchange, step.key, String(step.n));
      case "consume": {
        const { channel, queue, tag } = step;
        const target = at(this.channels, channel);
        this.uses[channel] = { queue, by: "consume" };
        await target.prefetch(2);
        await target.consume(queue, (message) => message && this.got(channel, tag, message), {
          consumerTag: tag,
        });
        this.tags.push({ channel, tag });
        return "consumes";
      }
      case "cancel":
        await at(this.channels, step.channel).cancel(step.tag);
        this.tags.splice(
          this.tags.findIndex(({ tag }) => tag === step.tag),
          1,
        );
        return "cancelled";
      case "settle":
        return this.settle(step.channel, step.how, step.deep);
      case "get": {
        const message = await at(this.channels, step.channel).get(step.queue);
        this.uses[step.channel] = { queue: step.queue, by: "get" };
        if (message) at(this.open, step.channel).push(message);
        return message ? textOf(message) : "empty";
      }
      case "close":
        await at(this.channels, step.channel).close();
        for (const held of this.tags.filter(({ channel }) => channel === step.channel))
          this.tags.splice(this.tags.indexOf(held), 1);
        await this.reopen(step.channel);
        return "closed";
    }
  }

  /** Queues' counts, and what each consumer has received. */
  async state(): Promise<string> {
    const counts: string[] = [];
    for (const name of Object.keys(QUEUES)) {
      const found = await this.looker?.checkQueue(name);
      counts.push(`${name} ${found?.messageCount} ${found?.consumerCount}`);
    }
    const seen = [...this.seen].sort().map(([tag, texts]) => `${tag}: ${texts.join(", ")}`);
    return [...counts, ...seen].join("\n");
  }

  private async publish(exchange: string, key: string, body: string): Promise<string> {
    const before = this.returned;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.publisher?.publish(exchange, key, Buffer.from(body), { mandatory: true }, (error) =>
      resolve(error ? "nacked" : "confirmed"),
    );
    const outcome = await promise;
    return this.returned > before ? `returned, ${outcome}` : outcome;
  }

  private got(channel: number, tag: string, message: Message): void {
    const texts = this.seen.get(tag) ?? [];
    this.seen.set(tag, texts);
    texts.push(textOf(message));
    at(this.open, channel).push(message);
  }

  private async settle(number: number, how: How, deep: number): Promise<string> {
    const channel = at(this.channels, number);
    const open = at(this.open, number);
    const message = at(open, deep);
    const upTo = how.endsWith("up to");
    if (how.startsWith("ack")) channel.ack(message, upTo);
    else channel.nack(message, upTo, how !== "drop");
    open.splice(upTo ? 0 : deep, upTo ? deep + 1 : 1);
    await channel.prefetch(2); // the broker has read what came before
    return textOf(message);
  }
}

/** How a delivery looks to a consumer. */
function textOf({ content, fields, properties }: Message): string {
  const { exchange, routingKey, redelivered } = fields;
  const count = properties.headers?.["x-delivery-count"] ?? "-";
  const death = properties.headers?.["x-death"] as { reason: string; count: number }[] | undefined;
  const died = death ? ` died ${death.map((d) => `${d.reason} ${d.count}`)}` : "";
  return `${content} ${exchange}/${routingKey} ${redelivered} ${count}${died}`;
}

/**
 * A step that makes sense now. Left out is what RabbitMQ does in any order: a channel takes the
 * messages of one queue, in one way, and only the queue with a single active consumer has several.
 */
function nextStep(side: Side, random: () => number, n: number): Step {
  const pick = <T>(list: readonly T[]): T => at(list, Math.floor(random() * list.length));
  const channel = Math.floor(random() * CHANNELS);
  const open = at(side.open, channel);
  const chance = random();
  const use = side.uses[channel];
  const consumed = side.uses.flatMap((other) => (other?.by === "consume" ? [other.queue] : []));
  const toConsume = use ? [] : CONSUMED.filter((q) => q === "single" || !consumed.includes(q));
  const toGet = use ? [] : ["plain", "classic", "dead"];
  if (chance < 0.2 && open.length > 0) {
    const how = pick(["ack", "ack", "ack up to", "nack", "nack up to", "drop"] as const);
    const deep = Math.floor(random() * open.length);
    return { kind: "settle", channel, how, deep };
  }
  if (chance < 0.35 && toConsume.length > 0)
    return { kind: "consume", channel, queue: pick(toConsume), tag: `c${n}` };
  if (chance < 0.4 && side.tags.length > 0) return { kind: "cancel", ...pick(side.tags) };
  if (chance < 0.5 && toGet.length > 0) return { kind: "get", channel, queue: pick(toGet) };
  if (chance < 0.6) return { kind: "close", channel };
  const [exchange, key] = pick([
    ["", "plain"],
    ["", "single"],
    ["direct", "one"],
    ["direct", "two"],
    ["words", "eu.art.x"],
    ["words", "us.music"],
  ] as const);
  return { kind: "publish", exchange, key, n };
}

interface Told {
  readonly step: Step;
  readonly answer: string;
  readonly state: string;
}

async function simulatedModel(scheduler: TestScheduler): Promise<ChannelModel> {
  const broker = new WorldBroker({ scheduler, name: "eu" });
  const dial = broker.dialer("client", scheduler.runtime());
  return scheduler.until(dial("amqp://guest@eu", { timeout: 5_000, noDelay: true }));
}

/** Makes a script by running it on the simulated broker. */
async function simulated(seed: number): Promise<Told[]> {
  const scheduler = new TestScheduler(seed);
  const side = new Side(await simulatedModel(scheduler));
  await scheduler.until(side.declare());
  const random = prng(seed);
  const told: Told[] = [];
  for (let n = 0; n < STEPS; n++) {
    const step = nextStep(side, random, n);
    const answer = await scheduler.until(side.take(step));
    await scheduler.run(undefined, 100);
    told.push({ step, answer, state: await scheduler.until(side.state()) });
  }
  return told;
}

/** Runs the script on RabbitMQ. Returns the first difference. */
async function compared(script: readonly Told[], url: string): Promise<string | undefined> {
  const model = await connect(url);
  model.on("error", () => undefined);
  try {
    const side = new Side(model);
    await side.declare();
    for (const [n, { step, answer, state }] of script.entries()) {
      const real = await side.take(step).catch(String);
      const same = real === answer && (await becomes(side, state));
      if (same) continue;
      const told = `step ${n}: ${JSON.stringify(step)}`;
      return `${told}\n${answer}\n${state}\nRabbitMQ:\n${real}\n${await side.state()}`;
    }
    return undefined;
  } finally {
    await model.close();
  }
}

async function becomes(side: Side, state: string): Promise<boolean> {
  for (const endMs = performance.now() + SAME_WITHIN_MS; performance.now() < endMs; ) {
    if ((await side.state()) === state) return true;
    await Bun.sleep(5);
  }
  return false;
}

test(
  "random scripts have the same results on RabbitMQ",
  async () => {
    const rabbit = await testRabbit();
    const differences: string[] = [];
    for (let seed = 1; seed <= SCRIPTS; seed++) {
      const difference = await compared(await simulated(seed), await rabbit.freshVhost());
      if (difference !== undefined) differences.push(`seed ${seed}, ${difference}`);
    }
    expect(differences).toEqual([]);
  },
  LIMIT_MS,
);

const TEXT = Buffer.from("x");
const REFUSED: readonly (readonly [string, (channel: Channel) => unknown])[] = [
  ["no such queue", (c) => c.checkQueue("nothing")],
  ["nothing to consume", (c) => c.consume("nothing", () => undefined)],
  ["no such exchange", (c) => c.publish("nothing", "key", TEXT)],
  ["a queue with other arguments", (c) => c.assertQueue("plain", { arguments: {} })],
  ["a queue with another life", (c) => c.assertQueue("classic", { autoDelete: true })],
  ["an exchange of another type", (c) => c.assertExchange("direct", "topic")],
  ["another's user_id", (c) => c.publish("", "plain", TEXT, { userId: "somebody" })],
  ["an unknown tag", (c) => c.ack({ fields: { deliveryTag: 7 } } as Message)],
  ["a get beside a single active consumer", (c) => c.get("single")],
];

/** The code with which each refusal closes its channel. */
async function refusals(model: ChannelModel): Promise<string[]> {
  await new Side(model).declare();
  const codes: string[] = [];
  for (const [what, act] of REFUSED) {
    const channel = await model.createChannel();
    const closed = new Promise<number>((resolve) =>
      channel.on("error", ({ code }: { code: number }) => resolve(code)),
    );
    Promise.resolve(act(channel)).catch(() => undefined); // the channel's error reports it
    codes.push(`${what}: ${await closed}`);
  }
  return codes;
}

/** What reaches the dead letters: it waited longer than its time behind another. */
async function letters(
  model: ChannelModel,
  sleep: (ms: number) => Promise<unknown>,
): Promise<string[]> {
  await new Side(model).declare();
  const channel = await model.createChannel();
  const send = (text: string, expiration: number) =>
    channel.sendToQueue("wait", Buffer.from(text), { expiration, headers: { kept: text } });
  send("long", 300);
  send("short", 50);
  const found: string[] = [];
  while (found.length < 2) {
    const message = await channel.get("dead");
    if (!message) await sleep(20);
    else {
      const { expiration, headers } = message.properties;
      const death = headers?.["x-death"]?.[0];
      const { reason, queue, exchange, count, "original-expiration": waited } = death ?? {};
      const keys = String(death?.["routing-keys"]);
      const how = [reason, queue, exchange, keys, String(count), waited, headers?.kept, expiration];
      found.push(`${textOf(message)}: ${how.join(" ")}`);
    }
  }
  return found;
}

test.each([
  ["what it refuses, and how", refusals],
  ["what expires, and where it goes", letters],
] as const)(
  "%s is the same on RabbitMQ",
  async (_, look) => {
    const scheduler = new TestScheduler(1);
    const model = await simulatedModel(scheduler);
    const simulated = await scheduler.until(look(model, scheduler.runtime().sleep));
    const real = await connect(await (await testRabbit()).freshVhost());
    expect(simulated).toEqual(await look(real, Bun.sleep));
    await real.close();
  },
  LIMIT_MS,
);
