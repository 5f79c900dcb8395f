// The ledger for one command: opened from the settings, and closed whatever happens.
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings, type Settings } from "../core/settings/settings.ts";
import type { Ledger } from "../ledger/contract.ts";
import { openLedger } from "../ledger/open.ts";
import { requireStores } from "./roles/parts.ts";

export interface OpenLedger {
  readonly ledger: Ledger;
  readonly settings: Settings;
}

export async function withLedger(work: (open: OpenLedger) => Promise<void>): Promise<void> {
  const settings = readSettings(process.env);
  requireStores(settings);
  const { ledgerUrl: url, shards } = settings;
  const ledger = await openLedger({ runtime: realRuntime, url, shards });
  try {
    await work({ ledger, settings });
  } finally {
    await ledger.close();
  }
}
