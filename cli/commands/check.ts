// sluice check: format, types, lint, structure.
import type { Command } from "commander";

const STEPS = [
  ["format and lint", "node_modules/.bin/biome", "check", "."],
  ["types", "node_modules/.bin/tsc", "-p", "."],
  ["structure", process.execPath, "test", "test/structure.test.ts"],
] as const;

export function register(program: Command): void {
  program
    .command("check")
    .description("format, lint, types, structure")
    .action(() => {
      for (const [what, ...command] of STEPS) {
        process.stdout.write(`${what}: `);
        const run = Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
        process.stdout.write(
          run.exitCode === 0
            ? "ok\n"
            : `failed\n${run.stdout.toString()}${run.stderr.toString()}\n`,
        );
        if (run.exitCode !== 0) process.exit(1);
      }
    });
}
