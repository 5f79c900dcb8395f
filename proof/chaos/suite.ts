// Runs scenarios one after the other. Their stores are started once and emptied in between; after a
// scenario that failed they are started again, and its folder is kept.
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../core/domain/message-of.ts";
import { ended } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { failuresOf } from "./report.ts";
import { PROCESSING, runScenario, type ScenarioResult, SHARDS } from "./runner.ts";
import { needs, type Scenario } from "./scenario.ts";
import { Stores } from "./stores.ts";

export interface SuiteOptions {
  readonly scenarios: readonly Scenario[];
  readonly dir: string;
  readonly seed: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly say: (line: string) => void;
  readonly onResult: (result: ScenarioResult) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: yes, where Go is available. */
  readonly independent?: boolean;
  /** For tests: what runs the roles instead of this release. */
  readonly cli?: string;
}

export class Suite {
  private stores: Stores | undefined;
  private layout = "";
  private started = 0;
  private stopped = false;
  private system: { stop(): Promise<void> } | undefined;

  constructor(private readonly options: SuiteOptions) {
    chmodSync(options.dir, 0o755); // Postgres runs as another user and must be able to enter
  }

  async run(): Promise<ScenarioResult[]> {
    const results: ScenarioResult[] = [];
    try {
      for (const scenario of this.inOrder()) {
        if (this.stopped) break;
        const result = await this.one(scenario);
        results.push(result);
        this.options.onResult(result);
        await this.afterwards(result);
      }
    } finally {
      await this.stores?.stop();
    }
    return results;
  }

  /** Ends after the burst that is under way; it is healed and verified as any other. */
  stop(): void {
    this.stopped = true;
  }

  /** Starts nothing again from now on, so that ended processes stay ended. */
  abandon(): void {
    this.stopped = true;
    if (this.system) void ended(this.system.stop());
  }

  /** Those with the same stores follow each other. */
  private inOrder(): Scenario[] {
    const kinds = [...new Set(this.options.scenarios.map(layoutOf))];
    return kinds.flatMap((kind) => this.options.scenarios.filter((s) => layoutOf(s) === kind));
  }

  private async one(scenario: Scenario): Promise<ScenarioResult> {
    const { dir, seed, seconds, perSecond, say, env, cli, independent } = this.options;
    say(`${scenario.name}: starting`);
    try {
      const stores = await this.storesFor(scenario);
      return await runScenario({
        ...{ scenario, stores, dir, seed, seconds, perSecond, say, cli, independent },
        ...(env ? { env } : {}),
        stopped: () => this.stopped,
        onSystem: (system) => {
          this.system = system;
        },
      });
    } catch (error) {
      const none = { struck: [], seconds: 0, accepted: 0, answers: {}, drained: false, drainMs: 0 };
      const unjudged = { verdict: undefined, independent: undefined };
      const errors = [messageOf(error)];
      const place = join(dir, scenario.name);
      const startedAt = new Date(realRuntime.wallMs()).toISOString();
      const base = { name: scenario.name, seed, perSecond, dir: place, startedAt };
      return { ...base, load: { mean: 0, most: 0 }, ...none, ...unjudged, errors };
    }
  }

  private async storesFor(scenario: Scenario): Promise<Stores> {
    if (this.layout !== layoutOf(scenario)) await this.endStores();
    this.layout = layoutOf(scenario);
    const dir = join(this.options.dir, `stores-${this.started}`);
    if (!this.stores) {
      mkdirSync(dir, { recursive: true });
      this.started++;
    }
    const kinds = { ledger: ledgerOf(scenario), brokers: brokersOf(scenario) };
    this.stores ??= await Stores.start({ dir, ...kinds, processing: PROCESSING });
    return this.stores;
  }

  private async afterwards(result: ScenarioResult): Promise<void> {
    const passed = failuresOf(result).length === 0;
    if (passed) rmSync(result.dir, { recursive: true, force: true });
    try {
      if (passed) await this.stores?.empty(SHARDS);
      else await this.endStores();
    } catch (error) {
      this.options.say(`the stores could not be emptied: ${messageOf(error)}`);
      await this.endStores();
    }
  }

  private async endStores(): Promise<void> {
    await this.stores?.stop();
    this.stores = undefined;
  }
}

function ledgerOf(scenario: Scenario): "sqlite" | "postgres" {
  return scenario.ledger ?? (needs(scenario).has("postgres") ? "postgres" : "sqlite");
}

function brokersOf(scenario: Scenario): "separate" | "cluster" {
  return needs(scenario).has("cluster") ? "cluster" : "separate";
}

function layoutOf(scenario: Scenario): string {
  return `${ledgerOf(scenario)} ${brokersOf(scenario)}`;
}
