// sluice bench peers: Sluice and the peers in one session, in turns, so that each peer is compared
// with the runs of Sluice just before and after it. Runs on one machine differ by a quarter from
// one hour to the next.
import { measurePeerHttp } from "./http.ts";
import { HTTP_PEERS, loadPeer, type PeerName } from "./list.ts";
import { inAll, type Measured, measurePeer } from "./run.ts";
import { measureSluice, measureSluiceHttp } from "./sluice.ts";

export interface SessionOptions {
  readonly dir: string;
  readonly peers: readonly PeerName[];
  readonly seconds: number;
  readonly http: boolean;
  readonly say: (line: string) => void;
}

export interface Row {
  readonly title: string;
  /** Sluice itself, or a peer. */
  readonly of: "sluice" | "peer";
  readonly kind: "ledger" | "http";
  /** What the peer lacks, beyond what all peers lack. */
  readonly lacks: string;
  readonly measured: Measured;
  /** Sluice's rate over the row's, of the runs around it. */
  readonly sluiceRatio: number;
}

export interface PeersResult {
  readonly at: string;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** A run of the session; those of Sluice with its SQLite ledger are the measure. */
export interface Planned {
  readonly title: string;
  readonly of: Row["of"];
  readonly kind: Row["kind"];
  readonly lacks?: string;
  readonly isMeasure: boolean;
  readonly run: () => Promise<Measured>;
}

/** Peers between two runs of Sluice. */
const PEERS_IN_A_TURN = 2;

/** Puts a run of the measure before, after and between groups of the others. */
export function inTurns(measure: Planned, others: readonly Planned[]): Planned[] {
  const turns: Planned[] = [];
  for (let i = 0; i < others.length; i += PEERS_IN_A_TURN)
    turns.push(measure, ...others.slice(i, i + PEERS_IN_A_TURN));
  return others.length > 0 ? [...turns, measure] : [measure];
}

export async function runInTurns(
  planned: readonly Planned[],
  say: (line: string) => void,
): Promise<Row[]> {
  const done: { readonly run: Planned; readonly measured: Measured }[] = [];
  for (const run of planned) {
    const measured = await run.run();
    const [rate, micros] = [Math.round(measured.ordersPerSecond), inAll(measured.cpuMicros)];
    say(`  ${run.title}: ${rate.toLocaleString("en")}/s, ${micros.toFixed(1)} µs`);
    for (const broken of measured.violations) say(`    broken: ${broken}`);
    done.push({ run, measured });
  }
  return done.map(({ run, measured }, place) => {
    const { title, of, kind, lacks = "" } = run;
    const near = [
      done.slice(0, place).findLast((one) => one.run.isMeasure),
      done.slice(place + 1).find((one) => one.run.isMeasure),
    ].flatMap((one) => (one ? [one.measured.ordersPerSecond] : []));
    const rate = near.reduce((sum, one) => sum + one, 0) / near.length;
    const sluiceRatio = run.isMeasure ? 1 : rate / measured.ordersPerSecond;
    return { title, of, kind, lacks, measured, sluiceRatio };
  });
}

const SLUICE = { title: "Sluice", of: "sluice", isMeasure: true } as const;

/** The runs into the ledger, in turns. Sluice with Postgres stands beside the first peer. */
async function ledgerRuns(options: SessionOptions): Promise<Planned[]> {
  const kind = "ledger";
  const others: Planned[] = [];
  for (const name of options.peers)
    others.push({ ...(await introduced(name)), kind, run: () => measurePeer(name, options) });
  const onPostgres: Planned = {
    ...{ ...SLUICE, title: "Sluice, ledger in Postgres", isMeasure: false, kind },
    run: () => measureSluice("postgres", options),
  };
  others.splice(1, 0, onPostgres);
  return inTurns({ ...SLUICE, kind, run: () => measureSluice("sqlite", options) }, others);
}

/** The runs behind HTTP, in turns. */
async function httpRuns(options: SessionOptions): Promise<Planned[]> {
  const kind = "http";
  const names = options.peers.filter((name) => HTTP_PEERS.includes(name));
  const others: Planned[] = [];
  for (const name of names)
    others.push({ ...(await introduced(name)), kind, run: () => measurePeerHttp(name, options) });
  return inTurns({ ...SLUICE, kind, run: () => measureSluiceHttp(options) }, others);
}

async function introduced(name: PeerName) {
  const { title, lacks } = await loadPeer(name);
  return { title, lacks, of: "peer", isMeasure: false } as const;
}

export async function benchPeers(options: SessionOptions, at: string): Promise<PeersResult> {
  const ledger = await ledgerRuns(options);
  const http = options.http ? await httpRuns(options) : [];
  const rows = await runInTurns(ledger, options.say);
  rows.push(...(await runInTurns(http, options.say)));
  return { at, seconds: options.seconds, rows };
}
