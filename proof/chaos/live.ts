// A running system for one scenario: roles as real processes on the suite's stores, optionally with
// a proxy on each line between two parts.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { Db } from "../../ledger/db.ts";
import { EUR_RATES } from "../../stubs/rates/table.ts";
import { Stack } from "../demo/stack.ts";
import type { Target } from "../load/lane.ts";
import type { FlowHistory } from "./flow.ts";
import { Lines } from "./lines.ts";
import type { Stores } from "./stores.ts";
import type {
  ChaosBroker,
  ChaosLedger,
  ChaosProvider,
  ChaosRates,
  ChaosRedis,
  ChaosRole,
  ChaosSystem,
  Link,
  RoleKind,
} from "./system.ts";
import { RoleVictim } from "./victims.ts";

export interface LiveOptions {
  readonly dir: string;
  readonly stores: Stores;
  readonly seed: number;
  readonly shards: number;
  readonly flow: FlowHistory;
  /** Shares of the provider's misbehaviours. */
  readonly shares: string;
  /** The services and their categories of items. */
  readonly services: Readonly<Record<string, readonly string[]>>;
  readonly proxies: boolean;
  /** The command line client of another release, from which the roles start. */
  readonly cli: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

const CLI = join(import.meta.dir, "..", "..", "cli", "cli.ts");
const COMMAND_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 5_000;

export class LiveSystem implements ChaosSystem {
  readonly roles: readonly RoleVictim[];
  readonly provider: ChaosProvider;
  readonly rates: ChaosRates;
  readonly ledger: ChaosLedger;

  private constructor(
    private readonly options: LiveOptions,
    readonly stack: Stack,
    private readonly lines: Lines,
    ratesFile: string,
  ) {
    this.roles = stack.fleet.roles.map((role) => {
      const log = join(options.dir, "roles", `${role.name}.log`);
      return new RoleVictim(role, log, () => this.readyUrl(role.name, role.url));
    });
    this.provider = providerOf(this.rolesOf("provider")[0] as RoleVictim, options.shares);
    this.rates = { publish: (text) => writeFileSync(ratesFile, text ?? usualRates()) };
    this.ledger = ledgerOf(stack.ledgerUrl, options.stores);
  }

  static async start(
    options: LiveOptions,
    onStack: (stack: Stack) => void = () => undefined,
  ): Promise<LiveSystem> {
    const { dir, stores, seed, shards, shares, services, proxies } = options;
    const ratesFile = join(dir, "rates.json");
    writeFileSync(ratesFile, usualRates());
    const ledgerUrl = await stores.freshLedger(dir);
    const base = { ...stores.local.env, SLUICE_LEDGER_URL: ledgerUrl };
    const lines = await Lines.open(proxies, (kind) => ({
      ...base,
      ...stores.local.roleEnv(kind, Object.keys(services)[0]),
    }));
    const starting = Stack.start({
      dir,
      services,
      onStack,
      stores: stores.local,
      cli: options.cli,
      charging: { shares, seed },
      env: {
        SLUICE_SHARDS: String(shards),
        SLUICE_LEDGER_URL: ledgerUrl,
        SLUICE_RATES_SOURCE: `file:${ratesFile}`,
        SLUICE_RATES_EVERY: "1s",
        ...options.env,
      },
      reroute: (kind, env) => lines.reroute(kind, env),
      rerouteUrl: (line, url) => lines.rerouteUrl(line, url),
    });
    const stack = await starting.catch((error) =>
      lines.close().then(() => Promise.reject<never>(error)),
    );
    return new LiveSystem(options, stack, lines, ratesFile);
  }

  get dir(): string {
    return this.options.dir;
  }

  get shards(): number {
    return this.options.shards;
  }

  get leaseMs(): number {
    return readSettings(this.env).leaseMs;
  }

  get rateMaxAgeMs(): number {
    return readSettings(this.env).rateMaxAgeMs;
  }

  get env(): Readonly<Record<string, string>> {
    return this.stack.env;
  }

  get redis(): ChaosRedis {
    return this.options.stores.redis;
  }

  get brokers(): readonly ChaosBroker[] {
    return this.options.stores.brokers;
  }

  get links(): readonly Link[] {
    return this.lines.links;
  }

  get flow(): FlowHistory {
    return this.options.flow;
  }

