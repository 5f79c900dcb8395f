// sluice dead: the dead letters. Without more it lists them; `show ID` prints one, `redrive ID` sends it where it came from, `drop ID` forgets it.
import type { Command } from "commander";
import { BrokerConnection } from "../../broker/connection.ts";
import { type DeadLetter, walkDeadLetters } from "../../broker/dead-letters.ts";
import { Publisher } from "../../broker/publisher.ts";
import { ORDERS_DEAD, PAYMENTS_DEAD } from "../../broker/topology.ts";
import { readSettings, SettingError } from "../../core/settings.ts";
import { whole } from "../arguments.ts";
import { table } from "../table.ts";

const QUEUES = [ORDERS_DEAD, PAYMENTS_DEAD];
const MAX_LETTERS = 10_000;
const NO_TOPOLOGY = { exchanges: [], queues: [], bindings: [] };

interface Options {
  readonly limit: number;
  readonly json: boolean;
}

export function register(program: Command): void {
  const dead = program.command("dead").description("dead letters: list them, or show, redrive or drop one (or 'all')");
  const limited = (command: Command) => command.option("--limit <n>", "how many are looked at in a queue", whole(1, MAX_LETTERS), 1_000);
  limited(dead.command("list", { isDefault: true }).option("--json", "print JSON", false)).action(list);
  limited(dead.command("show <id>").description("body, reason and trail of one")).action(show);
  limited(dead.command("redrive <id>").description("send it where it came from, then take it out")).action((id, options) =>
    act("redrive", id, options),
  );
  limited(dead.command("drop <id>").description("take it out for good")).action((id, options) => act("drop", id, options));
}

async function list({ limit, json }: Options): Promise<void> {
  const letters: DeadLetter[] = [];
  await walk(limit, async (letter) => {
    letters.push(letter);
    return "keep";
  });
  if (json) process.stdout.write(`${JSON.stringify(letters.map(plain))}\n`);
  else
    process.stdout.write(
      table(letters.map((l) => ({ id: l.id, region: l.region, queue: l.queue, reason: reasonOf(l), about: aboutOf(l) }))),
    );
}

async function show(id: string, { limit }: Options): Promise<void> {
  let found = false;
  await walk(limit, async (letter) => {
    if (letter.id === id && !found) process.stdout.write(`${JSON.stringify(plain(letter), null, 2)}\n`);
    found ||= letter.id === id;
    return "keep";
  });
  if (!found) throw new SettingError(`there is no dead letter ${id} among the first ${limit} of any queue`);
}

async function act(what: "redrive" | "drop", id: string, { limit }: Options): Promise<void> {
  let matched = 0;
  let done = 0;
  await walk(limit, async (letter, publisher) => {
    if (id !== "all" && letter.id !== id) return "keep";
    matched++;
    if (what === "redrive" && !(await redrive(letter, publisher))) return "keep";
    done++;
    return "drop";
  });
  if (matched === 0) throw new SettingError(id === "all" ? "there are no dead letters" : `there is no dead letter ${id}`);
  process.stdout.write(
    `${done} ${what === "drop" ? "dropped" : "sent again"}${done < matched ? `, ${matched - done} left as they are` : ""}\n`,
  );
  if (done < matched) process.exitCode = 1;
}

/** Only what was sent somewhere can be sent there again; a letter about an order that is on record as it is would change nothing. */
async function redrive(letter: DeadLetter, publisher: Publisher): Promise<boolean> {
  if (!letter.source) {
    process.stderr.write(`${letter.id}: the order is on record as it is (${reasonOf(letter)}); there is nothing to send again\n`);
    return false;
  }
  const { exchange, routingKey } = letter.source;
  const outcome = await publisher.publish(exchange, routingKey, letter.body, { headers: { "x-redriven": letter.id } });
  if (outcome !== "confirmed") process.stderr.write(`${letter.id}: not sent again, the broker's answer was ${outcome}\n`);
  return outcome === "confirmed";
}

async function walk(limit: number, judge: (letter: DeadLetter, publisher: Publisher) => Promise<"keep" | "drop">): Promise<void> {
  const settings = readSettings(process.env);
  if (settings.regions.length === 0) throw new SettingError("SLUICE_REGIONS is not set");
  for (const region of settings.regions) {
    const connection = new BrokerConnection({ region, topology: NO_TOPOLOGY });
    const publisher = new Publisher(connection, { confirmTimeoutMs: settings.confirmTimeoutMs });
    await publisher.start();
    await connection.start();
    try {
      for (const queue of QUEUES) await walkDeadLetters(connection, queue, limit, (letter) => judge(letter, publisher));
    } finally {
      await connection.close();
    }
  }
}

function plain({ body, ...letter }: DeadLetter): Record<string, unknown> {
  const text = body.toString();
  return { ...letter, body: jsonOf(text) ?? text };
}

function reasonOf({ headers, body }: DeadLetter): string {
  return String(headers["x-reason"] ?? jsonOf(body.toString())?.reason ?? "given up by the broker");
}

function aboutOf({ body }: DeadLetter): string {
  const value = jsonOf(body.toString());
  if (value && typeof value.user === "string") return `${value.user} ${value.id}, ${value.attempts} attempts`;
  if (Array.isArray(value?.row)) return `${value.row[1]} ${value.row[2]}`;
  return `${body.length} bytes`;
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
