// Reads the payment provider's own record, from a stub's file or address.

import { existsSync, readFileSync } from "node:fs";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { CaptureRecord } from "./checks/charges.ts";

/**
 * Reads the record again on each call. `named` is a file or URL that must have one; `settingUrl` is
 * the provider in use, which may not. undefined: there is none.
 */
export function providerRecord(
  named: string | undefined,
  settingUrl: string,
): () => Promise<CaptureRecord[] | undefined> {
  return async () => {
    if (named !== undefined && !/^https?:/.test(named)) {
      if (!existsSync(named)) throw new SettingError(`--provider: file ${named} does not exist`);
      return fromEvents(readFileSync(named, "utf8"));
    }
    const url = named ?? settingUrl;
    if (url === "") return undefined;
    const signal = realRuntime.abortAfter(RECORDS_TIMEOUT_MS);
    const response = await ignore(fetch(`${url}/v1/records`, { signal }), "provider_record");
    if (response?.ok) return lines(await response.text()) as CaptureRecord[];
    if (named !== undefined)
      throw new SettingError(`--provider: ${named}/v1/records does not answer`);
    return undefined;
  };
}

/** Deadline for the provider's whole record. */
const RECORDS_TIMEOUT_MS = 60_000;

function lines(text: string): unknown[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as unknown]));
}

type Event = { readonly t: string; readonly by?: string } & CaptureRecord;

/** The stub's file has a line per event; those not handled here move no money. */
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
