// JSON that many readers get, with its entity tag: a reader who has it already gets 304.

export interface TaggedText {
  readonly json: string;
  /** An entity tag (RFC 9110), of exactly this text. */
  readonly etag: string;
}

export function tagged(value: unknown): TaggedText {
  const json = JSON.stringify(value);
  return { json, etag: `"${Bun.hash.xxHash64(json).toString(36)}"` };
}

/** `ifNoneMatch`: the reader's header: tags, weak ones too, or `*`. */
export function answerWith({ json, etag }: TaggedText, ifNoneMatch: string | undefined): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-cache", etag };
  const known = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return known?.includes(etag) || known?.includes("*")
    ? new Response(null, { status: 304, headers })
    : new Response(json, { headers });
}
