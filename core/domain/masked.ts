// Shows a setting without its secrets. An address is split at its own delimiters, never searched
// for a pattern of a password: a password may have any character.

/**
 * An address keeps its scheme, host and path. Of user and password, and of what follows a `?` or
 * `#`, only the names of a query are kept. The path of a web address may be a secret too, and is
 * removed.
 */
export function maskedUrl(address: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(address)?.[0];
  if (scheme === undefined) return MASK;
  const rest = address.slice(scheme.length);
  if (!rest.startsWith("//")) return scheme + withoutQuery(rest);
  // A password may contain `/`, `?`, `#` and `@`: the last `@` ends it.
  const at = rest.lastIndexOf("@");
  const user = at < 0 ? "//" : `//${MASK}@`;
  const place = at < 0 ? rest.slice(2) : rest.slice(at + 1);
  const shown = withoutQuery(place);
  return `${scheme}${user}${/^https?:$/i.test(scheme) ? withoutPath(shown) : shown}`;
}

/** Text from outside, such as an error's, in which addresses may appear. */
export function withoutSecrets(text: string): string {
  return text.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi, (address) => maskedUrl(address));
}

export const MASK = "…";

function withoutQuery(text: string): string {
  const end = text.search(/[?#]/);
  if (end < 0) return text;
  const query = text.slice(end + 1).split("#")[0] ?? "";
  const names = text[end] === "?" ? query.split("&").map((part) => part.split("=")[0]) : [];
  return (
    text.slice(0, end) + (names.length > 0 ? `?${names.join(`=${MASK}&`)}=${MASK}` : `#${MASK}`)
  );
}

function withoutPath(place: string): string {
  const path = place.indexOf("/");
  if (path < 0 || path === place.length - 1) return place;
  const query = place.indexOf("?");
  return `${place.slice(0, path)}/${MASK}${query < 0 ? "" : place.slice(query)}`;
}
