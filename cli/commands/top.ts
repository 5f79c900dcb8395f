// sluice top: the essentials of a running system, redrawn in the terminal every second.
import type { Command } from "commander";
import { figures, Looks } from "../../core/domain/figures.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Overview } from "../../core/domain/overview.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, SettingError } from "../../core/settings/settings.ts";
import { AnyGateway, knownGateways } from "../any-gateway.ts";
import { coloured } from "../colours.ts";
import { printJson } from "../output.ts";
import { nothingRunning } from "../running.ts";
import { mintToken } from "../token.ts";
import { topLines } from "../top-lines.ts";
import { UsageError } from "../usage.ts";

const EVERY_MS = 1_000;
const DEFAULT_URL = "http://127.0.0.1:8080";
/** Alternate screen on and off, with the cursor hidden and shown; home; clear to the end. */
const [ENTER, LEAVE, HOME, CLEAR] = [
  "\x1b[?1049h\x1b[?25l",
  "\x1b[?1049l\x1b[?25h",
  "\x1b[H",
  "\x1b[J",
];

interface Options {
  readonly url?: string;
  readonly token?: string;
  readonly once: boolean;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("top")
    .description("show stock, lag, workers and admission live; q leaves")
    .option("--url <url>", "this gateway; default: one of 'sluice up' that answers")
    .option("--token <token>", "operator token; default: minted from SLUICE_JWT_SECRET")
    .option("--once", "measure over a second and print once", false)
    .option("--json", "print one reading as JSON", false)
    .action(top);
}

async function top(options: Options): Promise<void> {
  const settings = readSettings(process.env);
  const known = options.url ?? process.env.SLUICE_GATEWAY_URL;
  if (!known && settings.redisUrl === "") throw nothingRunning(settings.dataDir);
  const url = known || DEFAULT_URL;
  const token =
    options.token ?? (await mintToken(settings, { user: "top", scope: "operator", hours: 12 }));
  const named = options.url !== undefined;
  const gateway = new AnyGateway(url, async () => (named ? [] : await knownGateways(settings)));
  const look = () => lookAt(gateway, token);
  const warn = () => gateway.instead && process.stderr.write(`sluice: ${gateway.instead}\n`);
  if (options.json) {
    printJson(await look());
    warn();
    return;
  }
  if (!options.once && !process.stdout.isTTY)
    throw new UsageError("standard output is not a terminal: add --once or --json");
  const looks = new Looks();
  looks.before(await look());
  if (options.once) {
    await realRuntime.sleep(EVERY_MS);
    process.stdout.write(`${draw(looks, await look()).join("\n")}\n`);
    warn();
    return;
  }
  process.stdout.write(ENTER);
  process.on("exit", () => process.stdout.write(LEAVE));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
  leaveOnKey();
  for (;;) {
    await realRuntime.sleep(EVERY_MS);
    const lines = await look().then(
      (now) => [...(gateway.instead ? [gateway.instead] : []), ...draw(looks, now)],
      (error) => [messageOf(error), "retrying"],
    );
    process.stdout.write(
      `${HOME}${lines.slice(0, (process.stdout.rows ?? 50) - 1).join("\x1b[K\n")}\x1b[K\n${CLEAR}`,
    );
  }
}

/** Of a line in a file or a pipe. */
const UNCUT = 1_000;

const LEAVING_KEYS = new Set(["q", "Q", "\x03", "\x04"]);

/** As in other programs of its kind. In raw mode, Ctrl-C is a key too. */
function leaveOnKey(): void {
  const { stdin } = process;
  if (!stdin.isTTY) return;
  stdin.setRawMode(true);
  process.on("exit", () => stdin.setRawMode(false));
  stdin.on("data", (keys: Buffer) => {
    if ([...keys.toString()].some((key) => LEAVING_KEYS.has(key))) process.exit(0);
  });
}

function draw(looks: Looks, now: Overview): string[] {
  // What is no terminal has no edge.
  const columns = process.stdout.columns || (process.stdout.isTTY ? 100 : UNCUT);
  return topLines(figures(looks.before(now), now), now, columns, coloured(process.stdout));
}

async function lookAt(gateway: AnyGateway, token: string): Promise<Overview> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await gateway.get("/v1/admin/overview", headers);
  if (!response.ok)
    throw new SettingError(
      `${response.url} answers ${response.status}: ${(await response.text()).slice(0, 200)}`,
    );
  return (await response.json()) as Overview;
}
