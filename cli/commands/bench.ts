// sluice bench: measures this machine. Each sub-command has a file in bench/.
import type { Command } from "commander";
import * as attacks from "./bench/attacks.ts";
import * as curve from "./bench/curve.ts";
import * as intake from "./bench/intake.ts";
import * as k6 from "./bench/k6.ts";
import * as limits from "./bench/limits.ts";
import * as load from "./bench/load.ts";
import * as overload from "./bench/overload.ts";
import * as peers from "./bench/peers.ts";
import * as scale from "./bench/scale.ts";

export function register(program: Command): void {
  const bench = program
    .command("bench")
    .description("measure this machine with the standard workload");
  const parts = [intake, load, curve, overload, k6, peers, limits, scale, attacks];
  for (const part of parts) part.register(bench);
}
