// The power cut: a real run is killed, the tails of Redis's file and of SQLite's WAL are cut off at
// every byte, and the system continues from what is left.
//
//   1. the real Redis and the real SQLite load what is left after each byte; most bytes lead to the
//      same few states, since both keep whole transactions only
//   2. a real worker recovers from pairs of these states
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { at } from "../../../core/domain/at.ts";
import { prng } from "../../../core/runtime/prng.ts";
import {
  type Ending,
  fileSize,
  incrementOf,
  keptOfAof,
  ledgerState,
  putAof,
  putLedger,
  walOf,
  zeroBytes,
} from "./files.ts";
import { type Cut, type Recovered, recover, type Starters } from "./recover.ts";
import { makeScene, type Scene, type SceneOptions } from "./scene.ts";

export interface PowerCutOptions extends SceneOptions {
  readonly starters: Starters;
  /** For this many bytes at the end of each file, a cut is made at every one. */
  readonly lastBytes: { readonly aof: number; readonly wal: number };
  /** The number of cuts, evenly spread, in the rest of each tail. */
  readonly spread: { readonly aof: number; readonly wal: number };
  /** Pairs of states to recover from. */
  readonly recoveries: number;
  readonly say: (line: string) => void;
}

export interface PowerCutReport {
  readonly accepted: number;
  readonly queued: number;
  readonly tail: { readonly aof: number; readonly wal: number };
  readonly loads: { readonly aof: number; readonly wal: number };
  readonly states: { readonly aof: number; readonly wal: number };
  /** Files that end with zeros, which Redis refuses to load. */
  readonly refused: number;
  readonly recovered: readonly Recovered[];
  readonly problems: readonly string[];
}

/** A WAL begins with a header; each frame is a header and a page. */
const WAL_HEADER = 32;
const FRAME = 24 + 4_096;
const ZEROS = 512;
/** Loads between two lines of progress. */
const PROGRESS = 1_000;

export async function powerCut(options: PowerCutOptions): Promise<PowerCutReport> {
  const { say } = options;
  const scene = await makeScene(options);
  const { left, aofFrom, walFrom, accepted, messages } = scene;
  const sizes = { aof: fileSize(incrementOf(left)), wal: fileSize(walOf(left)) };
  const tail = { aof: sizes.aof - aofFrom, wal: sizes.wal - walFrom };
  say(
    `${accepted} orders accepted, ${messages.length} messages queued at the cut; ` +
      `tails: ${tail.aof} bytes of Redis's file, ${tail.wal} of the WAL`,
  );
  const problems: string[] = [];
  const { lastBytes, spread } = options;
  const aofCuts = cutsIn(aofFrom, sizes.aof, lastBytes.aof, spread.aof);
  const walCuts = cutsIn(walFrom, sizes.wal, lastBytes.wal, spread.wal);
  const aof = await aofStates(options, left, aofCuts, problems);
  say(`Redis loaded its file ${aofCuts.length} times: ${aof.size} states`);
  const wal = await walStates(options, left, walCuts, problems);
  say(`SQLite recovered ${walCuts.length} times: ${wal.size} states`);
  const refused = await tornFiles(options.dir, left, sizes, new Set(wal.keys()), problems);
  const pairs = choose([...aof.values()], [...wal.values()], options);
  const recovered = await recoverAll(scene, pairs, options);
  for (const { cut, problems: found } of recovered)
    problems.push(...found.map((text) => `${JSON.stringify(cut)}: ${text}`));
  return {
    ...{ accepted, queued: messages.length, tail, refused, recovered, problems },
    loads: { aof: aofCuts.length, wal: walCuts.length },
    states: { aof: aof.size, wal: wal.size },
  };
}

/** Lengths of the file to try, longest first: every one near the end, some of the others. */
function cutsIn(from: number, size: number, last: number, spread: number): number[] {
  const near = Math.max(from, size - last);
  const cuts: number[] = [];
  for (let bytes = size; bytes >= near; bytes--) cuts.push(bytes);
  for (let i = spread; i > 0; i--) cuts.push(from + Math.floor(((near - from) * (i - 1)) / spread));
  return [...new Set(cuts)];
}

/** 1: the states of Redis by how much of the file it keeps. */
async function aofStates(
  { dir, say }: PowerCutOptions,
  left: string,
  cuts: readonly number[],
  problems: string[],
): Promise<Map<number, Ending>> {
  const states = new Map<number, Ending>();
  for (const [i, bytes] of cuts.entries()) {
    if (i > 0 && i % PROGRESS === 0) say(`Redis's file cut off ${i} of ${cuts.length} times`);
    const place = join(dir, "load");
    putAof(left, place, { bytes });
    const kept = await keptOfAof(place);
    rmSync(place, { recursive: true });
    if (kept === undefined) problems.push(`Redis refuses its file cut off after byte ${bytes}`);
    else if (kept > bytes) problems.push(`Redis keeps ${kept} of ${bytes} bytes`);
    else if (!states.has(kept)) states.set(kept, { bytes });
  }
  return states;
}

