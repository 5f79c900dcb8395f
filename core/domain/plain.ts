// Text from outside, made safe to print: a terminal obeys control sequences, and marks of direction
// or invisible characters make one text look like another.

/** Control and format characters, line separators and lone surrogates; joiners are text. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** One line, with whatever is not seen written as `\u{1b}`. */
export function plain(text: string): string {
  return text.replaceAll(UNSEEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Each line by itself. */
export function plainLines(text: string): string {
  return text.split("\n").map(plain).join("\n");
}

/** JSON text without raw control characters: JSON.stringify leaves those above 0x7f. */
export function plainJson(value: unknown, indent?: number): string {
  return escapedJson(JSON.stringify(value, undefined, indent));
}

/** JSON text, with the same meaning and nothing that a terminal obeys. */
export function escapedJson(json: string): string {
  return json.replaceAll(UNSEEN, (char) => (char === "\n" ? char : unitsOf(char)));
}

function unitsOf(char: string): string {
  const units = [...Array(char.length).keys()].map((i) => char.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
