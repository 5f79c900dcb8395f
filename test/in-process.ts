// Runs a command of the command line in this process, which costs a fraction of a new one.
import { buildProgram } from "../cli/program.ts";

/** What it prints to standard output. It must not change the environment itself. */
export async function inProcess(
  env: Readonly<Record<string, string | undefined>>,
  ...words: readonly string[]
): Promise<string> {
  const before = { ...process.env };
  const { write } = process.stdout;
  let out = "";
  Object.assign(process.env, env);
  process.stdout.write = (text: string | Uint8Array) => {
    out += String(text);
    return true;
  };
  try {
    await (await buildProgram(words[0])).parseAsync([...words], { from: "user" });
  } finally {
    process.stdout.write = write;
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
  return out;
}
