// JSON that many readers get, with its entity tag: a reader who has it already gets 304.

export interface TaggedText {
  /** JSON, encoded once. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** An entity tag (RFC 9110), of exactly this text. */
  readonly etag: string;
}

export function tagged(value: unknown): TaggedText {
  return taggedBytes(new TextEncoder().encode(JSON.stringify(value)));
}

export function taggedBytes(bytes: Uint8Array<ArrayBuffer>): TaggedText {
  return { bytes, etag: `"${Bun.hash.xxHash64(bytes).toString(36)}"` };
}

/**
 * `ifNoneMatch`: the reader's header: tags, weak ones too, or `*`. `spend` counts the bytes that
 * are sent, and may refuse them.
 */
export function answerWith(
  { bytes, etag }: TaggedText,
  ifNoneMatch: string | undefined,
  spend: (bytes: number) => void,
): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-cache", etag };
  const known = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (known?.includes(etag) || known?.includes("*"))
    return new Response(null, { status: 304, headers });
  spend(bytes.byteLength);
  return new Response(bytes, { headers });
}