  /** Where clients order. */
  targets(): Promise<Target[]> {
    return this.lines.targets(this.stack.gateways);
  }

  rolesOf(kind: RoleKind): readonly RoleVictim[] {
    return this.roles.filter((role) => role.kind === kind);
  }

  async sluice(...words: readonly string[]): Promise<string> {
    const run = Bun.spawn([process.execPath, CLI, ...words], {
      env: { ...process.env, ...this.env },
      stdout: "pipe",
      stderr: "pipe",
      timeout: COMMAND_TIMEOUT_MS,
    });
    const [out, err, code] = await Promise.all([
      new Response(run.stdout).text(),
      new Response(run.stderr).text(),
      run.exited,
    ]);
    if (code !== 0) throw new Error(`sluice ${words.join(" ")}: ${err.trim() || out.trim()}`);
    return out;
  }

  async metric(kind: RoleKind, name: string): Promise<number> {
    const sums = await Promise.all(this.rolesOf(kind).map((role) => this.metricOf(role, name)));
    return sums.reduce((sum, value) => sum + value, 0);
  }

  async metricOf(role: ChaosRole, name: string): Promise<number> {
    const url = role.url || this.announced(role.name);
    const asked = fetch(`${url}/metrics`, {
      signal: realRuntime.abortAfter(ANSWER_TIMEOUT_MS),
    }).then((response) => response.text());
    return sampleSum((await ignore(asked, "not_ready_yet")) ?? "", name);
  }

  /** Every store and every role runs again, whatever a fault has left. */
  async revive(): Promise<void> {
    await this.options.stores.revive();
    for (const role of this.roles) role.resume();
    await Promise.all(this.roles.map((role) => role.start()));
  }

  async stop(): Promise<void> {
    for (const role of this.roles) if (role.state() === "frozen") role.resume();
    await this.stack.stop();
    await this.lines.close();
  }

  private readyUrl(name: string, url: string | undefined): string | undefined {
    const base = url || this.announced(name);
    return base && `${base}/healthz`;
  }

  private announced(name: string): string | undefined {
    const file = join(this.stack.fleet.metricsDir, `${name}.json`);
    if (!existsSync(file)) return undefined;
    const [group] = JSON.parse(readFileSync(file, "utf8") || "[]") as { targets: string[] }[];
    return group && `http://${group.targets[0]}`;
  }
}

function usualRates(): string {
  return JSON.stringify({ base: "EUR", rates: Object.fromEntries(EUR_RATES) });
}

/** The sum of the samples of a metric; `name` may have its first labels: `name{a="b"`. */
function sampleSum(text: string, name: string): number {
  const starts = name.includes("{") ? [name] : [`${name} `, `${name}{`];
  return text
    .split("\n")
    .filter((line) => starts.some((start) => line.startsWith(start)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

function providerOf(role: RoleVictim, usual: string): ChaosProvider {
  const post = async (path: string, body: unknown): Promise<void> => {
    const signal = realRuntime.abortAfter(ANSWER_TIMEOUT_MS);
    const response = await fetch(`${role.url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      signal,
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  };
  const unanswered = async () => {
    const signal = realRuntime.abortAfter(ANSWER_TIMEOUT_MS);
    const response = await fetch(`${role.url}/healthz`, { signal });
    return Number(((await response.json()) as { unanswered: number }).unanswered);
  };
  return Object.assign(role, {
    outage: (on: boolean) => post("/outage", { on }),
    misbehave: (shares = usual) => post("/shares", { shares }),
    unanswered,
  });
}

function ledgerOf(url: string, stores: Stores): ChaosLedger {
  const run = async (statement: string): Promise<readonly Record<string, unknown>[]> => {
    const db = await Db.open(realRuntime, url, ANSWER_TIMEOUT_MS);
    try {
      return await db.run(statement);
    } finally {
      await db.close();
    }
  };
  const count = async (statement: string) => Number((await run(statement))[0]?.n);
  const entries = () => count("SELECT sum(last_n) AS n FROM shards");
  const backup = async (file: string) => {
    await run(`VACUUM INTO '${file}'`);
  };
  if (stores.postgres)
    return { kind: "postgres", url, server: stores.postgres, entries, count, backup };
  return { kind: "sqlite", url, file: url.slice("sqlite:".length), entries, count, backup };
}
