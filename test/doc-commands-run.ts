// Which test runs each command of the documents, and why some are run by none. A rule covers the
// commands that contain its words, the first one at the start. The rule with most words decides.
import type { DocCommand } from "./doc-commands.ts";

export interface Run {
  readonly command: string;
  readonly file: string;
  /** A part of the test's text. */
  readonly words: string;
}

export interface NotRun {
  readonly command: string;
  readonly why: string;
}

/** The blocks ```sh up of these pages are run as they are beside a `sluice up` (up.test.ts). */
export const UP_PAGES: readonly string[] = ["README.md", "docs/fulfilment.md"];
/** Likewise, but they take longer: `./sluice test tutorial` (tutorial.long.test.ts). */
export const LONG_PAGES: readonly string[] = ["docs/websocket.md", "docs/tutorial/first-sale.md"];
const RUN_PAGES = [...UP_PAGES, ...LONG_PAGES];

/** Pages whose commands have one reason, or one test, in common. */
export const WHOLE_PAGES: Readonly<Record<string, string>> = {
  "docs/reference/cli.md": "the commands' own examples; cli/program.test.ts parses each",
  "docs/howto/compose.md": "no container engine; test/deploy.test.ts runs it against processes",
  "docs/howto/kubernetes.md": "no cluster in CI; test/chart.test.ts renders and checks the chart",
  "deploy/README.md": "no container engine, no systemd; tests check the files it names",
};

const by = (file: string, words: string, ...commands: readonly string[]): readonly Run[] =>
  commands.map((command) => ({ command, file, words }));
const not = (why: string, ...commands: readonly string[]): readonly NotRun[] =>
  commands.map((command) => ({ command, why }));

const BUN = "node_modules/.bin/bun";
const STUB = "http://127.0.0.1:8090";
const STUB_KEY = "ann%2F019a2b3c-4d5e-7f60-8123-456789abcdef%2F1%2F1";
const BY_PAGES = ["test/up.test.ts", "for (const page of UP_PAGES)"] as const;

export const RUN: readonly Run[] = [
  ...by("test/demo.test.ts", 'CLI, "demo"', "sluice demo"),
  ...by(
    "test/up.test.ts",
    'await up(dir, ENV, "--http-port", "0")',
    "sluice up",
    "sluice payments",
  ),
  ...by("test/hosts.test.ts", 'told(dir, "down")', "sluice down"),
  ...by("test/hosts.test.ts", 'run(dir, ["worker"])', "sluice worker"),
  ...by("test/hosts.test.ts", 'run(dir, ["gateway"])', "sluice gateway"),
  ...by(...BY_PAGES, "sluice orders", "sluice stock", "sluice workers", "sluice doctor"),
  ...by(...BY_PAGES, "sluice verify", "sluice routes"),
  ...by("test/cli-json.test.ts", 'sluice("sales"', "sluice sales"),
  ...by("test/up.test.ts", '"webhooks", "add"', "sluice webhooks", "sluice sender"),
  ...by("gateway/admin/rates.test.ts", '"cli/cli.ts", "rates"', "sluice rates list"),
  ...by("gateway/admin/rates.test.ts", 'rates("accept"', "sluice rates accept"),
  ...by("gateway/admin/rates.test.ts", 'rates("refuse"', "sluice rates refuse"),
  ...by("test/dead.test.ts", 'CLI, "dead"', "sluice dead"),
  ...by("test/hosts.test.ts", "leavesOnQ", "sluice top"),
  ...by("test/hosts.test.ts", 'told(dir, "logs"', "sluice logs"),
  ...by("test/hosts.test.ts", 'told(dir, "config"', "sluice config"),
  ...by("test/cli-json.test.ts", 'sluice("feed"', "sluice feed"),
  ...by("test/cli-json.test.ts", 'sluice("timeline"', "sluice timeline"),
  ...by("cli/operator/on-record.test.ts", '"audit"', "sluice audit"),
  ...by("cli/program.test.ts", "completionOf", "sluice completion"),
  ...by("test/up.test.ts", 'told(dir, "token"', "sluice token", "sluice id"),
  ...by("test/up.test.ts", "untilDispatched", "sluice fulfil"),
  ...by("test/regions.quiet.test.ts", '"recover", "--region"', "sluice recover --region"),
  ...by("test/halts.test.ts", '"recover", "--accept-ledger"', "sluice recover --accept-ledger"),
  ...by("test/life-faults.test.ts", '"recover"', "sluice recover --ask-again"),
  ...by("proof/checker/checker.test.ts", '"check-history"', "sluice check-history"),
  ...by("test/power-cut.test.ts", "POWER_CUT", `${BUN} test/power-cut.test.ts`),
  ...by("gateway/http/event-stream.test.ts", "test(", "curl -N"),
  ...by("gateway/http/cancel.test.ts", "test(", "curl -X DELETE"),
  ...by("stubs/provider/provider.test.ts", "test(", `curl ${STUB}/v1/charges`),
  ...by("stubs/provider/provider.test.ts", "test(", `curl ${STUB}/v1/refunds`),
  ...by("stubs/provider/provider.test.ts", "test(", "kill $!"),
  ...by("stubs/provider/provider.test.ts", "test(", `curl ${STUB}/v1/charges/${STUB_KEY}`),
  ...by("test/deploy.test.ts", "docs/howto/compose.md", "curl @deploy/demo-sale.json"),
  ...by("test/deploy.test.ts", "docs/howto/compose.md", "curl http://127.0.0.1:8081/v1/orders"),
  ...by("test/tutorial.long.test.ts", "LONG_PAGES", "order"),
  ...by("proof/protocol/protocol.test.ts", "test(", "bun test"),
  ...by("deploy/prometheus.test.ts", "a real Prometheus scrapes", "prometheus"),
];

