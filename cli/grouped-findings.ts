// Findings as a terminal lists them: roles that are slowed share one line. On a busy machine they
// all are, and would hide what matters more. Pure.
import type { Finding } from "../core/domain/finding.ts";
import { and, countWords } from "../core/domain/finding-words.ts";

/** In their order; the shared line stands where the first of its findings stood. */
export function grouped(findings: readonly Finding[]): Finding[] {
  const slowed = findings.filter(({ code }) => code === "slowed");
  const [first] = slowed;
  if (first === undefined || slowed.length === 1) return [...findings];
  const shared = { ...first, what: wordsOf(slowed), next: nextOf(slowed), sinceMs: since(slowed) };
  return findings.flatMap((finding) => {
    if (finding === first) return [shared];
    return finding.code === "slowed" ? [] : [finding];
  });
}

/** `3 roles are slowed (a, b and c): Redis is slow`; each says `a is slowed: Redis is slow`. */
function wordsOf(slowed: readonly Finding[]): string {
  const ids = and(slowed.map(({ subject }) => subject));
  const whys = and(slowed.map(({ what }) => what.slice(what.indexOf(": ") + 2)));
  return `${countWords(slowed.length, "role")} are slowed (${ids}): ${whys}`;
}

const nextOf = (slowed: readonly Finding[]): string =>
  [...new Set(slowed.map(({ next }) => next))].join("; ");

/** Since when the first of them has been; null if that is not known. */
function since(slowed: readonly Finding[]): number | null {
  const known = slowed.flatMap(({ sinceMs }) => (sinceMs === null ? [] : [sinceMs]));
  return known.length === 0 ? null : Math.min(...known);
}