/** 1: a commit is there as soon as its last frame is whole, and not a byte sooner. */
async function walStates(
  { dir, say }: PowerCutOptions,
  left: string,
  cuts: readonly number[],
  problems: string[],
): Promise<Map<string, Ending>> {
  const states = new Map<string, Ending>();
  const byFrames = new Map<number, string>();
  for (const [i, bytes] of cuts.entries()) {
    if (i > 0 && i % PROGRESS === 0) say(`the WAL cut off ${i} of ${cuts.length} times`);
    const { key, health } = await stateAfter(dir, left, { bytes });
    if (health !== "ok") problems.push(`the WAL cut off after byte ${bytes}: ${health}`);
    const frames = Math.floor((bytes - WAL_HEADER) / FRAME);
    const same = byFrames.get(frames) ?? key;
    if (same !== key) problems.push(`two states of SQLite with ${frames} whole frames`);
    byFrames.set(frames, same);
    if (!states.has(key)) states.set(key, { bytes });
  }
  return states;
}

async function stateAfter(dir: string, left: string, ending: Ending, zeroFrom?: number) {
  const place = join(dir, "load");
  putLedger(left, place, ending);
  if (zeroFrom !== undefined) zeroBytes(walOf(place), zeroFrom, ZEROS);
  const state = await ledgerState(place);
  rmSync(place, { recursive: true });
  return state;
}

/**
 * Torn pages: zeros at the end of each file, and in the middle of the WAL's last frames. SQLite
 * recovers to a state between two commits. Redis refuses; its operator deletes the file. Returns
 * how often it refused.
 */
async function tornFiles(
  dir: string,
  left: string,
  sizes: { readonly aof: number; readonly wal: number },
  known: ReadonlySet<string>,
  problems: string[],
): Promise<number> {
  const judge = ({ key, health }: Awaited<ReturnType<typeof stateAfter>>, what: string) => {
    if (health !== "ok") problems.push(`${what}: ${health}`);
    if (!known.has(key)) problems.push(`${what}: not a state between two commits`);
  };
  for (const back of [1, 2]) {
    const bytes = sizes.wal - back * FRAME + 1_000;
    const zeros = sizes.wal - bytes;
    judge(await stateAfter(dir, left, { bytes, zeros }), `the WAL with ${zeros} zeros at its end`);
    const torn = await stateAfter(dir, left, { bytes: sizes.wal }, sizes.wal - back * FRAME + 500);
    judge(torn, `the WAL with zeros in its last frame but ${back - 1}`);
  }
  let refused = 0;
  for (const zeros of [1, ZEROS, 4_096]) {
    const place = join(dir, "load");
    putAof(left, place, { bytes: sizes.aof - 7, zeros });
    if ((await keptOfAof(place)) === undefined) refused++;
    rmSync(place, { recursive: true });
  }
  return refused;
}

/** Whole files, each file at its shortest, and a lost one; then pairs as the seed draws them. */
function choose(
  aof: readonly Ending[],
  wal: readonly Ending[],
  { seed, recoveries }: PowerCutOptions,
): Cut[] {
  const last = <T>(list: readonly T[]) => at(list, list.length - 1);
  const cuts: Cut[] = [
    { aof: at(aof, 0), wal: last(wal) },
    { aof: last(aof), wal: at(wal, 0) },
    { aof: last(aof), wal: last(wal) },
    { aof: "lost", wal: at(wal, Math.floor(wal.length / 2)) },
    { aof: at(aof, 0), wal: at(wal, 0) },
  ];
  const random = prng(seed);
  const draw = <T>(list: readonly T[]) => at(list, Math.floor(random() * list.length));
  while (cuts.length < recoveries) cuts.push({ aof: draw(aof), wal: draw(wal) });
  return cuts.slice(0, recoveries);
}

async function recoverAll(
  scene: Scene,
  cuts: readonly Cut[],
  { dir, starters, say }: PowerCutOptions,
): Promise<Recovered[]> {
  const recovered: Recovered[] = [];
  for (const cut of cuts) {
    const place = join(dir, `recovery-${recovered.length + 1}`);
    mkdirSync(place);
    const result = await recover(scene, cut, starters, place);
    recovered.push(result);
    const { outcome, ms, problems } = result;
    say(`${JSON.stringify(cut)}: ${outcome} in ${ms} ms${problems.map((p) => `; ${p}`).join("")}`);
    if (problems.length === 0) rmSync(place, { recursive: true });
  }
  return recovered;
}
