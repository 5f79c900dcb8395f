// The bursts of faults of one scenario. A burst is one fault, or several that touch different
// parts. All draws of burst n come from the scenario's seed and n.
import { loadavg } from "node:os";
import { messageOf } from "../../core/domain/message-of.ts";
import { prng } from "../../core/runtime/prng.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { apart, between, type Fault, type Injected, oneOf } from "./fault.ts";
import type { LiveSystem } from "./live.ts";
import { needs, ONCE, type ScenarioOptions, type Struck } from "./scenario.ts";
import { settled, within } from "./within.ts";

/** Load before the first fault. */
const WARM_UP_MS = 2_000;
/** The time within which orders must be decided everywhere after a start. */
const FLOW_MS = 120_000;
const PAUSE_MS = [500, 2_500] as const;
/** Faults of one burst begin within this time. */
const SPREAD_MS = 3_000;
const INJECT_MS = 240_000;
const EVIDENCE_MS = 45_000;
const HEAL_MS = 150_000;
/** Flow that is not back after this many times its limit counts as never back. */
const LATE = 4;

interface Drawn {
  readonly fault: Fault;
  readonly delayMs: number;
  readonly random: () => number;
}

/** What is known of a fault once it is healed. */
type Strike = Omit<Struck, "recoveryMs" | "recoveryLimitMs" | "sinceBeginningMs"> & {
  readonly back: Promise<number | undefined>;
};

/** Bursts of faults until the scenario's time is over. */
export class Bursts {
  readonly struck: Struck[] = [];
  /** The load average of the last minute, after each burst. */
  readonly loads: number[] = [];
  private readonly startedMs = realRuntime.monotonicMs();

  constructor(
    private readonly options: ScenarioOptions,
    private readonly system: LiveSystem,
    private readonly errors: string[],
  ) {}

  get seconds(): number {
    return this.sinceMs() / 1_000;
  }

  async run(): Promise<void> {
    const { seconds, seed, stopped = () => false } = this.options;
    await this.warm();
    for (let n = 0; this.errors.length === 0 && !stopped(); n++) {
      const random = prng(Bun.hash.xxHash32(`${this.options.scenario.name} ${n}`, seed));
      const faults = this.draw(random, n);
      if (n > 0 && this.over(n, seconds * 1_000)) return;
      await this.burst(faults, random);
      this.loads.push(loadavg()[0] ?? 0);
      await realRuntime.sleep(between(random, ...PAUSE_MS));
    }
  }

  /** After n bursts. */
  private over(n: number, limitMs: number): boolean {
    const { scenario } = this.options;
    if (scenario.once) return n >= scenario.faults.length;
    return needs(scenario).has(ONCE) || this.sinceMs() > limitMs;
  }

  private sinceMs(): number {
    return realRuntime.monotonicMs() - this.startedMs;
  }

  /** Waits until orders are decided everywhere, before the first fault. */
  private async warm(): Promise<void> {
    const back = await this.flowBack(FLOW_MS);
    if (back === undefined) this.errors.push("no flow before the first fault");
    await realRuntime.sleep(WARM_UP_MS);
  }

  /**
   * The first burst takes its faults in turn, later ones draw them; faults of one burst share no
   * part.
   */
  private draw(random: () => number, n: number): Fault[] {
    const { faults, atOnce } = this.options.scenario;
    const first = n < faults.length ? (faults[n] as Fault) : oneOf(random, faults);
    const drawn = [first];
    const wanted = between(random, 1, atOnce);
    for (let tries = 0; drawn.length < wanted && tries < faults.length * 2; tries++) {
      const next = oneOf(random, faults);
      if (!drawn.includes(next) && drawn.every((fault) => apart(fault, next))) drawn.push(next);
    }
    return drawn;
  }

