import type { Command } from "commander";
import { PEERS, type PeerName } from "../../../bench/peers/list.ts";
import { peersPage } from "../../../bench/peers/report.ts";
import { benchPeers } from "../../../bench/peers/session.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { inFolder, MAX_SECONDS, machine, type ResultFlags, show } from "./results.ts";

interface PeersFlags extends ResultFlags {
  readonly peers: string;
  readonly seconds: number;
  readonly http: boolean;
}

export function register(bench: Command): void {
  bench
    .command("peers")
    .description("Sluice compared with what people would choose instead, in one session")
    .option("--peers <list>", `any of ${PEERS.join(",")}`, PEERS.join(","))
    .option("--seconds <n>", "length of each run", whole(1, MAX_SECONDS), 8)
    .option("--http", "also behind HTTP", false)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(peers);
}

async function peers({ json, save, seconds, http, ...flags }: PeersFlags): Promise<void> {
  const names = flags.peers.split(",") as PeerName[];
  const stranger = names.find((name) => !PEERS.includes(name));
  if (stranger) throw new UsageError(`--peers: '${stranger}' is not one of ${PEERS.join(", ")}`);
  await inFolder(async (dir, say) => {
    const at = new Date(realRuntime.wallMs()).toISOString();
    const result = await benchPeers({ dir, peers: names, seconds, http, say }, at);
    show("peers", result, peersPage(result, machine()), { json, save });
    if (result.rows.some(({ measured }) => measured.violations.length > 0)) process.exitCode = 1;
  });
}
