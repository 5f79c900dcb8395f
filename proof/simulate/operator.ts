// An operator's commands against a simulated system. Each runs in a process of its own, which may
// be interrupted at any point.
import { Letters, MAX_LETTERS } from "../../cli/operator/dead-letters.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Setting } from "./roles.ts";

/** `sluice dead redrive`, `sluice recover --ask-again`. */
export type Command = "redrive" | "ask_again";

export async function runCommand(
  { outside, regions }: Setting,
  process: SimulatedProcess,
  command: Command,
): Promise<void> {
  const { ledger, writer } = await outside.ledger(process);
  switch (command) {
    case "redrive": {
      const links = await outside.links(process, regions);
      await Letters.over(process, links, ledger).redrive({}, MAX_LETTERS, "operator");
      return;
    }
    case "ask_again":
      await writer.askAgain();
  }
}
