// The settings that matter most for a command, from the table of settings: its help and
// docs/reference/cli.md list them.
import { describeSettings, readSettings, type Settings } from "../core/settings/settings.ts";
import { flagOf } from "./flags.ts";

const MAIN: Readonly<Record<string, readonly (keyof Settings)[]>> = {
  up: [
    ...(["httpPort", "httpHost", "brokers", "dataDir", "ledgerUrl"] as const),
    ...(["providerUrl", "governorCpu", "workerRate", "shards", "logLevel"] as const),
  ],
  provider: ["webhookSecrets", "dataDir"],
};

export interface MainSetting {
  /** `--http-port <value>`, `--log-level <info|warn|error>` */
  readonly flags: string;
  /** With its default. */
  readonly says: string;
}

export function mainSettings(path: string): MainSetting[] {
  const all = describeSettings(readSettings({}));
  return (MAIN[path] ?? []).flatMap((name) => {
    const setting = all.find((each) => each.name === name);
    if (!setting) return [];
    const { variable, says, value, words = ["value"] } = setting;
    const fallback = value === "" || says.includes("default:") ? "" : ` (default: ${value})`;
    return [{ flags: `${flagOf(variable)} <${words.join("|")}>`, says: `${says}${fallback}` }];
  });
}

/** Long enough for most flags, so that what they mean begins in one column. */
const FLAGS_WIDTH = 30;
const WIDTH = 100;

/** A section of help; nothing where no setting matters in particular. */
export function mainSettingLines(path: string): string[] {
  const settings = mainSettings(path);
  if (settings.length === 0) return [];
  return ["", "Settings that matter most here:", ...settings.flatMap(linesOf)];
}

function linesOf({ flags, says }: MainSetting): string[] {
  const lines: string[] = [];
  let line = `  ${flags.padEnd(FLAGS_WIDTH)}`;
  if (flags.length > FLAGS_WIDTH) {
    lines.push(line);
    line = " ".repeat(FLAGS_WIDTH + 2);
  }
  for (const word of says.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(FLAGS_WIDTH + 2);
    }
    line = `${line} ${word}`;
  }
  return [...lines, line];
}
