// Keeps the brokers of a test run from reading plugins, all of which are off. A start reads the
// description of each plugin and looks for each module in its folder, which takes a fifth of its
// CPU time.
import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { rabbitScript } from "../services/rabbitmq.ts";

/** Plugins, and the libraries of the web server and the metrics that only they use. */
const UNUSED = /^(rabbitmq_(?!prelaunch)|accept|cowboy|cowlib|eetcd|gun|prometheus|quantile)/;

/** Variables for the brokers, and for the commands that start them. */
export function leanRabbit(dir: string): Readonly<Record<string, string>> {
  const script = rabbitScript("rabbitmq-server");
  const all = script && join(dirname(realpathSync(script)), "..", "plugins");
  if (!all || !existsSync(all)) return {};
  const lean = join(dir, "rabbitmq-plugins");
  mkdirSync(lean);
  for (const name of readdirSync(all))
    if (!UNUSED.test(name)) symlinkSync(join(all, name), join(lean, name));
  return { RABBITMQ_PLUGINS_DIR: lean };
}
