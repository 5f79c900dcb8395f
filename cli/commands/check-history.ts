// sluice check-history: judges clients' histories with the independent checker (docs/history.md).
// Exit code 0: no promise was broken; 1: one was; 2: inconclusive; 3: no result.
import type { Command } from "commander";
import { escapedJson, plainLines } from "../../core/domain/plain.ts";
import { NoChecker, runChecker } from "../../proof/checker/run.ts";

const EXIT_NO_RESULT = 3;

export function register(program: Command): void {
  program
    .command("check-history")
    .description("judge clients' histories alone, without Sluice's code (needs Go)")
    .argument("<file...>", "histories of one run, as 'sluice demo --keep' leaves them")
    .option("--json", "print one JSON object", false)
    .action(run);
}

async function run(files: readonly string[], { json }: { json: boolean }): Promise<void> {
  try {
    const { text, errors, code } = await runChecker([...(json ? ["--json"] : []), ...files]);
    process.stdout.write(json ? escapedJson(text) : plainLines(text));
    process.stderr.write(plainLines(errors));
    process.exitCode = code;
  } catch (error) {
    if (!(error instanceof NoChecker)) throw error;
    process.stderr.write(`sluice: ${error.message}\n`);
    process.exitCode = EXIT_NO_RESULT;
  }
}