export const NOT_RUN: readonly NotRun[] = [
  ...not("it is the run that the test is part of", "sluice test"),
  ...not("it needs minutes; the parts that may break are tests themselves", "sluice check"),
  ...not("it writes to the whole tree", "node_modules/.bin/biome"),
  ...not(
    "a minute to hours; test/chaos.test.ts runs a short mix of the same runner",
    "sluice chaos",
  ),
  ...not(
    "minutes to days; test/simulate.test.ts runs the same campaign for a minute",
    "sluice simulate",
  ),
  ...not("minutes; proof/protocol and proof/traces test the same walks", "sluice protocol"),
  ...not("a measurement takes minutes and the whole machine", "sluice bench"),
  ...not("it fetches packages; test/site.test.ts checks the config and pages", "sluice docs"),
  ...not("it runs until it is ended; test/up.test.ts has `up` start it", "sluice provider"),
  ...not(
    "all 120 recoveries take many minutes; CI runs a sample",
    `${BUN} test/power-cut.test.ts POWER_CUT=every`,
  ),
  ...not(
    "it waits minutes for orders that are lost; run before a release",
    `${BUN} test/chaos.test.ts -t acknowledge CHAOS_MUTANT=1`,
  ),
  ...not("the address is that of the reader's installation", "curl"),
  ...not(
    "there is no container engine in CI; test/deploy.test.ts runs the roles",
    "docker compose",
  ),
  ...not("users of a broker of one's own; test/publishers.test.ts has them", "rabbitmqctl"),
  ...not("it changes a cluster of an earlier release", "rabbitmq-queues"),
  ...not("sdk/typescript/test/test-package.ts packs and installs it elsewhere", "npm"),
  ...not("it installs into the reader's Python; sdk/python/test imports the folder", "pip"),
  ...not("SQLite's own tool, which CI does not install", "sqlite3"),
  ...not("a load of minutes on the reader's installation; bench/k6/rehearsal.test.ts", "k6 run"),
  ...not("Alertmanager's own tool, for an Alertmanager of one's own", "amtool"),
];

/** The program and its arguments, then the variables that were set before it. */
function wordsOf(text: string): string[] {
  const [variables = ""] = /^(?:\w+=\S* +)*/.exec(text) ?? [];
  const command = text.slice(variables.length).replace(/^\.\//, "");
  return [...command.split(/\s+/), ...variables.trim().split(/\s+/)];
}

/** The rule for a command; undefined if there is none. */
export function ruleOf({ text }: Pick<DocCommand, "text">): Run | NotRun | undefined {
  const words = wordsOf(text);
  return [...RUN, ...NOT_RUN]
    .filter(({ command }) => {
      const [first, ...rest] = command.split(" ");
      return first === words[0] && rest.every((word) => words.includes(word));
    })
    .sort((a, b) => b.command.split(" ").length - a.command.split(" ").length)[0];
}

export function isCovered(command: DocCommand): boolean {
  const isRunAsWritten = command.fence === "up" && RUN_PAGES.includes(command.page);
  if (command.page in WHOLE_PAGES) return true;
  return isRunAsWritten || isNoCommand(command.text) || ruleOf(command) !== undefined;
}

/** A line that only sets variables, or defines a function. */
const isNoCommand = (text: string): boolean =>
  /^(?:export )?(?:\w+=(?:\$\([^)]*\)|\S)*\s*)+$/.test(text) || /^\w+\(\) \{/.test(text);
