// Formats one screen of `sluice top` as lines. Pure.
import { type Figures, gatewaysOf, workersOf } from "../core/domain/figures.ts";
import { ageWords } from "../core/domain/finding-words.ts";
import type { Overview } from "../core/domain/overview.ts";
import type { GatewayReport } from "../core/domain/report.ts";
import { grouped } from "./grouped-findings.ts";

const BAR = 24;
const GAP = "   ";
const MAX_ITEMS = 12;
/** Two lines each; the rest of the screen stays in sight. */
const MAX_FINDINGS = 4;

export function topLines(f: Figures, now: Overview, width: number, colours: boolean): string[] {
  const paint = (code: number, text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  const refused = f.refusedByReason.map(([reason, n]) => `${reason} ${count(n)}`).join(", ");
  const lines = [
    ...verdictLines(now, width, paint),
    "",
    ...flowing(width, [
      ...[`in ${count(f.acceptedPerS)}/s`, `decided ${count(f.decidedPerS)}/s`],
      ...[`paid ${count(f.paidPerS)}/s`, `retries ${count(f.retriesPerS)}/s`],
      `dead letters ${count(f.dead)}`,
    ]),
    `refused ${count(f.refusedPerS)}/s${refused === "" ? "" : ` (${refused})`}`,
    ...flowing(width, [
      `outcome p50 ${time(f.outcomeP50Ms)}  p99 ${time(f.outcomeP99Ms)}`,
      ...[`confirm p99 ${time(f.confirmP99Ms)}`, `pending ${count(f.pending)}`],
      `worst lag ${time(f.worstLagMs)}`,
    ]),
    "",
    `${"item".padEnd(24)} ${"left".padStart(9)} ${"held".padStart(9)} ${"sold".padStart(9)}`,
  ];
  const items = now.sales.flatMap((sale) =>
    sale.items.map((item) => ({
      ...item,
      name: now.sales.length > 1 ? `${sale.id} ${item.sku}` : item.sku,
    })),
  );
  for (const item of items.slice(0, MAX_ITEMS)) {
    const left = Math.round((BAR * (item.available ?? 0)) / Math.max(1, item.total ?? 0));
    const bar = "█".repeat(left) + "░".repeat(BAR - left);
    lines.push(
      `${item.name.slice(0, 24).padEnd(24)} ${count(item.available).padStart(9)} ` +
        `${count(item.held).padStart(9)} ${count(item.sold).padStart(9)}  ${bar}`,
    );
  }
  if (items.length > MAX_ITEMS) lines.push(`… and ${items.length - MAX_ITEMS} more`);
  lines.push("", `${"worker".padEnd(24)} ${"shards".padEnd(17)} pending  state`);
  for (const w of workersOf(now)) {
    const state =
      w.state === "running" ? [w.governor.state, ...w.governor.reasons].join(" ") : w.state;
    const load = w.shards.reduce((sum, s) => sum + s.load, 0);
    const shards = w.shards.map((s) => s.shard).join(" ");
    lines.push(
      `${w.id.slice(0, 24).padEnd(24)} ${shards.padEnd(17)} ${String(load).padStart(7)}  ` +
        paint(state === "running" ? 32 : 33, state),
    );
  }
  lines.push("", `${"gateway".padEnd(24)} ${"admission".padEnd(17)} pending  sockets  broker`);
  for (const g of gatewaysOf(now)) {
    const admission = [g.admission, ...g.reasons].join(" ").padEnd(17);
    const pending = g.shards.reduce((sum, s) => sum + s.pending, 0);
    const shown = paint(g.admission === "open" ? 32 : 33, admission);
    lines.push(
      `${g.id.slice(0, 24).padEnd(24)} ${shown} ${String(pending).padStart(7)}  ` +
        `${String(g.sockets).padStart(7)}  ${g.broker}${elsewhere(g.publishing, g.region)}`,
    );
  }
  return lines.map((line) => cut(line, width));
}

const LEVELS = {
  ok: [32, "All is well"],
  notice: [32, "All is well"],
  warning: [33, "Act soon"],
  trouble: [31, "Trouble"],
} as const;

/** What is wrong, since when, and what to do: the most serious first. */
function verdictLines(
  { verdict: { level, findings: all }, atMs }: Overview,
  width: number,
  paint: (code: number, text: string) => string,
): string[] {
  const findings = grouped(all);
  const shown = findings.slice(0, MAX_FINDINGS).flatMap(({ level: own, what, next, sinceMs }) => {
    const since = sinceMs === null ? "" : ` (for ${ageWords(atMs - sinceMs)})`;
    return [`  ${paint(LEVELS[own][0], what)}${since}`, ...wrapped(next, width)];
  });
  const more = findings.length - MAX_FINDINGS;
  const [code, words] = LEVELS[level];
  return [
    `Sluice   ${paint(code, words)}`,
    ...shown,
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ];
}

/** What to do next is read to its end. */
function wrapped(next: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of next.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(`    → ${word}`);
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`      ${word}`);
  }
  return lines;
}

/** Which orders a gateway publishes in another region. Earlier releases do not report that. */
function elsewhere(publishing: GatewayReport["publishing"] | undefined, home: string): string {
  const to = publishing?.publishesTo ?? home;
  if (to !== home) return `, orders go to ${to}`;
  const shards = publishing?.regions.find((r) => r.region === home)?.queues ?? [];
  return shards.length === 0 ? "" : `, orders of shard ${shards.join(", ")} go elsewhere`;
}

/** Figures in as many lines as the width takes: none is cut off that fits into a line. */
function flowing(width: number, parts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = lines.length === 0 ? part : `${lines.at(-1)}${GAP}${part}`;
    if (lines.length === 0 || longer.length > width) lines.push(part);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/**
 * Cuts a line to `width` characters, not counting colours, the last an ellipsis if more follow, and
 * drops control characters.
 */
function cut(line: string, width: number): string {
  let out = "";
  let shown = 0;
  const pieces = [...line.matchAll(PIECE)].map(([piece]) => piece);
  const isShown = (piece: string) => !piece.startsWith("\x1b[") && !CONTROL.test(piece);
  const length = pieces.filter(isShown).length;
  const most = length <= width ? length : width - 1;
  for (const piece of pieces) {
    if (piece.startsWith("\x1b[")) out += piece;
    else if (isShown(piece) && ++shown <= most) out += piece;
    else if (isShown(piece) && shown === most + 1) out += "…";
  }
  return out;
}

/** One of our colour codes, or a character. */
const PIECE = new RegExp(`${"\x1b"}\\[\\d+m|[^]`, "gu");
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function count(n: number | null): string {
  if (n === null || !Number.isFinite(n)) return "–";
  return n > 0 && n < 10 && n % 1 !== 0 ? n.toFixed(1) : Math.round(n).toLocaleString("en");
}

function time(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}
