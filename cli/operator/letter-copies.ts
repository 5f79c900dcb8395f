// `recover --ask-again` publishes the letters of failures that stand, and those that were not lost
// are there twice then. Copies count as one letter and share its fate.
import type { Fate } from "../../broker/dead-letters.ts";
import type { Judge } from "./dead-letters.ts";

/** Judges each letter once. Only Sluice's own letters have copies, published without a source. */
export function onceEach(judge: Judge): Judge {
  const fates = new Map<string, Fate>();
  return async (letter, raw, region) => {
    if (raw.source !== undefined || !letter.queue.endsWith(".dead"))
      return judge(letter, raw, region);
    // Not the letter's id: it is short, and another letter's would end this one.
    const content = new Bun.CryptoHasher("sha256").update(raw.body).digest("hex");
    const name = `${letter.queue} ${raw.messageId ?? ""} ${content}`;
    const known = fates.get(name);
    if (known !== undefined) return known;
    const fate = await judge(letter, raw, region);
    fates.set(name, fate);
    return fate;
  };
}
