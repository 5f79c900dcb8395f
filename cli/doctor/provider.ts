// Asks the payment provider for a charge that does not exist: it changes nothing there.
import { HttpProvider } from "../../consumers/payments/provider-client.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const WHAT = "payment provider";
const MAX_WAIT_MS = 3_000;
const CHECK_URL = "check that it runs and that SLUICE_PROVIDER_URL is right";

/** Nothing where no provider is set. Ends within MAX_WAIT_MS. */
export async function checkProvider(settings: Settings): Promise<Finding[]> {
  const { providerUrl, providerTimeoutMs } = settings;
  if (providerUrl === "") return [];
  const timeoutMs = Math.min(providerTimeoutMs, MAX_WAIT_MS);
  const provider = new HttpProvider(realRuntime, providerUrl, timeoutMs);
  const unknown = { user: "doctor", id: realRuntime.uuid(), generation: 1, attempt: 1 };
  const answer = await provider.lookUp({ ...unknown, amount: 1, currency: "EUR" });
  switch (answer.kind) {
    case "none":
      return [ok(WHAT, "answers")];
    case "busy":
      return [ok(WHAT, "answers, and asks for fewer calls (429)")];
    case "away":
      return [fail(WHAT, answer.why, CHECK_URL)];
    case "unknown":
      return [
        fail(WHAT, `${LOOK_UP} gets no valid answer: ${answer.why}`, `${CHECK_URL}; ${NONE}`),
      ];
    default:
      return [warn(WHAT, `${LOOK_UP} is answered '${answer.kind}'`, NONE)];
  }
}

const LOOK_UP = "the look-up of a charge that does not exist";
const NONE =
  "it must answer the look-up of an unknown key with 404 and 'none' " +
  '(docs/payments.md, "Look up a charge")';
