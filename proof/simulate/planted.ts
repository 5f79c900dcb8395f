// Faults that can be planted into the code: each breaks one of its rules, as an edit of a source
// file. The simulator has to find every one of them; otherwise it does not guard that rule.

import type { Scenario } from "./profiles.ts";

export interface Edit {
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
}

export interface Planted {
  readonly name: string;
  /** The rule that is broken. */
  readonly breaks: string;
  /** The scenario of the seeds that must find it. */
  readonly scenario: Scenario;
  readonly edits: readonly Edit[];
}

const edit = (file: string, from: string, to: string): Edit => ({ file, from, to });

/** A rebuild opens whatever Redis holds. */
const UNCOUNTED: readonly Edit[] = [
  edit("core/lua/restore.lua", "if loaded ~= args[2 + i] then return { 'lost' } end", ""),
  edit(
    "core/lua/restore.lua",
    "if redis.call('HGET', keys[1], 'loaded_stock') ~= args[2] then return { 'lost' } end",
    "",
  ),
];

export const PLANTED: readonly Planted[] = [
  {
    name: "uncounted-rebuild",
    breaks: "a rebuild opens only what it has counted",
    scenario: "a load loses its tail",
    edits: UNCOUNTED,
  },
  {
    name: "refund-awaited-capture",
    breaks: "a capture that an order still waits for is never refunded as late",
    scenario: "a load loses its tail",
    // Redis knows the attempt unless it has lost it unnoticed: so that must be possible too.
    edits: [
      ...UNCOUNTED,
      edit(
        "ledger/obligations.ts",
        'if (!["failed", "unknown", "unresolved"].includes(status)) return;',
        'if (!["started", "failed", "unknown", "unresolved"].includes(status)) return;',
      ),
      edit(
        "ledger/obligations.ts",
        "function lateCapture(news: News): void {\n  notForgotten(news);",
        "function lateCapture(news: News): void {",
      ),
    ],
  },
  {
    name: "forgotten-unknown",
    breaks: "a charge given up as unknown is looked up until its end is known",
    scenario: "the provider lies",
    edits: [
      edit(
        "ledger/steps.ts",
        'askNext(attempts, sheet, entry, of, "unknown", waitBefore("unknown", sinceMs, ' +
          "entry.atMs));",
        "void sinceMs;",
      ),
    ],
  },
  {
    name: "answers-of-the-dead",
    breaks: "a restarted process takes no answer to its former self",
    scenario: "answers come after a restart",
    edits: [edit("consumers/orders/row-lanes.ts", "rowOptions.runtime.uuid().slice(0, 8)", '"1"')],
  },
  {
    name: "sweeps-when-idle",
    breaks: "sweeps take turns with batches",
    scenario: "anything",
    edits: [
      edit(
        "consumers/orders/decider.ts",
        "this.swept = this.sweeps.due && !(this.swept && this.queue.length > 0);",
        "this.swept = this.sweeps.due && this.queue.length === 0;",
      ),
    ],
  },
  {
    name: "retract-anothers",
    breaks: "a rebuilder withdraws only its own announcement",
    scenario: "a rebuilder stands still",
    edits: [
      edit(
        "core/lua/announce.lua",
        "if not held or string.match(held, ' (.*)$') ~= args[1] then return { 'another' } end",
        "if not held then return { 'another' } end",
      ),
      edit(
        "core/lua/announce.lua",
        "if stands and string.match(held, ' (.*)$') ~= args[2] then return { 'another' } end",
        "",
      ),
    ],
  },
  {
    name: "commit-in-doubt",
    breaks: "every entry of a commit in doubt is recognized by its id",
    scenario: "anything",
    edits: [
      edit(
        "ledger/record.ts",
        "if (entry.n > positionIn(positions, entry).lastN) continue;",
        "if (entry.n !== positionIn(positions, entry).lastN) continue;",
      ),
    ],
  },
  {
    name: "no-dedup",
    breaks: "an order is decided once",
    scenario: "anything",
    edits: [
      edit("core/lua/shared/seen.lua", "if values[i] then seen[fields[i]] = values[i] end", ""),
    ],
  },
  {
    name: "no-stock-check",
    breaks: "an order reserves only units that there are",
    scenario: "anything",
    edits: [edit("core/lua/shared/judge.lua", "if not enough then return 'sold_out' end", "")],
  },
  {
    name: "no-turns",
    breaks: "numbers are decided in their order",
    scenario: "anything",
    edits: [
      edit("core/lua/decide.lua", "if seq > turn.next or turn.parked[seq] then", "if false then"),
    ],
  },
  {
    name: "early-ack",
    breaks: "a message is acknowledged only after the commit",
    scenario: "Redis forgets",
    edits: [
      edit(
        "consumers/orders/decider.ts",
        "    void this.tail.then((recorded) => {\n" +
          '      if (recorded === "stopped" || this.stopped) return; // 3, 5\n' +
          '      work.done(dead === undefined ? "ack" : { kind: "dead", reason: dead });',
        '    work.done(dead === undefined ? "ack" : { kind: "dead", reason: dead });\n' +
          "    void this.tail.then((recorded) => {\n" +
          '      if (recorded === "stopped" || this.stopped) return; // 3, 5',
      ),
    ],
  },
  {
    name: "no-ledger-fence",
    breaks: "the ledger rejects a former owner's entries",
    scenario: "owners change",
    edits: [
      edit("ledger/record.ts", 'if (position.epoch !== epoch) return "fenced";', ""),
      edit(
        "core/lua/shared/shard.lua",
        "if epoch ~= '' and its_epoch ~= epoch then return nil, 'fenced' end",
        "",
      ),
    ],
  },
  {
    name: "no-catch-up",
    breaks: "a new owner records what the former one had decided",
    scenario: "owners change",
    edits: [
      edit(
        "consumers/shards/acquisition.ts",
        "((await mark.check()) ?? (await this.catchUp(mark)))",
        "await mark.check()",
      ),
    ],
  },
  {
    name: "marked-unconfirmed",
    breaks: "a follow-up is marked only after its confirm",
    scenario: "confirms are lost",
    edits: [
      edit(
        "consumers/orders/relay.ts",
        "this.preference.doubt(region);\n      return false; // 2",
        "return true;",
      ),
    ],
  },
  {
    name: "unknown-is-confirmed",
    breaks: "a publish without a confirm is unknown",
    scenario: "confirms are lost",
    edits: [
      edit(
        "broker/publisher.ts",
        'const giveUp = () => entry.settle("unknown");',
        'const giveUp = () => entry.settle("confirmed");',
      ),
      edit(
        "broker/publisher.ts",
        'for (const entry of [...this.inFlight.values()]) entry.settle("unknown"); // 1',
        'for (const entry of [...this.inFlight.values()]) entry.settle("confirmed");',
      ),
    ],
  },
  {
    name: "recorded-in-doubt",
    breaks: "an entry counts as recorded only once the ledger says so",
    scenario: "anything",
    edits: [
      edit(
        "consumers/orders/recorder.ts",
        "        this.unanswered(error);\n",
        "        this.unanswered(error);\n" +
          "        for (const w of this.waiting.splice(0, batch.length)) " +
          'w.settle("recorded");\n',
      ),
    ],
  },
  {
    name: "always-whole",
    breaks: "an owner notices that Redis has lost the ledger's last entry",
    scenario: "Redis forgets",
    edits: [
      edit("core/lua/check.lua", "if base ~= args[2] then return { 'lost' } end", ""),
      edit(
        "core/lua/check.lua",
        "return { 'behind', what_waits(shard) } end\n  return { 'lost' }",
        "return { 'behind', what_waits(shard) } end\n  return { 'whole', what_waits(shard) }",
      ),
      edit(
        "consumers/orders/decider.ts",
        "else if (reply.prev !== this.handed)",
        'else if (reply.prev === "")',
      ),
      edit(
        "core/lua/shared/batch.lua",
        "if tip and tip ~= '' and tip ~= shard.tip then return nil, { 'lost' } end",
        "",
      ),
    ],
  },
  {
    name: "unknown-is-declined",
    breaks: "only the provider can make a charge failed",
    scenario: "anything",
    edits: [
      edit(
        "consumers/payments/turn.ts",
        '      return { word: "failed", detail: answer.reason };\n' +
          "    default:\n" +
          "      return later(answer);\n" +
          "  }\n" +
          "}\n" +
          "\n" +
          "function ofLookUp",
        '      return { word: "failed", detail: answer.reason };\n' +
          "    default:\n" +
          '      return { word: "failed", detail: "no answer" };\n' +
          "  }\n" +
          "}\n" +
          "\n" +
          "function ofLookUp",
      ),
    ],
  },
  {
    name: "any-200-is-captured",
    breaks: "an answer of the provider is believed only if it fits the question",
    scenario: "anything",
    edits: [
      edit(
        "consumers/payments/provider-client.ts",
        'if (status === 200 && confirms(body, "captured", terms)) return { kind: "captured" };',
        'if (status === 200) return { kind: "captured" };',
      ),
    ],
  },
  {
    name: "early-release",
    breaks: "returned units are sold again only after the ledger has their return",
    scenario: "units are sold again",
    edits: [
      edit(
        "core/lua/shared/open.lua",
        "list[i] = (shard.n + 1) .. ' ' .. text",
        "list[i] = '0 ' .. text",
      ),
    ],
  },
  {
    name: "no-limit",
    breaks: "a user reserves no more of an item than its limit",
    scenario: "anything",
    edits: [
      edit(
        "core/lua/shared/judge.lua",
        "if bought and over_limit(items, bought, user, orders, from, to) then return " +
          "'over_limit' end",
        "",
      ),
    ],
  },
  {
    name: "gaps-wait-for-other-regions",
    breaks: "a rush in one region holds up no gap in another",
    scenario: "anything",
    edits: [
      edit(
        "consumers/shards/shard-owner.ts",
        "this.progress.inFlight(consuming.region) > 0",
        "this.load > 0",
      ),
    ],
  },
  {
    name: "cancelled-though-claimed",
    breaks: "a claim and a cancel exclude each other",
    scenario: "anything",
    edits: [edit("core/lua/shared/settle.lua", "if o.parts then return '-claimed' end", "")],
  },
  {
    name: "no-redis-fence",
    breaks: "Redis rejects what a former owner decides",
    scenario: "owners change",
    edits: [
      edit(
        "core/lua/shared/shard.lua",
        "if epoch ~= '' and its_epoch ~= epoch then return nil, 'fenced' end",
        "",
      ),
    ],
  },
  {
    name: "answered-before-confirmed",
    breaks: "a payment request is acknowledged once the broker has its answer",
    scenario: "brokers take nothing",
    edits: [
      edit(
        "consumers/payments/payment-worker.ts",
        'if (done.every(Boolean))\n      settle("ack"); // 1',
        'if (done.length > 0)\n      settle("ack"); // 1',
      ),
    ],
  },
  {
    name: "asked-twice",
    breaks: "an attempt has at most one open request",
    scenario: "the provider lies",
    edits: [
      edit("ledger/ask-again.ts", "SET request = request + 1\n", "SET request = request\n"),
      edit(
        "ledger/ask-again.ts",
        "SET done = 1 WHERE done = 0 AND",
        "SET done = 0 WHERE done = 0 AND",
      ),
    ],
  },
  {
    name: "broken-target-first",
    breaks: "a target that accepts nothing delays no other",
    scenario: "one target queue is broken",
    // A look reads few, so that a small sale has more.
    edits: [
      edit("consumers/orders/relay.ts", "FOLLOW_UPS_AT_ONCE = 100;", "FOLLOW_UPS_AT_ONCE = 2;"),
      edit("consumers/orders/relay.ts", "except: this.paused(), // 4", "except: [],"),
    ],
  },
];
