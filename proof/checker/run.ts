// Builds the independent checker with Go and runs it on histories (docs/history.md). Go is
// optional: where it is missing or the module cannot be fetched, the result says so.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";

/** What the checker prints with --json (proof/checker/main.go). */
export interface CheckReport {
  readonly result: "pass" | "violations" | "inconclusive";
  readonly violations: number;
  readonly users: number;
  readonly items: number;
  readonly orders: number;
  readonly calls: number;
  readonly unknown: number;
  /** What could not be judged: why → how many. */
  readonly undecided: Readonly<Record<string, number>>;
  readonly findings: readonly {
    readonly invariant: string;
    readonly what: string;
    readonly who: string;
    readonly events?: readonly string[];
  }[];
}

/** The checker did not run, or gave no result. */
export class NoChecker extends Error {
  override readonly name = "NoChecker";
}

const MODULE = import.meta.dir;
/** The first build fetches and compiles Porcupine. */
const BUILD_TIMEOUT_MS = 180_000;
/** A million orders take about a minute. */
const CHECK_TIMEOUT_MS = 900_000;

export function hasGo(): boolean {
  return Bun.which("go") !== null;
}

/** Throws NoChecker if there is no result. */
export async function checkHistory(files: readonly string[]): Promise<CheckReport> {
  const { text, errors, code } = await runChecker(["--json", ...files]);
  if (text === "") throw new NoChecker(`the checker failed (${code}): ${errors.trim()}`);
  const report = JSON.parse(text) as CheckReport;
  // Go writes an empty list as null.
  return { ...report, findings: report.findings ?? [] };
}

/** The checker's own report as text, and its exit code. */
export async function runChecker(words: readonly string[]): Promise<Output> {
  if (!hasGo())
    throw new NoChecker(
      "the independent checker needs Go 1.22 or newer, and there is no 'go' here",
    );
  const dir = mkdtempSync(join(tmpdir(), "sluice-checker-"));
  try {
    const binary = join(dir, "check-history");
    const build = ["go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "."];
    const built = await output(build, MODULE, BUILD_TIMEOUT_MS);
    if (built.code !== 0)
      throw new NoChecker(`the independent checker does not build:\n${built.errors.trim()}`);
    return await output([binary, ...words], process.cwd(), CHECK_TIMEOUT_MS);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export interface Output {
  readonly text: string;
  readonly errors: string;
  readonly code: number;
}

async function output(command: readonly string[], cwd: string, timeoutMs: number): Promise<Output> {
  // The newer toolchain that a go.mod may ask for is not fetched.
  const env = { ...process.env, GOTOOLCHAIN: "local", GOWORK: "off" };
  const child = Bun.spawn([...command], { cwd, env, stdout: "pipe", stderr: "pipe" });
  const deadline = realRuntime.startTimer(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const [text, errors, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { text, errors, code };
  } finally {
    realRuntime.stopTimer(deadline);
  }
}
