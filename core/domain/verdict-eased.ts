// Workers, payment workers and services that are paused or slowed down. If all roles of a kind are
// paused, no other does their work.
import { and, KIND_WORDS } from "./finding-words.ts";
import { reliefWords, signalWords } from "./reason-words.ts";
import type { GovernorReport, RoleReport } from "./report.ts";
import type { Facts, Seen } from "./seen.ts";

type Eased = Extract<RoleReport, { governor: GovernorReport }>;

export function eased({ roles: all }: Facts): Seen[] {
  const seen: Seen[] = [];
  const byWork = new Map<string, Eased[]>();
  for (const role of all)
    if ("governor" in role) {
      const work = role.kind === "fulfil" ? `service '${role.service}'` : KIND_WORDS[role.kind];
      byWork.set(work, [...(byWork.get(work) ?? []), role]);
    }
  for (const [work, those] of byWork) {
    if (those.every(isPaused))
      seen.push({
        code: "all_paused",
        subject: work,
        what: allWords(work, those),
        ...nextOf(those),
      });
    else seen.push(...those.flatMap(one));
  }
  return seen;
}

const isPaused = ({ governor }: Eased) => governor.state === "paused";

function one(role: Eased): Seen[] {
  const { id, governor } = role;
  if (governor.state === "running") return [];
  const about = { subject: id, what: `${id} is ${governor.state}: ${whyOf(role)}` };
  return [{ ...about, code: isPaused(role) ? "worker_paused" : "slowed", ...nextOf([role]) }];
}

function allWords(work: string, those: readonly Eased[]): string {
  const ids = and(those.map(({ id }) => id));
  const who = those.length === 1 ? `the only ${work}, ${ids},` : `every ${work}, ${ids},`;
  const why = those.flatMap(({ governor }) => signalWords(governor));
  return `${who} is paused: ${why.length === 0 ? "recovering" : and(why)}`;
}

function whyOf({ governor }: Eased): string {
  return governor.reasons.length === 0 ? "recovering" : and(signalWords(governor));
}

/** By the reasons; without one that is known, the table's. */
function nextOf(those: readonly Eased[]): { readonly next?: string } {
  const byHand = those.filter(({ governor }) => governor.reasons.includes("operator"));
  const resume = byHand.map(({ id }) => `'sluice workers resume ${id}'`);
  const relief = those.flatMap(({ governor }) => reliefWords(governor));
  if (relief.length === 0) return resume.length === 0 ? {} : { next: and(resume) };
  return { next: `${and([...resume, ...relief])}; then it resumes on its own` };
}