  private async burst(faults: readonly Fault[], random: () => number): Promise<void> {
    const drawn = faults.map((fault, i) => ({
      fault,
      delayMs: i === 0 ? 0 : between(random, 0, SPREAD_MS),
      random: prng(Math.floor(random() * 2 ** 32)),
    }));
    const over = Promise.withResolvers<void>();
    const struck = await Promise.all(drawn.map((one) => this.strike(one, over.promise)));
    await settled(this.errors, "not everything starts again", this.system.revive(), HEAL_MS);
    const limitMs = Math.max(...faults.map((fault) => fault.recoveryMs));
    const recoveryMs = await this.flowBack(limitMs * LATE);
    if (recoveryMs === undefined) this.errors.push("flow never came back");
    over.resolve();
    for (const { back, ...one } of struck) {
      const sinceBeginningMs = await back;
      const whole = { ...one, sinceBeginningMs, recoveryMs, recoveryLimitMs: limitMs };
      this.struck.push(whole);
      this.options.say(lineOf(whole));
    }
  }

  /** Injects a fault, collects its evidence while it lasts, and heals it. */
  private async strike({ fault, delayMs, random }: Drawn, over: Promise<void>): Promise<Strike> {
    await realRuntime.sleep(delayMs);
    const atMs = this.sinceMs();
    const base = { fault: fault.name, atMs };
    const { injected, failure } = await this.inject(fault, random);
    const back = this.backBefore(over);
    if (!injected)
      return { ...base, detail: "", evidence: undefined, failure, healedMs: this.sinceMs(), back };
    const { detail, measuredMs } = injected;
    const shown = await this.evidenceOf(fault, injected);
    await settled(this.errors, `${fault.name}: healing`, injected.heal(), HEAL_MS);
    const measured = measuredMs === undefined ? {} : { measuredMs: measuredMs() };
    return { ...base, detail, ...shown, ...measured, healedMs: this.sinceMs(), back };
  }

  private async inject(
    fault: Fault,
    random: () => number,
  ): Promise<{ injected?: Injected; failure: string | undefined }> {
    const what = `${fault.name}: injecting`;
    try {
      const injected = await within(fault.inject(this.system, random), INJECT_MS, what);
      return { injected, failure: undefined };
    } catch (error) {
      return { failure: messageOf(error) };
    }
  }

  /** Waits while the fault lasts. Its evidence must exist by then, or a reason why it does not. */
  private async evidenceOf(
    { name }: Fault,
    { evidence, lastsMs }: Injected,
  ): Promise<Pick<Struck, "evidence" | "failure">> {
    const shown = within(evidence(), EVIDENCE_MS, `${name}: evidence`).then(
      (text) => ({ evidence: text, failure: undefined }),
      (error: unknown) => ({ evidence: undefined, failure: messageOf(error) }),
    );
    const [found] = await Promise.all([shown, realRuntime.sleep(lastsMs)]);
    return found;
  }

  /** Ms until orders sent from now on are decided everywhere; undefined if `end` comes first. */
  private async backBefore(end: Promise<void>): Promise<number | undefined> {
    const { flow, stack } = this.system;
    const regions = stack.gateways.map(({ region }) => region);
    const back = await flow.back(regions, end);
    return "ms" in back ? back.ms : undefined;
  }

  private async flowBack(limitMs: number): Promise<number | undefined> {
    const { flow, stack } = this.system;
    const regions = stack.gateways.map(({ region }) => region);
    const waiting = new AbortController();
    const back = await flow.back(regions, realRuntime.sleep(limitMs, waiting.signal));
    waiting.abort();
    if ("ms" in back) return back.ms;
    const answers = JSON.stringify(Object.fromEntries(flow.answers()));
    this.options.say(`no flow within ${limitMs} ms: ${back.missing.join(", ")}; so far ${answers}`);
    return undefined;
  }
}

function lineOf({ fault, detail, evidence, failure, recoveryMs }: Struck): string {
  const end =
    recoveryMs === undefined ? "flow never back" : `flow back ${Math.round(recoveryMs)} ms`;
  const shown = failure === undefined ? evidence : `FAILED: ${failure}`;
  return `${fault}: ${detail}: ${shown}; ${end}`;
}
