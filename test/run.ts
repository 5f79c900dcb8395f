// The whole test run. Test files run side by side, each runner with its own Redis, RabbitMQ and
// Postgres. The *.quiet.test.ts files, which need the machine to themselves, run afterwards. The
// *.long.test.ts files take minutes and run only if they are named.
//
//   bun test/run.ts             everything
//   bun test/run.ts <words>     bun test with these words
import { availableParallelism } from "node:os";
import { leanRabbit } from "./lean-rabbit.ts";
import { endTestRoot, makeTestRoot } from "./services.ts";

/** Tests wait for part of their time: there is one runner more than cores, and at most three. */
const RUNNERS = Math.min(3, availableParallelism() + 1);
/** Virtual hosts that each runner's broker has ready: as many as its tests use, or a few. */
const MANY_VHOSTS = 160;
const FEW_VHOSTS = 8;
const QUIET = ".quiet.test.ts";
const LONG = ".long.test.ts";
const INTERRUPTED = 130;

interface Part {
  readonly passed: number;
  readonly failed: number;
  readonly code: number;
}

let running: Bun.Subprocess | undefined;
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    stopped = true;
    running?.kill(signal);
  });

const words = process.argv.slice(2);
process.exit(words.length > 0 ? await one(words) : await everything());

/** One runner, with its output as bun test formats it for a terminal. */
function one(args: readonly string[]): Promise<number> {
  running = Bun.spawn([process.execPath, "test", ...args], {
    stdio: ["inherit", "inherit", "inherit"],
  });
  return running.exited;
}

/** Prints the runners' totals, added up. The exit code is that of the first part that failed. */
async function everything(): Promise<number> {
  const parts = [
    await part(MANY_VHOSTS, `--parallel=${RUNNERS}`, "--no-isolate", ...without(QUIET, LONG)),
    await part(FEW_VHOSTS, QUIET),
  ];
  const sum = (of: "passed" | "failed") => parts.reduce((total, each) => total + each[of], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return parts.find(({ code }) => code !== 0)?.code ?? 0;
}

function without(...ends: string[]): string[] {
  return ends.map((end) => `--path-ignore-patterns=**/*${end}`);
}

/** Runs some of the files, then stops the services that their tests shared. */
async function part(vhosts: number, ...args: string[]): Promise<Part> {
  if (stopped) return { passed: 0, failed: 0, code: INTERRUPTED };
  const root = makeTestRoot();
  try {
    return await counted(args, { root, vhosts });
  } finally {
    await endTestRoot(root);
  }
}

/** Passes the output on and reads the totals from it. Without totals, the part has failed. */
async function counted(
  args: readonly string[],
  { root, vhosts }: { root: string; vhosts: number },
): Promise<Part> {
  const own = { TEST_RUN_ROOT: root, TEST_RUN_VHOSTS: String(vhosts), TMPDIR: root };
  const child = Bun.spawn([process.execPath, "test", ...args], {
    env: { ...process.env, ...leanRabbit(root), ...own },
    stdio: ["ignore", "inherit", "pipe"],
  });
  running = child;
  const totals = new Map<string, number>();
  for await (const line of linesOf(child.stderr)) {
    process.stderr.write(`${line}\n`);
    const [, count, kind] = /^ *(\d+) (pass|fail)$/.exec(line) ?? [];
    if (kind) totals.set(kind, Number(count));
  }
  const code = await child.exited;
  const [passed, failed] = [totals.get("pass") ?? 0, totals.get("fail") ?? 0];
  if (totals.size === 2) return { passed, failed, code };
  console.error(`bun test ${args.join(" ")} printed no totals and exited with code ${code}`);
  return { passed, failed, code: code || 1 };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
