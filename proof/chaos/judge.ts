// What a scenario ends with: the system drains, every user reads their orders, and two checkers
// that share no code judge what clients saw.
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { checkHistory, hasGo } from "../checker/run.ts";
import { drain } from "../demo/drain.ts";
import type { HistoryEnd, HistoryFile } from "../history-file.ts";
import { readFinalStates } from "../load/final-reads.ts";
import { type Verdict, verify } from "../verify/verify.ts";
import { openViews, type Views } from "../verify/views.ts";
import type { LiveSystem } from "./live.ts";
import { tellRedrives } from "./redrives.ts";
import { takeBackIn } from "./taken-back.ts";

export interface Judgement {
  readonly drained: boolean;
  readonly drainMs: number;
  readonly verdict: Verdict | undefined;
  /** Violations that the independent checker found, as text; undefined: it did not run. */
  readonly independent: readonly string[] | undefined;
}

export interface Evidence {
  readonly historyPath: string;
  readonly events: HistoryFile;
  readonly users: Iterable<string>;
  /** What the run knows about itself. */
  readonly known: Omit<HistoryEnd, "drained">;
  readonly independent: boolean;
  /** Closes the clients, which receive outcomes until then. */
  readonly closeClients: () => void;
  readonly say: (line: string) => void;
}

const DRAIN_MS = 240_000;

export async function judge(
  system: LiveSystem,
  evidence: Evidence,
  errors: string[],
): Promise<Judgement> {
  const { stack, flow } = system;
  const beganMs = realRuntime.monotonicMs();
  const spentMs = () => realRuntime.monotonicMs() - beganMs;
  let views: Views | undefined;
  try {
    views = await openViews(stack);
    const restedAtMs = await drain(stack.ledgerUrl, views, {
      orders: flow.accepted(),
      timeoutMs: DRAIN_MS,
      quiet: () => stack.providerQuiet(),
    });
    const drained = restedAtMs !== undefined;
    const drainMs = spentMs();
    evidence.closeClients();
    await flow.close();
    await tellRedrives(stack.ledgerUrl, evidence.events);
    await readAll(system, evidence, drained);
    takeBackIn(flow.lost, evidence.historyPath, evidence.events.path);
    evidence.say("verifying");
    const verdict = await verify({
      ledgerUrl: stack.ledgerUrl,
      history: [evidence.historyPath],
      rules: stack.rules,
      ...views,
      provider: () => stack.captures(),
      packed: () => stack.packed(),
    });
    return { drained, drainMs, verdict, independent: await independently(evidence, errors) };
  } catch (error) {
    errors.push(`verify: ${messageOf(error)}`);
    const none = { verdict: undefined, independent: undefined };
    return { drained: false, drainMs: spentMs(), ...none };
  } finally {
    await views?.close();
  }
}

async function readAll(
  { stack }: LiveSystem,
  { events, users, known, independent }: Evidence,
  drained: boolean,
): Promise<void> {
  const { gateways: targets, issuer } = stack;
  if (independent && hasGo()) await readFinalStates({ users, targets, issuer, events });
  events.close({ drained, ...known });
}

async function independently(
  { independent, events }: Evidence,
  errors: string[],
): Promise<readonly string[] | undefined> {
  if (!independent || !hasGo()) return undefined;
  try {
    const { findings } = await checkHistory([events.path]);
    return findings.map(({ invariant, what, who }) => `${invariant}: ${what} (${who})`);
  } catch (error) {
    errors.push(`the independent checker: ${messageOf(error)}`);
    return undefined;
  }
}
