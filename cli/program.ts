// The table of commands. A command's file is loaded only when it runs, so that `sluice token`, for
// one, does not load a broker client. Help, completion and docs/reference/cli.md are made from it.
import { Command, Help } from "commander";
import { examplesFor } from "./examples.ts";
import { exitsOf } from "./exits.ts";
import { mainSettingLines } from "./main-settings.ts";

type Registrar = { register(program: Command): void };

interface Entry {
  readonly group: Group;
  readonly load: () => Promise<Registrar>;
}

const GROUPS = {
  run: "Run it:",
  look: "Look:",
  change: "Change:",
  prove: "Try and prove it:",
  role: "One role alone:",
  setup: "Set up:",
} as const;
type Group = keyof typeof GROUPS;

const entry = (group: Group, load: Entry["load"]): Entry => ({ group, load });

export const COMMANDS: Readonly<Record<string, Entry>> = {
  up: entry("run", () => import("./commands/up.ts")),
  down: entry("run", () => import("./commands/down.ts")),
  demo: entry("run", () => import("./commands/demo.ts")),
  top: entry("look", () => import("./commands/top.ts")),
  orders: entry("look", () => import("./commands/orders.ts")),
  stock: entry("look", () => import("./commands/stock.ts")),
  feed: entry("look", () => import("./commands/feed.ts")),
  logs: entry("look", () => import("./commands/logs.ts")),
  audit: entry("look", () => import("./commands/audit.ts")),
  timeline: entry("look", () => import("./commands/timeline.ts")),
  doctor: entry("look", () => import("./commands/doctor.ts")),
  sales: entry("change", () => import("./commands/sales.ts")),
  routes: entry("change", () => import("./commands/routes.ts")),
  workers: entry("change", () => import("./commands/workers.ts")),
  dead: entry("change", () => import("./commands/dead.ts")),
  webhooks: entry("change", () => import("./commands/webhooks.ts")),
  recover: entry("change", () => import("./commands/recover.ts")),
  verify: entry("prove", () => import("./commands/verify.ts")),
  "check-history": entry("prove", () => import("./commands/check-history.ts")),
  chaos: entry("prove", () => import("./commands/chaos.ts")),
  simulate: entry("prove", () => import("./commands/simulate.ts")),
  protocol: entry("prove", () => import("./commands/protocol.ts")),
  bench: entry("prove", () => import("./commands/bench.ts")),
  check: entry("prove", () => import("./commands/check.ts")),
  gateway: entry("role", () => import("./commands/roles.ts")),
  worker: entry("role", () => import("./commands/roles.ts")),
  payments: entry("role", () => import("./commands/roles.ts")),
  fulfil: entry("role", () => import("./commands/fulfil.ts")),
  sender: entry("role", () => import("./commands/roles.ts")),
  rates: entry("role", () => import("./commands/roles.ts")),
  provider: entry("role", () => import("./commands/provider.ts")),
  token: entry("setup", () => import("./commands/token.ts")),
  id: entry("setup", () => import("./commands/token.ts")),
  config: entry("setup", () => import("./commands/config.ts")),
  completion: entry("setup", () => import("./commands/completion.ts")),
};

/** Commands that measure or verify a fixed setup, or need none. */
export const WITHOUT_SETTINGS: ReadonlySet<string> = new Set([
  ...["demo", "simulate", "chaos", "bench", "check", "check-history", "protocol", "completion"],
]);

const SETTINGS_HELP =
  "\nEvery setting of 'sluice config' is also a flag: " +
  "--gap-timeout 10s sets SLUICE_GAP_TIMEOUT=10s.";

/** `only`: a command whose file is enough. */
export async function buildProgram(only?: string): Promise<Command> {
  const program = new Command("sluice")
    .description("A flash-sale order system that decides every order exactly once.")
    .helpOption("-h, --help", "show usage and options")
    .helpCommand("help [command...]", "show the help of a command")
    .option("-V, --version", "print the version")
    .exitOverride()
    .showSuggestionAfterError(false)
    // A switch is off without being set; it need not say so.
    .configureHelp({
      optionDescription: (option) =>
        option.defaultValue === false ||
        typeof option.defaultValue === "object" ||
        option.defaultValue === ""
          ? option.description
          : new Help().optionDescription(option),
    })
    // cli/failure.ts prints errors.
    .configureOutput({ outputError: () => undefined });
  program.addHelpText(
    "after",
    `\n'sluice help COMMAND' shows examples and exit codes. './sluice test' runs the tests.` +
      SETTINGS_HELP,
  );
  const found = only === undefined ? undefined : COMMANDS[only];
  const entries = found ? [found] : Object.values(COMMANDS);
  const files = new Set(await Promise.all(entries.map(({ load }) => load())));
  for (const file of files) file.register(program);
  const order = Object.keys(COMMANDS);
  const commands = program.commands as Command[];
  commands.sort((a, b) => order.indexOf(a.name()) - order.indexOf(b.name()));
  for (const command of commands) {
    command.helpGroup(GROUPS[COMMANDS[command.name()]?.group ?? "setup"]);
    for (const each of withParts(command)) addHelp(each);
  }
  return program;
}

/** A command and its sub-commands. */
export function withParts(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withParts)];
}

/** `dead redrive` */
export function pathOf(command: Command): string {
  const { parent } = command;
  return parent ? `${pathOf(parent)} ${command.name()}`.trim() : "";
}

function addHelp(command: Command): void {
  command.helpCommand(false).addHelpText("after", () => {
    const path = pathOf(command);
    const own = Object.entries(exitsOf(path)).map(([code, says]) => `  ${code.padEnd(4)} ${says}`);
    const examples = examplesFor(path).flatMap(({ line, says }) => [
      `  # ${says}`,
      `  ./sluice ${line}`,
    ]);
    const settings = WITHOUT_SETTINGS.has(path.split(" ")[0] ?? "") ? "" : SETTINGS_HELP;
    const lines = ["", "Examples:", ...examples, "", "Exit codes:", ...own, settings];
    return [...mainSettingLines(path), ...lines].join("\n").trimEnd();
  });
}
