// Journals of simulated runs: real workers, the real Lua and the real ledger, with faults. That of
// a demo's processes is judged by test/demo.test.ts.
import { afterAll, expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type JournalEntry, LedgerAudit } from "../../ledger/audit.ts";
import type { Scenario } from "../simulate/profiles.ts";
import { openRig, type Rig } from "../simulate/rig.ts";
import { drawSchedule } from "../simulate/schedule.ts";
import { simulate } from "../simulate/simulation.ts";
import {
  itemsOf,
  type Journal,
  judgeJournal,
  loadJournalSpec,
  readJournal,
  salesOf,
} from "./journal.ts";
import { QuintCalls, valueIn } from "./quint.ts";
import { EntryNumbers, recordedOf } from "./recorded.ts";
import type { Spec } from "./spec.ts";
import { fieldOf, QuintMap, textOf, type Value } from "./values.ts";

/** Parsing the specification takes seconds, and on a busy machine a minute. */
const SLOW_MS = 300_000;
let rig: Rig | undefined;
let spec: Spec | undefined;
const loaded = (): Spec => {
  spec ??= loadJournalSpec();
  return spec;
};
afterAll(() => rig?.close());

/** What a simulation leaves in its ledger. */
async function journalOf(seed: number, scenario: Scenario): Promise<Journal> {
  let journal: Journal | undefined;
  await simulate(drawSchedule(seed, scenario), {
    open: async (scheduler, schedule) => {
      rig ??= await openRig();
      const world = await rig.open(scheduler, schedule);
      const close = world.close.bind(world);
      world.close = async () => {
        journal = await readJournal(await LedgerAudit.open(realRuntime, world.sight.db));
        await close();
      };
      return world;
    },
  });
  if (!journal) throw new Error("the simulation has left no journal");
  return journal;
}

type Call = (...args: Value[]) => Value;
/** Quint takes a good tenth of a second for an entry. */
const QUINT_ENTRIES = 12;

const wordsOf = ({ shards }: Journal) =>
  new Set(
    [...shards.values()]
      .flat()
      .flatMap(({ kind, messages }) => [
        kind,
        ...messages.flatMap(({ outcomes }) => outcomes.split(",").map((word) => word.slice(0, 99))),
      ]),
  );

const RUNS: readonly (readonly [Scenario, number])[] = [
  ["units come back", 10],
  ["Redis forgets", 11],
  ["Redis suffers while it is loaded", 29],
  ["owners change", 24],
  ["services crash", 16],
  ["the provider lies", 8],
];

test(
  "the specification allows the journals of simulated runs",
  async () => {
    const seen = new Set<string>();
    for (const [scenario, seed] of RUNS) {
      const journal = await journalOf(seed, scenario);
      const { flaw } = judgeJournal(loaded(), journal);
      expect([scenario, seed, flaw]).toEqual([scenario, seed, undefined]);
      for (const word of wordsOf(journal)) seen.add(word);
    }
    for (const word of [
      ...["reserved", "sold_out", "over_limit", "parked", "skipped", "cancelled", "!sold_out"],
      ...["+paid", "+retry", "+late", "+cancelled", "+cancel_pending", "+claimed", "+dispatched"],
      ...["decide", "unpark", "reprice"],
    ])
      expect(seen).toContain(word);
  },
  SLOW_MS,
);

/** A journal in which one entry was replaced by these. */
function altered(
  { shards, ...rest }: Journal,
  at: JournalEntry,
  ...by: readonly JournalEntry[]
): Journal {
  const all = [...shards].map(([shard, entries]): [number, JournalEntry[]] => [
    shard,
    entries.flatMap((entry) => (entry === at ? by : [entry])),
  ]);
  return { ...rest, shards: new Map(all) };
}

/** The entry, with one word of its outcomes changed. */
const otherwise = (entry: JournalEntry, from: RegExp, to: string): JournalEntry => ({
  ...entry,
  messages: entry.messages.map((m) => ({ ...m, outcomes: m.outcomes.replace(from, to) })),
});

/** Another entry's content in the place of this one; the chain stays whole. */
const inPlaceOf = (
  { n, id, prev, epoch, atMs, shard }: JournalEntry,
  other: JournalEntry,
): JournalEntry => ({ ...other, n, id, prev, epoch, atMs, shard });

const RESERVED = /(?<=^|,)reserved/;
const PAID = /\+paid/;
const has = (word: RegExp) => (entry: JournalEntry) =>
  entry.messages.some(({ outcomes }) => word.test(outcomes));

