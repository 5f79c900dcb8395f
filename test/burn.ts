// For tests: keeps all cores busy for a while, with twice as many orphaned processes as cores.
import { availableParallelism } from "node:os";

export function burnAsStranger(ms: number): void {
  const command = [
    process.execPath,
    "-e",
    `const end = Date.now() + ${ms}; while (Date.now() < end) {}`,
  ];
  // A shell that exits at once leaves its child to init.
  for (let i = 0; i < 2 * availableParallelism(); i++) {
    Bun.spawn(["sh", "-c", '"$@" & ', "sh", ...command], { stdio: ["ignore", "ignore", "ignore"] });
  }
}
