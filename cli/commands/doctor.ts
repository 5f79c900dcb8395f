// sluice doctor: reports what is missing or misconfigured and how to fix it. Exit code 1 if
// something fails; a warning alone is no failure.
import type { Command } from "commander";
import { plain, plainJson } from "../../core/domain/plain.ts";
import { readSettings, SettingError } from "../../core/settings/settings.ts";
import { paint } from "../../proof/verify/report.ts";
import { coloured } from "../colours.ts";
import { type Finding, fail } from "../doctor/finding.ts";
import { checkMachine } from "../doctor/machine.ts";
import { checkProvider } from "../doctor/provider.ts";
import { checkServices } from "../doctor/services.ts";
import { checkVerdict } from "../doctor/verdict.ts";

export function register(program: Command): void {
  program
    .command("doctor")
    .description("report what is missing or misconfigured and how to fix it")
    .option("--json", "print JSON", false)
    .action(async ({ json }: { json: boolean }) => {
      const findings = await examine();
      process.stdout.write(json ? `${plainJson(findings)}\n` : `${lines(findings).join("\n")}\n`);
      process.exit(findings.some(({ state }) => state === "fail") ? 1 : 0);
    });
}

async function examine(): Promise<Finding[]> {
  try {
    const settings = readSettings(process.env);
    const machine = checkMachine(settings);
    const { findings, ...known } = await checkVerdict(settings);
    const services = [checkServices(settings, known), checkProvider(settings)];
    return [...machine, ...(await Promise.all(services)).flat(), ...findings];
  } catch (error) {
    if (error instanceof SettingError)
      return [fail("settings", error.message, "correct or unset it")];
    throw error;
  }
}

function lines(findings: readonly Finding[]): string[] {
  const colours = paint(coloured(process.stdout));
  const mark = {
    ...{ ok: colours.good("ok  "), note: "note" },
    ...{ warn: colours.bad("warn"), fail: colours.bad("fail") },
  };
  return findings.flatMap(({ what, state, detail, fix }) => [
    `${mark[state]}  ${plain(`${what}: ${detail}`)}`,
    ...(fix === undefined ? [] : [`      → ${plain(fix)}`]),
  ]);
}
