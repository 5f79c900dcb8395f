// The rush: distributes the plan's steps among WebSocket services and HTTP users at every gateway,
// runs them concurrently, and waits until every step has its answer.
import { at } from "../../core/domain/at.ts";
import type { HistoryWriter } from "../history.ts";
import type { HistoryFile } from "../history-file.ts";
import { runHttpLane } from "./http-lane.ts";
import type { Tally, Target } from "./lane.ts";
import { OpenLoop } from "./open-loop.ts";
import type { Plan, Step } from "./plan.ts";
import { mintToken, type TokenIssuer } from "./tokens.ts";
import { WsLane } from "./ws-lane.ts";

export interface RushOptions {
  readonly plan: Plan;
  readonly targets: readonly Target[];
  readonly issuer: TokenIssuer;
  readonly history: HistoryWriter;
  /** For the independent checker. */
  readonly events?: HistoryFile;
  readonly tally: Tally;
  /** Open loop: steps a second, in the plan's order. Without it, as fast as there are answers. */
  readonly perSecond?: number | undefined;
}

/** WebSockets per gateway, and HTTP requests in flight per gateway. */
const SOCKETS = 3;
const HTTP_CONCURRENCY = 48;
/** One in this many users comes by HTTP. */
const HTTP_ONE_IN = 10;

export interface Rush {
  /** Resolves when every step has its answer. */
  readonly answered: Promise<void>;
  /** Open loop only: sends nothing new; `answered` resolves once all that was sent is settled. */
  stop(): void;
  /** Closes the sockets, which receive outcomes until then. */
  close(): void;
}

export async function startRush(options: RushOptions): Promise<Rush> {
  const { plan, targets, issuer, history, events, tally, perSecond } = options;
  const shares = share(plan.steps, targets.length);
  const service = `Bearer ${await mintToken(issuer, "rush-service", "service")}`;
  const tokens = await userTokens(shares, issuer);
  const saleId = plan.sale.id;
  const openLoop = perSecond === undefined ? undefined : new OpenLoop(plan.steps, perSecond);
  const sockets = targets.flatMap((target, t) =>
    at(shares, t).sockets.map((steps, i) => {
      return new WsLane({
        saleId,
        history,
        events,
        tally,
        openLoop,
        name: `ws-${target.region}-${i}`,
        target,
        steps,
        authorization: service,
      });
    }),
  );
  const crowds = targets.map((target, t) => {
    const authorization = (user: string) => tokens.get(user) as string;
    const { http: steps } = at(shares, t);
    return runHttpLane({
      saleId,
      history,
      events,
      tally,
      openLoop,
      name: `http-${target.region}`,
      target,
      steps,
      authorization,
      concurrency: HTTP_CONCURRENCY,
    });
  });
  const answered = Promise.all([...sockets.map((socket) => socket.run()), ...crowds]).then(
    () => undefined,
  );
  return {
    answered,
    stop: () => openLoop?.stop(),
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

interface Share {
  readonly http: Step[];
  readonly sockets: Step[][];
}

/** Each user has one protocol and one home gateway; copies sent away go to the next gateway. */
function share(steps: readonly Step[], targets: number): Share[] {
  const shares = Array.from({ length: targets }, () => ({
    http: [] as Step[],
    sockets: Array.from({ length: SOCKETS }, () => [] as Step[]),
  }));
  for (const step of steps) {
    const hash = Bun.hash.crc32(userOf(step));
    const { http, sockets } = at(shares, (hash + (step.away ? 1 : 0)) % targets);
    const far = Math.floor(hash / 1_024);
    if (far % HTTP_ONE_IN === 0) http.push(step);
    else sockets[far % SOCKETS]?.push(step);
  }
  return shares;
}

async function userTokens(
  shares: readonly Share[],
  issuer: TokenIssuer,
): Promise<Map<string, string>> {
  const users = new Set(shares.flatMap((s) => s.http.map(userOf)));
  const pairs = await Promise.all(
    [...users].map(async (user) => [user, `Bearer ${await mintToken(issuer, user)}`] as const),
  );
  return new Map(pairs);
}

export function userOf(step: Step): string {
  return step.kind === "skip" ? step.user : step.order.user;
}