test(
  "it allows no altered journal, and names the entry",
  async () => {
    const isEnough = ({ shards }: Journal) =>
      [...shards.values()].some(
        (all) => all.length > 8 && all.every(({ epoch }) => epoch === all[0]?.epoch),
      ) && [...shards.values()].flat().some(has(PAID));
    let journal = await journalOf(10, "units come back");
    for (let seed = 11; !isEnough(journal) && seed < 40; seed++)
      journal = await journalOf(seed, "units come back");
    const entries = [...journal.shards.values()].flat();
    const entryWith = (is: (entry: JournalEntry, i: number) => boolean): JournalEntry => {
      const found = entries.find(is);
      if (!found) throw new Error("the journal has no such entry");
      return found;
    };
    const after = ({ shard, n }: JournalEntry, by = 1) =>
      entryWith((entry) => entry.shard === shard && entry.n === n + by);
    const third = entryWith(({ n, shard, epoch }, i) => {
      const next = entries[i + 1];
      return n >= 3 && next?.shard === shard && next.epoch === epoch;
    });
    const fourth = after(third);
    const reserves = entryWith(has(RESERVED));
    const paidIn = ({ messages }: JournalEntry) => {
      const answers = messages.find(({ outcomes }) => PAID.test(outcomes));
      const { order: named } = JSON.parse(answers?.body ?? "{}") as { order: string[] };
      return named[answers?.outcomes.split(",").indexOf("+paid") ?? 0] ?? "";
    };
    const pairs = entries.filter(has(PAID)).flatMap((to) =>
      entries
        .filter(({ shard, n }) => shard === to.shard && n < to.n)
        .filter(({ messages }) =>
          messages.some((m) => RESERVED.test(m.outcomes) && m.body.includes(paidIn(to))),
        )
        .map((from) => [from, to] as const),
    );
    const [[bought, pays]] = pairs as [readonly [JournalEntry, JournalEntry]];
    const last = journal.shards.get(third.shard)?.at(-1) as JournalEntry;
    const swap = altered(altered(journal, third, { ...fourth }), fourth, { ...third });
    /** Each false entry, and the entry at which it shows. */
    const lies: Record<string, readonly [Journal, JournalEntry | undefined]> = {
      "two entries changed places": [swap, fourth],
      "an order was paid in the place where it was reserved": [
        altered(altered(journal, bought, inPlaceOf(bought, pays)), pays, inPlaceOf(pays, bought)),
        bought,
      ],
      "an entry is missing": [altered(journal, third), fourth],
      "the last entry is missing": [altered(journal, last), undefined],
      "an entry is there twice": [altered(journal, third, third, third), third],
      "an entry names another before it": [
        altered(journal, fourth, { ...fourth, prev: "genesis" }),
        fourth,
      ],
      "an epoch fell": [altered(journal, fourth, { ...fourth, epoch: third.epoch - 1 }), fourth],
      "an epoch rose too early": [
        altered(journal, third, { ...third, epoch: third.epoch + 1 }),
        fourth,
      ],
      "an epoch was never issued": [altered(journal, last, { ...last, epoch: 99 }), undefined],
      "an order sold out": [
        altered(journal, reserves, otherwise(reserves, RESERVED, "sold_out")),
        reserves,
      ],
      "an order was parked in its turn": [
        altered(journal, reserves, otherwise(reserves, RESERVED, "parked")),
        reserves,
      ],
      "an order was there before": [
        altered(journal, reserves, otherwise(reserves, RESERVED, "=reserved")),
        reserves,
      ],
      "a payment failed": [altered(journal, pays, otherwise(pays, PAID, "+payment_failed")), pays],
      "what followed is left out": [altered(journal, pays, { ...pays, steps: "[]" }), pays],
    };
    expect(judgeJournal(loaded(), journal).flaw).toBeUndefined();
    for (const [lie, [told, at]] of Object.entries(lies)) {
      const { flaw = "allowed" } = judgeJournal(loaded(), told);
      const where = at ? `shard ${at.shard}, entry ${at.n} (${at.id}): ` : "it does not end where";
      expect([lie, flaw]).toEqual([lie, expect.stringContaining(where)]);
      if (process.env.SHOW_FLAWS) console.log(lie, "|", flaw);
    }
  },
  SLOW_MS,
);

test(
  "Quint's own evaluator comes to the same state",
  async () => {
    const { shards, items, sales } = await journalOf(11, "Redis forgets");
    const [entries = []] = [...shards.values()];
    const quint = new QuintCalls(loaded());
    const ours = loaded().call as Record<"newUnits" | "newShard" | "acceptEntry", Call>;
    const terms = [itemsOf({ items }), salesOf({ sales, operations: [] }), false] as const;
    let theirs = quint.call("newShard", quint.call("newUnits", ...terms));
    let check = ours.newShard(ours.newUnits(...terms));
    const numbers = new EntryNumbers();
    for (const entry of entries.slice(0, QUINT_ENTRIES)) {
      const { value } = recordedOf(entry, numbers);
      theirs = quint.call("acceptEntry", theirs, value, QuintMap.of([]));
      check = ours.acceptEntry(check, value, QuintMap.of([]));
      expect(textOf(valueIn(theirs))).toBe(textOf(check));
      expect(fieldOf(check, "flaw")).toBe("");
    }
    const [first] = entries as [JournalEntry];
    const again = recordedOf(first, numbers).value;
    const refused = valueIn(quint.call("acceptEntry", theirs, again, QuintMap.of([])));
    expect(fieldOf(refused, "flaw")).toBe("its owner had lost the shard");
    expect(textOf(refused)).toBe(textOf(ours.acceptEntry(check, again, QuintMap.of([]))));
  },
  SLOW_MS,
);
