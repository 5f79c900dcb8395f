// The bodies of orders that this gateway has accepted, by user and id: another body under the same
// id is refused at once. Elsewhere, or before the first is confirmed, the first body still stands,
// and the other leaves a `conflict` among its events.
import type { Batch } from "./batch.ts";

/** Half a second of the fastest flood. A later order takes the place of an earlier one. */
const PLACES = 65_536;

/**
 * A table by the last twelve hex digits of the id: the last four are the place, the other eight its
 * tag. The tag distinguishes almost every new id without reading a text. A map of the same names
 * cost each order several times as much (docs/decisions/0020-gateway-cost.md).
 */
export class KnownBodies {
  private readonly tags = new Int32Array(PLACES);
  /** User and id, with a space between; empty: the place is free. */
  private readonly names: string[] = new Array(PLACES).fill("");
  private readonly fingerprints: string[] = new Array(PLACES).fill("");

  /** The broker has the batch. */
  accepted(batch: Batch): void {
    for (let i = 0; i < batch.size; i++) this.learn(batch, i);
  }

  /**
   * `words`: the outcomes of the batch. A conflict (`!`) says that the body is not the first, which
   * another gateway has accepted.
   */
  decided(batch: Batch, words: readonly string[]): void {
    const isKnown = batch.verdict === "confirmed";
    for (let i = 0; i < words.length; i++)
      if (words[i]?.charCodeAt(0) === EXCLAMATION) this.forget(batch, i);
      else if (!isKnown) this.learn(batch, i);
  }

  private learn(batch: Batch, i: number): void {
    const fingerprint = batch.fingerprintAt(i);
    if (fingerprint === "") return;
    const name = batch.nameAt(i);
    const place = numberIn(name, name.length - 4, name.length);
    this.tags[place] = numberIn(name, name.length - 12, name.length - 4);
    this.names[place] = name;
    this.fingerprints[place] = fingerprint;
  }

  private forget(batch: Batch, i: number): void {
    const name = batch.nameAt(i);
    const place = numberIn(name, name.length - 4, name.length);
    if (this.names[place] !== name || this.fingerprints[place] !== batch.fingerprintAt(i)) return;
    this.names[place] = "";
    this.fingerprints[place] = "";
  }

  /** Whether the id, a UUID in lower case, is known to be another order's. */
  isOther(user: string, id: string, fingerprint: string): boolean {
    const place = numberIn(id, id.length - 4, id.length);
    if (this.tags[place] !== numberIn(id, id.length - 12, id.length - 4)) return false;
    return this.names[place] === `${user} ${id}` && this.fingerprints[place] !== fingerprint;
  }
}

/** The number that at most eight hex digits in lower case write, as 32 bits with a sign. */
function numberIn(text: string, from: number, to: number): number {
  let number = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    number = (number << 4) | (c > NINE ? c - LETTER_BEFORE_A + 9 : c - ZERO);
  }
  return number;
}

const ZERO = 0x30;
const NINE = 0x39;
const LETTER_BEFORE_A = 0x60;
const EXCLAMATION = 0x21;
