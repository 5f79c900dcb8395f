// sluice down: ends the `sluice up` of this folder, and whatever a killed one has left.
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { readSettings } from "../../core/settings/settings.ts";
import { endLocalLeftovers } from "../../services/local.ts";
import { endLeftovers, endRecorded, recordedPid } from "../../services/processes.ts";
import { endRunning } from "../running.ts";

/** `up` finishes the orders in flight and stops its services; RabbitMQ alone may take 20 s. */
const GRACE_MS = 90_000;

export function register(program: Command): void {
  program
    .command("down")
    .description("end the 'sluice up' of this folder, and what a killed one has left running")
    .action(down);
}

async function down(): Promise<void> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const { dataDir } = readSettings(process.env);
  const dir = resolve(dataDir);
  if (!existsSync(dir)) return say(`nothing runs here: there is no ${dataDir}/`);
  const pid = recordedPid(dir, "up");
  if (pid !== undefined) {
    say(`ending 'sluice up' (process ${pid}): orders in flight are finished first`);
    if (!(await endRecorded(dir, "up", GRACE_MS))) say(`it has not stopped within ${GRACE_MS} ms`);
  }
  // It ends before its children, or it would start them again.
  const left = await endLeftovers(dir);
  const children = await endLocalLeftovers(dir);
  endRunning(dir);
  rmSync(join(dir, "prometheus"), { recursive: true, force: true });
  const names = [...left, ...children];
  if (names.length > 0) say(`stopped what was left: ${names.join(", ")}`);
  else say(pid === undefined ? `nothing runs in ${dataDir}/` : "everything has stopped");
}
