// The payment provider's own record, where it shows one: a stub's file, or its address.
import { existsSync, readFileSync } from "node:fs";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { CaptureRecord } from "./checks/charges.ts";

/**
 * Reads it anew each time. `named` is a file or a URL that must have it; `settingUrl` is the
 * provider that is charged with, which need not. undefined: nobody shows one.
 */
export function providerRecord(
  named: string | undefined,
  settingUrl: string,
): () => Promise<CaptureRecord[] | undefined> {
  return async () => {
    if (named !== undefined && !/^https?:/.test(named)) {
      if (!existsSync(named)) throw new SettingError(`--provider: there is no file ${named}`);
      return fromEvents(readFileSync(named, "utf8"));
    }
    const url = named ?? settingUrl;
    if (url === "") return undefined;
    const response = await fetch(`${url}/v1/records`, {
      signal: realRuntime.abortAfter(RECORDS_TIMEOUT_MS),
    }).catch(() => undefined);
    if (response?.ok) return lines(await response.text()) as CaptureRecord[];
    if (named !== undefined)
      throw new SettingError(`--provider: ${named}/v1/records does not answer`);
    return undefined;
  };
}

/** All that a provider has on record, in one answer. */
const RECORDS_TIMEOUT_MS = 60_000;

function lines(text: string): unknown[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
}

type Event = { readonly t: string; readonly by?: string } & CaptureRecord;

/** The stub's file has a line per event; those that are not named here move no money. */
function fromEvents(text: string): CaptureRecord[] {
  const charges = new Map<string, CaptureRecord>();
  for (const event of lines(text) as Event[]) {
    const { t, key } = event;
    const known = charges.get(key);
    if (t === "charge")
      charges.set(key, {
        key,
        amount: event.amount,
        currency: event.currency,
        status: event.status,
        refunded: false,
      });
    else if (known && t === "settle") charges.set(key, { ...known, status: event.status });
    else if (known && t === "refund")
      charges.set(key, {
        ...known,
        refunded: true,
        refundedAmount: event.amount,
        refundedBy: event.by,
      });
    else if (known && t === "dispute") charges.set(key, { ...known, disputed: true });
  }
  return [...charges.values()];
}
