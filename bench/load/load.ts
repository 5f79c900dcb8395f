// The open-loop generator's process. It connects, sends the orders of the warm-up and prints a line
// with `warm`. Once it reads a line, it starts the run. It prints a JSON line per second, and one
// at the end.
//
//   bun bench/load/load.ts <JSON of LoadOptions>
import { Generator, type LoadOptions } from "./generator.ts";

if (import.meta.main) await load(JSON.parse(process.argv[2] ?? "{}") as LoadOptions);

async function load(options: LoadOptions): Promise<void> {
  const generator = new Generator(options, (report) => console.log(JSON.stringify(report)));
  await generator.connect();
  await generator.warmUp();
  console.log(JSON.stringify({ warm: true }));
  for await (const _ of console) break;
  await generator.run();
  process.exit(0);
}
